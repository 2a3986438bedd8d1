//! The add-ons to the fees of services for people who left a correctional facility or are treated under the medical observation act: may one be
//! claimed, in which days, and what is missing (`domain.md` section 9).
//!
//! Promises: the rules are dated data, nothing here knows a number of units; a doubtful day is never counted in favour; every answer says why,
//! and names each figure that no source has confirmed.
//! Not here: daily claims, the limits of a billing month, and whether the facts are true.

mod assess;
mod certify;
mod codes;
mod facts;
mod reason;
mod rule;
#[cfg(test)]
mod tests;
mod window;

pub use self::{
    assess::{Assessment, Blocked, Claim, Count, Rate, Verdict, assess},
    certify::{Certified, Misfit, Passed},
    codes::{AddOn, Capability, Coordinator, Eligibility, Evidence, Ground, Part, RevocationReason, Rival, Service, Statement, UnitOf},
    facts::{Coordination, Event, Facts, OtherClaim},
    reason::{Need, Reason},
    rule::{Rule, RuleFault, RuleSet},
    window::{Days, Window},
};
