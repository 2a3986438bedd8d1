//! The door: TLS 1.3 with mandatory client certificates, and who stands before it (protocol section 1).
//!
//! Promises: nobody without a certificate of a configured authority, unexpired and not on a fresh revocation list, reaches a handler; the
//! only way to a caller's party is [`Peer::party`], which judges the certificate again each time; no phase of a connection waits for a
//! silent client without a deadline.
//! Not here: what a party may do, problem documents, rates of one party, body sizes. No other room names rustls, x509-parser or rcgen.

mod gate;
mod parting;
mod pulse;
mod trust;
mod x509;

pub mod authority;
pub mod client;
pub mod handshake;
pub mod judge;
pub mod listener;
pub mod outbound;
pub mod peer;
pub mod request;
pub mod state;

pub use self::{
    handshake::HandshakeFailure,
    judge::Fault,
    listener::{Deadlines, Drained, Observer, Options, serve},
    peer::Peer,
    state::{TlsError, TlsState},
};
