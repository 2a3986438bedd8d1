//! Delegations: between whom, with which qualification, until when.

use super::{Check, Finding, found};
use crate::{
    domain::agreement::{Delegation, DelegationFault},
    text::agreement::Lint,
};

impl Check<'_> {
    pub(super) fn delegations(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (n, delegation) in self.agreement.delegations.iter().enumerate() {
            let at = |name: &str| format!("delegations[{n}].{name}");
            match delegation.fault() {
                None => {}
                Some(DelegationFault::From) => findings.push(found(Lint::DelegationFrom, at("from"), [delegation.from.to_string()])),
                Some(DelegationFault::To) => findings.push(found(Lint::DelegationTo, at("to"), [delegation.to.to_string()])),
                Some(DelegationFault::Qualification) => findings.push(found(Lint::DelegationQualification, at("qualification"), [])),
            }
            let Delegation { from, to, until, .. } = delegation;
            for (name, party) in [("from", from), ("to", to)] {
                let bound = self.agreement.parties.contains(party) || self.agreement.acceding.contains(&party.kind());
                if !bound {
                    findings.push(found(Lint::DelegationOutside, at(name), [party.to_string()]));
                }
            }
            if *until > self.agreement.until || *until <= self.agreement.from {
                findings.push(found(Lint::DelegationPeriod, at("until"), []));
            }
        }
        findings
    }
}
