//! Witnesses: whether they can be asked, and how far they have cosigned. Nobody is asked here, because asking moves a witness.

use std::sync::Arc;

use super::{Findings, both};
use crate::{
    cli::serve::remedy,
    clock::{Clock, SystemClock},
    config::{Config, WitnessesAway},
    startup::{self, StartupError},
    store::Store,
    witness::Cover,
};

pub(super) async fn witnesses(config: &Config, store: &dyn Store, size: u64, findings: &mut Findings) {
    if config.witness.is_empty() {
        return findings.notice(
            AREA,
            ["nobody cosigns the heads of this ledger".to_owned(), "この台帳の先頭に連署する立会人がいません".to_owned()],
            [
                "Until somebody does, a rewritten ledger shows only to those who kept an earlier head: add a [[witness]] (README).",
                "いない間は、書き直しに気づけるのは以前の先頭を控えている人だけです。[[witness]] を加えてください（README）。",
            ],
        );
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (quorum, cover) = match startup::look_at_witnesses(config, store, &clock).await {
        Ok(looked) => looked,
        Err(error @ StartupError::Store(_)) => return findings.broken(AREA, both(&error), remedy(&error).into()),
        Err(error) => return findings.wrong(AREA, both(&error), remedy(&error).into()),
    };
    let (needed, count) = (quorum.needed(), quorum.keys().len());
    let [en, ja] = match config.checkpoints.as_ref().map(|checkpoints| checkpoints.away).unwrap_or_default() {
        WitnessesAway::Serve => ["while they are away the gateway goes on", "不在の間も動き続けます"],
        WitnessesAway::Stop => ["while they are away for too long the gateway stops", "長く不在の間は止まります"],
    };
    findings.fine(AREA, [format!("{needed} of {count} must cosign; {en}"), format!("{count} 者のうち {needed} 者の連署が必要です。{ja}")]);
    covered(&cover, size, findings);
}

fn covered(cover: &Cover, size: u64, findings: &mut Findings) {
    for (name, dispute) in &cover.disputes {
        findings.broken(
            AREA,
            [format!("{name} holds another ledger: {dispute}"), format!("{name} の持つ台帳と違います: {dispute}")],
            remedy(&StartupError::Ledger(dispute.error())).into(),
        );
    }
    let newest = cover.newest.unwrap_or(0);
    if newest >= size {
        return findings.fine(AREA, [format!("all {size} entries are cosigned"), format!("{size} 件すべてが連署されています")]);
    }
    findings.notice(
        AREA,
        [format!("{newest} of {size} entries are cosigned"), format!("{size} 件のうち {newest} 件が連署されています")],
        [
            "While the gateway serves, the rest follows within `checkpoints.interval_seconds`; /readyz and the log say which witness is away.",
            "動いている間は、残りも `checkpoints.interval_seconds` ごとに連署されます。不在の立会人は /readyz とログでわかります。",
        ],
    );
}

const AREA: &str = "witnesses";
