//! Codes as a person reads them: in Japanese the name with the code behind it, in English the code with its name. Machines get the codes alone.

use super::{CliError, policy};
use crate::{
    domain::{
        case::{CaseState, Relation},
        codes::MessageKind,
        entry::Operation,
    },
    policy::{CodeList, PolicySet},
    text::{Lang, case},
};

/// The names that this program knows, in one language.
pub(super) struct Names {
    policies: PolicySet,
    lang: Lang,
}

impl Names {
    /// Reads the catalogue.
    pub(super) fn new(lang: Lang) -> Result<Self, CliError> {
        Ok(Self { policies: PolicySet::builtin().map_err(|error| policy::unusable(&error))?, lang })
    }

    /// The language.
    pub(super) const fn lang(&self) -> Lang {
        self.lang
    }

    /// A kind of message.
    pub(super) fn kind(&self, kind: MessageKind) -> String {
        self.named(kind.as_str(), self.policies.label(CodeList::MessageKind, kind.as_str(), self.lang))
    }

    /// How a party stands to a case.
    pub(super) fn relation(&self, relation: Relation) -> String {
        self.named(relation.as_str(), self.policies.label(CodeList::Relation, relation.as_str(), self.lang))
    }

    /// How a case stands.
    pub(super) fn state(&self, state: CaseState) -> String {
        self.named(state.as_str(), case::state(state, self.lang))
    }

    fn named(&self, code: &str, name: &str) -> String {
        match self.lang {
            Lang::Ja => format!("{name}（{code}）"),
            Lang::En => format!("{code} ({name})"),
        }
    }
}

/// What was signed, by what it asks for.
pub(super) const fn signed_object(operation: Operation, lang: Lang) -> &'static str {
    match operation {
        Operation::ReferralSubmit | Operation::MessageSubmit => lang.of("message", "メッセージ"),
        Operation::ConsentRegister => lang.of("consent", "同意"),
        Operation::ConsentEnd => lang.of("end of a consent", "同意の終わり"),
        Operation::AgreementPropose => lang.of("proposal of an agreement", "協定の提案"),
        Operation::AgreementSign => lang.of("signature on an agreement", "協定への署名"),
        Operation::PartyRegister => lang.of("statement about a party", "機関についての届出"),
        Operation::KeyRegister => lang.of("statement about a key", "鍵についての届出"),
        _ => lang.of("signed object", "署名した文書"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_name_beside_it_in_both_languages() {
        let [en, ja] = [Lang::En, Lang::Ja].map(|lang| Names::new(lang).unwrap());
        let both = |code: &str, en: String, ja: String| {
            assert!(en.starts_with(&format!("{code} (")) && en.is_ascii() && !en.contains("()"), "{en}");
            assert!(ja.ends_with(&format!("（{code}）")) && !ja.starts_with(code) && !ja.starts_with('（'), "{ja}");
        };
        for kind in MessageKind::ALL.iter().copied() {
            both(kind.as_str(), en.kind(kind), ja.kind(kind));
        }
        for relation in Relation::ALL.iter().copied() {
            both(relation.as_str(), en.relation(relation), ja.relation(relation));
        }
        for state in CaseState::ALL.iter().copied() {
            both(state.as_str(), en.state(state), ja.state(state));
        }
    }
}
