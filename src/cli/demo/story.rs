//! The story, step by step.

use serde_json::json;

use super::{
    cast::Cast,
    layout::Table,
    material::Material,
    page::Page,
    sandbox::{Sandbox, Server},
};
use crate::{
    cli::CliError,
    client::{Accepted, ClientError, Outgoing, Problem, Proven, Reading, SignedCheckpoint, SignedConsent},
    domain::{field::FieldKey, ids::CaseId, party::PartyKind, refusal::RefusalCode},
    text::demo as text,
};

/// Where the story is told and by whom.
pub(super) struct Story<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) page: &'a mut Page,
    pub(super) cast: Cast,
    pub(super) material: Material,
    /// Whether the checks of an answer were told in full.
    explained: bool,
}

/// A referral that was accepted.
pub(super) struct Referred {
    pub(super) consent: SignedConsent,
    pub(super) message: Outgoing,
    pub(super) answer: Proven<Accepted>,
    pub(super) case_at_sender: CaseId,
    /// Rows that were sent, in the order of the form.
    pub(super) rows: Vec<FieldKey>,
}

/// What the municipality has read.
pub(super) struct Read {
    pub(super) case: CaseId,
    pub(super) placement: Proven<Reading>,
    pub(super) benefit: Proven<Reading>,
}

/// Tells it from the first answer of the gateway to the last check. Gives the gateway's name.
pub(super) async fn tell(sandbox: &Sandbox, server: &mut Server, page: &mut Page) -> Result<String, CliError> {
    let mut cast = Cast::load(sandbox)?;
    server.ready(&cast.centre).await?;
    cast.meet().await?;
    let material = Material::gather(&cast).await?;
    let mut story = Story { sandbox, page, cast, material, explained: false };

    let first = story.gateway(server).await?;
    let consent = story.consent().await?;
    let over = story.too_much(&consent).await?;
    let referred = story.referral(consent, &over).await?;
    let read = story.reads(&referred).await?;
    story.strangers(&read).await?;
    story.refusals(&referred, &read).await?;
    story.receipts(&referred, &read).await?;
    let end = story.withdrawal(&read).await?;
    story.audit(&read, end).await?;
    story.consistency(&first).await?;
    story.offline().await?;

    story.page.summary(text::SUMMARY);
    Ok(story.cast.centre.identity().gateway().to_string())
}

impl Story<'_> {
    async fn gateway(&mut self, server: &Server) -> Result<SignedCheckpoint, CliError> {
        let shown = self.cast.centre.well_known().await?;
        let first = self.cast.auditor.checkpoint().await?;
        self.page.step("gateway", text::GATEWAY);
        self.page.say(text::GATEWAY_IS, &[&self.sandbox.dir().display(), &server.pid(), &shown.gateway]);
        let lang = self.page.lang();
        let columns = [text::COL_PARTY, text::COL_ID].map(|line| line.say(lang, &[]));
        let mut table = Table::new(&columns.iter().map(String::as_str).zip([42, 32]).collect::<Vec<_>>());
        for party in self.cast.directory.iter().filter(|party| party.party.kind() != PartyKind::Operator) {
            table.row([self.cast.name(&party.party, lang), party.party.to_string()]);
        }
        self.page.table(&table);
        self.page.check(text::KEYS_PINNED, &[]);
        self.page.check(text::SCHEMA_SAME, &[&self.material.version()]);
        self.page.check(text::HEAD_SIGNED, &[&shown.origin(), &first.head.size()]);
        self.page.fact("gateway", shown.gateway.as_str());
        self.page.fact("pid", server.pid());
        self.page.fact("folder", self.sandbox.dir().display().to_string());
        self.page.fact("parties", self.cast.directory.iter().map(|party| party.party.to_string()).collect::<Vec<_>>());
        self.page.fact("checkpoint", first.note.clone());
        Ok(first)
    }

    /// Says what was checked about an accepted object: the first time in full.
    pub(super) fn accepted(&mut self, answer: &Proven<Accepted>) {
        let place = answer.place();
        if std::mem::replace(&mut self.explained, true) {
            self.page.check(text::ANSWER_PROVEN, &[&place.index()]);
        } else {
            self.page.check(text::RECEIPT_FITS, &[]);
            self.page.check(text::ENTRY_PROVEN, &[&place.index(), &place.checkpoint().size()]);
        }
        self.page.fact("receipt", answer.receipt.token());
        self.page.fact("ledger", json!({"index": place.index(), "leaf": place.leaf().to_string(), "size": place.checkpoint().size()}));
    }
}

/// What had to be refused, with the code that had to be its reason.
pub(super) fn refused<T>(code: RefusalCode, result: Result<T, ClientError>) -> Result<Problem, CliError> {
    let other = |got: &str| {
        CliError::unverified(
            format!("the gateway had to refuse with {code}, and answered {got}"),
            format!("ゲートウェイは {code} で断るはずでしたが、答えは {got} でした"),
        )
    };
    match result {
        Ok(_) => Err(other("ok")),
        Err(ClientError::Refused(problem)) if problem.refusal() == Some(code) => Ok(*problem),
        Err(ClientError::Refused(problem)) => Err(other(&problem.code)),
        Err(error) => Err(error.into()),
    }
}

/// Something that the story claims, and that must be so.
pub(super) fn must(holds: bool, en: &str, ja: &str) -> Result<(), CliError> {
    if holds { Ok(()) } else { Err(CliError::unverified(en, ja)) }
}
