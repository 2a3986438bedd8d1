//! What is wrong with a message. The first fault ends a submission; an explanation gathers them all, on the same road.

use super::failure::Failure;
use crate::domain::refusal::Refusal;

/// Faults in the order of protocol section 3.
#[derive(Debug)]
pub(super) struct Findings {
    gathers: bool,
    refusals: Vec<Refusal>,
}

impl Findings {
    /// The first fault ends the road.
    pub(super) const fn first() -> Self {
        Self { gathers: false, refusals: Vec::new() }
    }

    /// The road goes on behind a fault, as far as what follows does not rest on it.
    pub(super) const fn all() -> Self {
        Self { gathers: true, refusals: Vec::new() }
    }

    /// The outcome of one check; none where it found a fault and the road goes on. What is no refusal always ends the road.
    pub(super) fn check<T, E: Into<Failure>>(&mut self, outcome: Result<T, E>) -> Result<Option<T>, Failure> {
        match outcome.map_err(Into::into) {
            Ok(passed) => Ok(Some(passed)),
            Err(Failure::Refused(refusal)) if self.gathers => {
                if !self.refusals.contains(&refusal) {
                    self.refusals.push(refusal);
                }
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The faults that were gathered.
    pub(super) fn into_refusals(self) -> Vec<Refusal> {
        self.refusals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::RefusalCode;

    #[test]
    fn the_first_fault_ends_a_submission_and_an_explanation_goes_on() {
        let wrong = |code: RefusalCode| Err::<(), Refusal>(code.into());
        let mut first = Findings::first();
        assert_eq!(first.check(Ok::<_, Refusal>(1)).unwrap(), Some(1));
        assert!(matches!(first.check(wrong(RefusalCode::NoAgreement)), Err(Failure::Refused(_))));
        let mut all = Findings::all();
        for code in [RefusalCode::NoAgreement, RefusalCode::NoConsent, RefusalCode::NoAgreement] {
            assert!(all.check(wrong(code)).unwrap().is_none());
        }
        assert!(all.check(Err::<(), _>(Failure::TooLate)).is_err(), "a failure of ours is no fault of the message");
        let found: Vec<_> = all.into_refusals().into_iter().map(|refusal| refusal.code).collect();
        assert_eq!(found, [RefusalCode::NoAgreement, RefusalCode::NoConsent]);
    }
}
