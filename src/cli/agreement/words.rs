//! Codes in plain words: the Japanese names are those of the published code lists, the English ones of the policy catalogue or the code itself.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    cli::CliError,
    domain::agreement::{Part, Side},
    message::{json, schema::SchemaSet},
    policy::PolicySet,
    text::Lang,
};

/// What codes are called.
pub(super) struct Words {
    policies: PolicySet,
    ja: HashMap<(String, String), String>,
    published: Vec<String>,
}

impl Words {
    /// The words of this program.
    pub(super) fn new() -> Result<Self, CliError> {
        let broken =
            |what: &str| CliError::unverified(format!("this program's {what} cannot be read"), format!("本プログラムの{what}を読めません"));
        let policies = PolicySet::builtin().map_err(|_| broken("policies"))?;
        let schemas = SchemaSet::builtin().map_err(|_| broken("schemas"))?;
        let newest = schemas.published().filter(|schema| schema.kind == "codes").last();
        let bytes = newest.and_then(|schema| schemas.bytes(schema.kind, schema.ver)).ok_or_else(|| broken("code lists"))?;
        let document = json::parse_within(bytes, &WIDE).map_err(|_| broken("code lists"))?;
        let mut ja = HashMap::new();
        for list in LISTS {
            let codes = document.pointer(&format!("/$defs/{list}/oneOf")).and_then(Value::as_array);
            for code in codes.into_iter().flatten() {
                let text = |name: &str| code.get(name).and_then(Value::as_str).map(str::to_owned);
                if let (Some(code), Some(title)) = (text("const"), text("title")) {
                    ja.insert(((*list).to_owned(), code), title);
                }
            }
        }
        let published = schemas.published().map(|schema| format!("{}/{}", schema.kind, schema.ver)).collect();
        Ok(Self { policies, ja, published })
    }

    /// The policies of this program.
    pub(super) const fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// Whether this program publishes a version of a form, written `kind/version`.
    pub(super) fn publishes(&self, version: &str) -> bool {
        self.published.iter().any(|published| published == version)
    }

    /// A code of a part of an agreement, with its name. What is no code is given as it is.
    pub(super) fn of(&self, part: Part, code: &str, lang: Lang) -> String {
        let list = match part {
            Part::Acceding => "partyKind",
            Part::Kind => "messageKind",
            Part::Purpose => "agreementPurpose",
            Part::Class => "fieldClass",
            Part::Basis => "legalBasis",
            _ => return plain(code),
        };
        let english = match part {
            Part::Class => code.parse().ok().and_then(|class| self.policies.class_text(class)).map(|text| text.en.clone()),
            Part::Basis => code.parse().ok().and_then(|basis| self.policies.basis_text(basis)).map(|text| text.en.clone()),
            _ => None,
        };
        match lang {
            Lang::Ja => self.ja.get(&(list.to_owned(), code.to_owned())).map_or_else(|| plain(code), |name| format!("{name}（{code}）")),
            Lang::En => english.map_or_else(|| plain(&code.replace('_', " ")), |name| format!("{name} ({code})")),
        }
    }

    /// One side of a flow.
    pub(super) fn side(&self, side: &Side, lang: Lang) -> String {
        match side {
            Side::Kind(kind) => self.of(Part::Acceding, kind.as_str(), lang),
            Side::Party(party) => party.to_string(),
        }
    }

    /// Several codes in one line.
    pub(super) fn all(&self, part: Part, codes: &[String], lang: Lang) -> String {
        let words: Vec<String> = codes.iter().map(|code| self.of(part, code, lang)).collect();
        words.join(lang.of(", ", "、"))
    }
}

/// Nothing that was received may steer the terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

const LISTS: &[&str] = &["partyKind", "messageKind", "agreementPurpose", "fieldClass", "legalBasis"];
/// The code lists are this program's own file.
const WIDE: json::Limits = json::Limits { depth: 24, members: 1024, elements: 4096, chars: 64 * 1024 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        codes::{LegalBasis, MessageKind, Purpose},
        field::FieldClass,
        party::PartyKind,
    };

    #[test]
    fn every_code_has_a_japanese_name() {
        let words = Words::new().unwrap();
        let mut codes: Vec<(Part, &str)> = MessageKind::ALL.iter().map(|c| (Part::Kind, c.as_str())).collect();
        codes.extend(PartyKind::ALL.iter().map(|c| (Part::Acceding, c.as_str())));
        codes.extend(Purpose::ALL.iter().map(|c| (Part::Purpose, c.as_str())));
        codes.extend(FieldClass::ALL.iter().map(|c| (Part::Class, c.as_str())));
        codes.extend(LegalBasis::ALL.iter().map(|c| (Part::Basis, c.as_str())));
        for (part, code) in codes {
            let name = words.of(part, code, Lang::Ja);
            assert!(name.ends_with(&format!("（{code}）")) && name.chars().count() > code.len() + 2, "{name}");
        }
        assert_eq!(words.of(Part::Class, "identity", Lang::En), "Identity (identity)");
        assert_eq!(words.of(Part::Kind, "referral_ack", Lang::En), "referral ack");
        assert_eq!(words.of(Part::Term, "a\u{1b}b", Lang::Ja), "a\u{fffd}b");
    }
}
