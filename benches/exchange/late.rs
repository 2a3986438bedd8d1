//! A case that grows: what one more message of it costs, and one more reading, behind so many others.

use std::sync::Arc;

use http::StatusCode;
use tsunagi::{client::SignedConsent, domain::ids::CaseId, tls::client::HttpsClient};

use crate::{
    load::{self, Line},
    measure::Cpu,
    party::{Party, Terms},
};

/// Two parties with a connection each, and what they exchange.
pub(crate) struct Pair<'a> {
    pub(crate) sender: (&'a Party, &'a Arc<HttpsClient>),
    pub(crate) reader: (&'a Party, &'a Arc<HttpsClient>),
    pub(crate) terms: &'a Terms,
    pub(crate) consent: &'a SignedConsent,
}

/// Sends supplements of 60 rows into a case that both know, one after the other, until it holds `most` messages, and measures [`MEASURED`] of them behind each of
/// [`BEHIND`]; and as many readings of the case.
pub(crate) async fn measure(pair: &Pair<'_>, (own, theirs): (CaseId, CaseId), most: usize, server: &Cpu) -> Vec<Line> {
    let (mut lines, mut held) = (Vec::new(), 1);
    for (behind, sending, reading) in BEHIND.iter().copied().filter(|(behind, ..)| *behind <= most) {
        while held < behind {
            // Few at a time: what is signed is good for some minutes only.
            let next = (behind - held).min(SIGNED);
            send(pair, own, next, server).await;
            held += next;
        }
        let sent = send(pair, own, MEASURED, server).await;
        held += MEASURED;
        let requests = (0..MEASURED).map(|_| pair.reader.0.reading(theirs)).collect();
        let read = load::send(std::slice::from_ref(pair.reader.1), requests, StatusCode::OK, server).await;
        lines.push(Line { what: sending, clients: 1, runs: vec![sent] });
        lines.push(Line { what: reading, clients: 1, runs: vec![read] });
    }
    lines
}

async fn send(pair: &Pair<'_>, case: CaseId, count: usize, server: &Cpu) -> load::Run {
    let supplement = || pair.sender.0.supplement(&pair.terms.supplement(pair.reader.0, pair.consent), case);
    let requests = (0..count).map(|_| supplement()).collect();
    load::send(std::slice::from_ref(pair.sender.1), requests, StatusCode::CREATED, server).await
}

/// Messages that are measured behind each number.
const MEASURED: usize = 64;
/// Messages that are signed before they are sent.
const SIGNED: usize = 128;
const BEHIND: [(usize, &str, &str); 4] = [
    (1, "message behind 1", "read of a case with 65"),
    (256, "message behind 256", "read of a case with 320"),
    (1024, "message behind 1,024", "read of a case with 1,088"),
    (4096, "message behind 4,096", "read of a case with 4,160"),
];
