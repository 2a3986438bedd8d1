//! The other side of the protocol: what a party's own program does with a gateway. The command line and the demo use it.
//!
//! Promises: nothing is handed out that was not checked with pinned keys. What changed something or disclosed something comes as
//! [`Proven`]: its ledger entry is in the tree that a pinned key signed, and says what was asked for. A release is the sender's own
//! signature over every row shown, bound by a pinned key to this reader and this challenge. A refusal is a [`Problem`], not an error text.
//! Every request carries an actor token of its own, bound to method, path, body and certificate.
//! What is signed can wait in an [`Outbox`] until its verified receipt is stored.
//! Not here: storage of what was read, retries by itself. Who a sender is, the gateway's directory says; the ledger shows every change of it.

mod agreements;
mod answer;
mod audit;
mod cases;
mod certificates;
mod connection;
mod consents;
mod directory;
mod disclosures;
mod entry;
mod error;
mod identity;
mod later;
mod ledger;
mod outbox;
mod pinned;
mod problem;
mod proven;
mod receipt;
mod referral;
mod registration;
mod statistics;
mod tree;

pub use self::{
    agreements::{AgreementVersion, Said},
    answer::{Accepted, AgreementSubject, Subject},
    audit::{AuditFilter, AuditPage, Event, Opened, RawEvent, RawPage, Withheld},
    cases::{CaseHead, CasePage, Keep, Reading},
    certificates::{CertificateDraft, CertificatePage, HeldCertificate},
    connection::{Body, Client},
    consents::{ConsentDraft, ConsentPart, ConsentSeen, ConsentShown, SignedConsent},
    directory::{AgreementHead, DirectoryKey, Party, PublishedSchema},
    disclosures::Listed,
    entry::{Entry, EntryActor},
    error::{ClientError, Doubt},
    identity::{Identity, IdentityError},
    later::{Later, MessageHead, MessagePage},
    ledger::SignedCheckpoint,
    outbox::{Fate, Item, Listing, Outbox, OutboxError, Parcel, Refused},
    pinned::{Pinned, SchemaName, WellKnown},
    problem::{Problem, ProblemRow},
    proven::{Place, Proven},
    receipt::SignedReceipt,
    referral::{Content, Outgoing},
    registration::NewKey,
    tree::TreeView,
};
