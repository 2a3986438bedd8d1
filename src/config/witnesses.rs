//! Witnesses and published checkpoints.

use std::{num::NonZeroU32, path::PathBuf};

use serde::Deserialize;

use super::at_least_one;

/// One who signs the heads of this ledger too (C2SP tlog-witness). Nobody has to trust a witness for what is served here; verifiers who ask for its
/// cosignature trust it not to sign two histories.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Its verifier key, `NAME+ID+KEY` with an Ed25519 cosignature key. Have it from the witness's operator.
    pub vkey: String,
    /// Where it takes checkpoints: `https://host[:port][/path]`; `http://` on a loopback address only.
    pub url: String,
    /// Authorities of its certificate, PEM; needed with `https`. Debian keeps the public ones in `/etc/ssl/certs/ca-certificates.crt`.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// Published checkpoints.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoints {
    /// How many witnesses must have cosigned a head. More than half of them unless given.
    pub quorum: Option<NonZeroU32>,
    /// Seconds between two published heads, while the ledger grows.
    pub interval_seconds: NonZeroU32,
    /// Minutes that entries may stay without a cosigned head before the gateway calls that overdue.
    pub patience_minutes: NonZeroU32,
    /// What happens then: `serve` goes on and shows it, `stop` answers 503 until the head is cosigned.
    pub away: WitnessesAway,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { quorum: None, interval_seconds: at_least_one(60), patience_minutes: at_least_one(60), away: WitnessesAway::Serve }
    }
}

/// What a gateway does while its witnesses are away. A witness that holds another head stops it in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WitnessesAway {
    /// Goes on.
    #[default]
    Serve,
    /// Answers 503.
    Stop,
}

/// What is wrong with a witness or the quorum, and where.
pub(super) fn fault(witnesses: &[Witness], checkpoints: Option<&Checkpoints>) -> Option<(&'static str, &'static str)> {
    for witness in witnesses {
        let encrypted = witness.url.starts_with("https://");
        if !encrypted && !witness.url.starts_with("http://") {
            return Some(("witness.url", "write https://host[:port][/path], or http:// with a loopback address"));
        }
        if encrypted != witness.ca.is_some() {
            return Some((
                "witness.ca",
                "name the authorities of the witness's certificate with https (Debian: /etc/ssl/certs/ca-certificates.crt), and none with http",
            ));
        }
    }
    let quorum = checkpoints.and_then(|checkpoints| checkpoints.quorum)?;
    let enough = usize::try_from(quorum.get()).is_ok_and(|quorum| quorum <= witnesses.len());
    (!enough).then_some(("checkpoints.quorum", "ask for no more witnesses than there are [[witness]] tables"))
}
