//! Problem documents (RFC 9457; protocol section 5) as the caller reads them.

use serde::{Deserialize, Serialize};

use super::error::Doubt;
use crate::{domain::refusal::RefusalCode, message::json};

/// A refusal, as the gateway said it in the language asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Code, the same word in the ledger.
    pub code: String,
    /// What is wrong.
    pub title: String,
    /// What to do next.
    pub detail: String,
    /// Request id.
    pub instance: String,
    /// What exactly was wrong: catalogue keys and rules, never values.
    #[serde(default)]
    pub violations: Vec<ProblemRow>,
    #[serde(rename = "type")]
    kind: String,
}

/// One thing that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemRow {
    /// Catalogue key, or claim.
    pub field: String,
    /// The rule it breaks.
    pub rule: String,
    /// Class of the field, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
}

impl Problem {
    /// Reads a problem document that came with a status.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, Doubt> {
        let form = |_| Doubt::Form("problem document");
        let value = json::parse(body).map_err(form)?;
        let problem: Self = serde_json::from_value(value).map_err(|_| Doubt::Form("problem document"))?;
        let agrees = problem.status == status && problem.kind.strip_prefix("urn:tsunagi:problem:") == Some(problem.code.as_str());
        let texts = [&problem.code, &problem.title, &problem.detail, &problem.instance];
        let rows = problem.violations.iter().flat_map(|row| [&row.field, &row.rule].into_iter().chain(&row.class));
        // The texts go to a terminal: nothing in them may steer it.
        let plain = texts.into_iter().chain(rows).all(|text| !text.chars().any(char::is_control));
        if agrees && plain { Ok(problem) } else { Err(Doubt::Form("problem document")) }
    }

    /// Whether two problem documents differ in nothing but the request id.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        Self { instance: other.instance.clone(), ..self.clone() } == *other
    }

    /// The code, if this program knows it.
    #[must_use]
    pub fn refusal(&self) -> Option<RefusalCode> {
        self.code.parse().ok()
    }

    /// Whether the refusal is about what was signed, and not about who called, how, or when: the same object would be refused again. Of a code
    /// that this program does not know, nobody can say so.
    #[must_use]
    pub fn judges_the_object(&self) -> bool {
        use RefusalCode as R;
        match self.refusal() {
            None
            | Some(
                // The request around it, and the envelope, which is sealed afresh each time.
                R::BadRequest
                | R::BadEnvelope
                | R::DecryptFailed
                | R::MethodNotAllowed
                | R::NotAcceptable
                | R::LengthRequired
                | R::BadMediaType
                | R::HeadersTooLarge
                // Who calls.
                | R::ActorMissing
                | R::ActorInvalid
                | R::ActorBinding
                | R::ActorReplayed
                | R::UnknownParty
                | R::BadIdentity
                | R::PartySuspended
                // Not now.
                | R::RateLimited
                | R::LedgerUnavailable
                | R::PolicyMismatch
                | R::CrlStale
                | R::Overloaded,
            ) => false,
            Some(
                // What the path names is not there for this party: the same path will not be either.
                R::NotFound
                | R::BadToken
                | R::BadDisclosure
                | R::LimitExceeded
                | R::TooLarge
                | R::IssuerMismatch
                | R::KeyNotAllowed
                | R::KeyRevoked
                | R::BindingMismatch
                | R::NoAgreement
                | R::AgreementNotInForce
                | R::NoConsent
                | R::ConsentEnded
                | R::ConsentScope
                | R::PurposeNotAllowed
                | R::RecipientNotAllowed
                | R::OperationNotAllowed
                | R::ReplayConflict
                | R::StateConflict
                | R::MessageTooOld
                | R::Erased
                | R::SchemaUnknown
                | R::SchemaMismatch
                | R::SchemaInvalid
                | R::OverDisclosure
                | R::PaddingRequired
                | R::ProhibitedMyNumber
                | R::BadIdentifier,
            ) => true,
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.title)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "type": "urn:tsunagi:problem:over_disclosure", "title": "More is sent than the reader may see", "status": 422,
            "detail": "Leave the rows out.", "instance": "urn:uuid:0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4", "code": "over_disclosure",
            "violations": [{"field": "offence_name", "rule": "C-06", "class": "criminal_detail"}, {"field": "pur", "rule": "unit"}]
        })
    }

    fn read(document: &Value) -> Result<Problem, Doubt> {
        Problem::read(422, document.to_string().as_bytes())
    }

    #[test]
    fn a_problem_is_read_with_its_violations() {
        let problem = read(&document()).unwrap();
        assert_eq!(problem.refusal(), Some(RefusalCode::OverDisclosure));
        assert_eq!(problem.to_string(), "422 over_disclosure: More is sent than the reader may see");
        assert_eq!(problem.violations.len(), 2);
        assert_eq!(problem.violations[0].class.as_deref(), Some("criminal_detail"));
        assert_eq!(problem.violations[1].class, None);
    }

    #[test]
    fn members_of_later_versions_are_passed_over_and_unknown_codes_kept() {
        let mut later = document();
        later["new"] = json!(1);
        later["code"] = json!("new_code");
        later["type"] = json!("urn:tsunagi:problem:new_code");
        let problem = read(&later).unwrap();
        assert_eq!((problem.code.as_str(), problem.refusal()), ("new_code", None));
    }

    #[test]
    fn a_document_that_contradicts_itself_or_steers_the_terminal_is_refused() {
        let with = |name: &str, value: Value| {
            let mut document = document();
            document[name] = value;
            document
        };
        for bad in [
            with("status", json!(403)),
            with("code", json!("not_found")),
            with("title", json!("a\u{1b}[2J")),
            with("detail", json!("two\nlines")),
            with("violations", json!([{"field": "a\tb", "rule": "x"}])),
            with("violations", json!({})),
            json!([]),
        ] {
            assert!(matches!(read(&bad), Err(Doubt::Form(_))), "{bad}");
        }
        assert!(Problem::read(422, b"<html>").is_err());
        assert!(Problem::read(500, document().to_string().as_bytes()).is_err());
    }
}
