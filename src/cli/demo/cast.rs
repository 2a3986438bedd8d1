//! Who plays: a client for each party of the sandbox, and what the directory says about them.

use super::sandbox::Sandbox;
use crate::{
    cli::CliError,
    client::{Client, Party},
    domain::party::{PartyId, PartyKind},
    text::Lang,
};

/// The parties, each with its own certificate and keys.
pub(super) struct Cast {
    pub(super) centre: Client,
    pub(super) municipality: Client,
    pub(super) auditor: Client,
    /// Registered, and strangers to the case.
    pub(super) strangers: Vec<Client>,
    pub(super) directory: Vec<Party>,
}

impl Cast {
    /// Loads every identity. Nobody connects yet.
    pub(super) fn load(sandbox: &Sandbox) -> Result<Self, CliError> {
        let strangers = [PartyKind::GroupHome, PartyKind::ConsultationOffice, PartyKind::ProbationOffice, PartyKind::CoreCenter];
        Ok(Self {
            centre: sandbox.client(PartyKind::SettlementCenter, "staff-0021")?,
            municipality: sandbox.client(PartyKind::Municipality, "staff-0107")?,
            auditor: sandbox.client(PartyKind::Auditor, "staff-0003")?,
            strangers: strangers.into_iter().map(|kind| sandbox.client(kind, "staff-0001")).collect::<Result<_, _>>()?,
            directory: Vec::new(),
        })
    }

    /// Reads the directory of the gateway.
    pub(super) async fn meet(&mut self) -> Result<(), CliError> {
        self.directory = self.centre.parties().await?;
        Ok(())
    }

    /// What the directory says about a party.
    pub(super) fn about(&self, party: &PartyId) -> Option<&Party> {
        self.directory.iter().find(|known| known.party == *party)
    }

    /// The name of a party in a language; its id, if the directory does not know it.
    pub(super) fn name(&self, party: &PartyId, lang: Lang) -> String {
        self.about(party).map_or_else(|| party.to_string(), |known| lang.of(&known.name.en, &known.name.ja).to_owned())
    }
}
