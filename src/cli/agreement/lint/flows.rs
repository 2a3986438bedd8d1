//! Flows against the policies: what they would never open, whatever the person consents to and however the recipient stands to the case.

use super::{Check, Finding, found};
use crate::{
    domain::{
        agreement::{AgreementState, Flow, Side},
        case::Relation,
        codes::{BasisGroup, Purpose},
        consent::ConsentState,
        field::FieldClass,
        party::PartyKind,
    },
    policy::Key,
    text::agreement::Lint,
};

impl Check<'_> {
    pub(super) fn flows(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (n, flow) in self.agreement.flows.iter().enumerate() {
            let at = |name: &str| format!("flows[{n}].{name}");
            if self.agreement.flows.iter().take(n).any(|earlier| earlier == flow) {
                findings.push(found(Lint::FlowRepeated, format!("flows[{n}]"), []));
            }
            let (sender, reader) = (kind(&flow.from), kind(&flow.to));
            if reader.is_provider() && sender.reveals_criminal_history() {
                findings.push(found(Lint::SenderReveals, at("to"), [flow.to.to_string()]));
                continue;
            }
            let (never, open): (Vec<FieldClass>, Vec<FieldClass>) = flow.classes.iter().partition(|class| class.consent_may_not_name());
            if !never.is_empty() {
                findings.push(found(Lint::ClassProhibited, at("classes"), never.iter().map(ToString::to_string)));
            }
            let permits = |class, purposes: &[Purpose]| self.ever(flow, (sender, reader), class, purposes);
            let closed: Vec<FieldClass> = open.iter().copied().filter(|class| !permits(*class, &flow.purposes)).collect();
            if !closed.is_empty() {
                findings.push(found(Lint::ClassNever, at("classes"), closed.iter().map(ToString::to_string)));
            }
            let idle = |purpose: &&Purpose| !open.iter().any(|class| permits(*class, std::slice::from_ref(*purpose)));
            let idle: Vec<String> = flow.purposes.iter().filter(idle).map(ToString::to_string).collect();
            if !idle.is_empty() {
                findings.push(found(Lint::PurposeIdle, at("purposes"), idle));
            }
            if let (Side::Party(party), Some(known)) = (&flow.to, self.known)
                && let Some(listed) = known.parties.get(party)
            {
                let unregistered = flow.purposes.iter().filter(|p| **p != Purpose::Administration && !listed.purposes.contains(p));
                let unregistered: Vec<String> = unregistered.map(ToString::to_string).collect();
                if !unregistered.is_empty() {
                    findings.push(found(Lint::PurposeUnregistered, at("purposes"), unregistered));
                }
            }
        }
        findings.extend(self.forms());
        findings
    }

    /// Versions of forms that nobody published, and kinds of which no form is accepted.
    fn forms(&self) -> Vec<Finding> {
        let accepted = &self.agreement.schema_versions;
        let unknown = accepted.iter().enumerate().filter(|(_, version)| !self.words.publishes(&version.to_string()));
        let mut findings: Vec<Finding> =
            unknown.map(|(n, version)| found(Lint::SchemaUnknown, format!("schema_versions[{n}]"), [version.to_string()])).collect();
        for (n, flow) in self.agreement.flows.iter().enumerate() {
            let missing = flow.kinds.iter().filter(|kind| !accepted.iter().any(|version| version.kind() == **kind));
            let missing: Vec<String> = missing.map(ToString::to_string).collect();
            if !missing.is_empty() {
                findings.push(found(Lint::KindWithoutSchema, format!("flows[{n}].kinds"), missing));
            }
        }
        findings
    }

    /// Whether any policy would ever permit the class to this recipient under the flow.
    fn ever(&self, flow: &Flow, (sender, reader): (PartyKind, PartyKind), class: FieldClass, purposes: &[Purpose]) -> bool {
        let policies = self.words.policies();
        let mut groups: Vec<BasisGroup> = flow.bases.iter().map(|basis| policies.basis_group(*basis)).collect();
        groups.sort_unstable();
        groups.dedup();
        let relations = Relation::ALL.iter().filter(|relation| **relation != Relation::None);
        relations.into_iter().any(|relation| {
            purposes.iter().any(|purpose| {
                flow.kinds.iter().any(|kind| {
                    groups.iter().any(|basis| {
                        [ConsentState::CoversTicked, ConsentState::Covers].into_iter().any(|consent| {
                            policies
                                .decide(&Key {
                                    reader,
                                    sender,
                                    class,
                                    purpose: *purpose,
                                    kind: *kind,
                                    relation: *relation,
                                    basis: *basis,
                                    agreement: AgreementState::Covers,
                                    consent,
                                    named: true,
                                })
                                .allow
                        })
                    })
                })
            })
        })
    }
}

const fn kind(side: &Side) -> PartyKind {
    match side {
        Side::Kind(kind) => *kind,
        Side::Party(party) => party.kind(),
    }
}
