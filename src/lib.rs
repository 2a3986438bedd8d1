//! Tsunagi (つなぎ): a secure data exchange gateway between public and welfare bodies.
//!
//! One body refers a person to another. The sender signs once over everything; the gateway checks agreement, consent and purpose, hands each
//! reader the rows it may have now, and records every step in a ledger that strangers can verify.
//!
//! # What holds
//!
//! - Nothing leaves and nothing changes before its ledger entry is durable; refusals are entries too.
//! - What ends a right has a place in the ledger, and no release stands behind it: the order of the entries is the order of the rights.
//! - A row is shown when the necessity policy, the agreement and the consent all permit its class, decided at submission and at each read.
//! - The reader verifies the sender's own signature; the gateway can withhold rows, never alter them.
//!
//! # Who is trusted
//!
//! The gateway sees messages in memory and holds the keys that open what is stored: its operator is trusted to keep both to itself, but not
//! with altering a message or rewriting the ledger, which others detect. The authorities in `tls.client_ca` are trusted with who calls, the
//! collector of a consent with its truth, and nobody with a header. [`config`] says for every setting who is trusted with it.
//!
//! # The rooms
//!
//! A request goes down this list and its answer comes back up. `tests/it/layering.rs` refuses an arrow between rooms that is not drawn there.
//!
//! | room | what | named only there |
//! |---|---|---|
//! | [`cli`], [`startup`] | arguments; from a configuration to a running gateway. They know every room, and none knows them | clap |
//! | [`tls`] | who is at the other end: handshake, certificates, revocation, deadlines | rustls, x509-parser, rcgen |
//! | [`http`] | routes, limits, problem documents | axum |
//! | [`gateway`] | the use cases: verify, decide, record, and only then answer | |
//! | [`decision`] | may it be sent, what may be seen now: pure | |
//! | [`policy`] | the necessity policies and prohibitions, for a closed key | cedar-policy |
//! | [`form`] | the paper form of a consent and what a filled one says, the printed certificate: pure | |
//! | [`message`] | signed and encrypted bytes to verified values and back | josekit, jsonwebtoken, jsonschema |
//! | [`ledger`] | entries, their commitments, the one sequencer that appends them, exports and their verification | |
//! | [`tlog`] | RFC 6962 trees, C2SP tiles, checkpoints, notes, cosignatures and proofs: pure | |
//! | [`witness`] | publishes signed heads, collects cosignatures, finds out a ledger that others know otherwise | |
//! | [`vault`] | keys for what is kept | |
//! | [`store`] | durable rows | sqlx |
//! | [`domain`] | parties, agreements, consents, cases, closed lists: pure, and knows no other room | |
//! | [`text`] | everything a person reads, in Japanese and English | |
//! | [`clock`], [`config`], [`telemetry`] | time and randomness; one TOML file; logs and metrics | prometheus-client |
//! | [`client`] | the other end of the wire: what a party's program does; no server code | |
//!
//! The types keep the order: a `Verified` comes only from [`message`], a `Permitted` or a `View` only from [`decision`], a `Committed` only
//! from [`ledger`], and a release is signed only with one.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable
    )
)]

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod decision;
pub mod domain;
pub mod form;
pub mod gateway;
pub mod http;
pub mod ledger;
pub mod message;
pub mod policy;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod tlog;
pub mod tls;
pub mod vault;
pub mod witness;
