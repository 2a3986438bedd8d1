//! Why each row would be shown or withheld: the rulings of the decision itself, told in the sentences of the policies.
//!
//! Nothing is decided here. What closes a message as a whole (no agreement in force, an ended consent) shows as the guard that withholds every row.

use serde::Serialize;

use super::exchange::{Message, Question};
use crate::{
    domain::{
        agreement::AgreementState,
        case::Relation,
        codes::{BasisGroup, LegalBasis, MessageKind, Purpose},
        consent::ConsentState,
        digest::Digest,
        field::{FieldClass, FieldKey},
        party::PartyKind,
    },
    policy::{Key, PolicySet, RuleId, Ruling},
    text::Lang,
};

/// One rule in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Id of the policy or guard; `necessity` where no policy permits.
    pub rule: String,
    /// What it says, in Japanese.
    pub ja: String,
    /// The same in English.
    pub en: String,
    /// The article or guideline it rests on.
    pub basis: String,
}

/// How one class fares, and by which rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassReasons {
    /// Class.
    pub class: FieldClass,
    /// Whether it is shown.
    pub shown: bool,
    /// What the agreement says about it.
    pub agreement: AgreementState,
    /// What the consent says about it.
    pub consent: ConsentState,
    /// Policies that permit it, also where a prohibition beats them.
    pub permitted_by: Vec<Reason>,
    /// What withholds it: prohibitions and guards, and `necessity` where no policy permits. Empty exactly when it is shown.
    pub withheld_by: Vec<Reason>,
}

impl ClassReasons {
    /// The answer of the policies to one key, in words.
    #[must_use]
    pub fn of(policy: &PolicySet, key: &Key) -> Self {
        Self::tell(policy, key, &policy.decide(key))
    }

    fn tell(policy: &PolicySet, key: &Key, ruling: &Ruling) -> Self {
        let none = ruling.permits.is_empty().then_some(RuleId::NECESSITY);
        let forbids = ruling.forbids.iter().map(RuleId::as_str);
        Self {
            class: key.class,
            shown: ruling.allow,
            agreement: key.agreement,
            consent: key.consent,
            permitted_by: ruling.permits.iter().map(|rule| reason(policy, rule.as_str())).collect(),
            withheld_by: forbids.chain(none).map(|rule| reason(policy, rule)).collect(),
        }
    }
}

/// How one row fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowReasons {
    /// Catalogue key.
    pub field: FieldKey,
    /// How its class fares.
    #[serde(flatten)]
    pub reasons: ClassReasons,
}

/// Who may see what of one message for one purpose, and why. Holds codes and sentences of the policies, no values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Digest of the policy set that was asked.
    pub policy: Digest,
    /// Kind of the sender.
    pub sender: PartyKind,
    /// Kind of the reader.
    pub reader: PartyKind,
    /// Message kind.
    pub kind: MessageKind,
    /// What the read would be for.
    pub purpose: Purpose,
    /// Legal basis the message names.
    pub basis: LegalBasis,
    /// What that basis means for the policies.
    pub basis_group: BasisGroup,
    /// How the reader stands to the case.
    pub relation: Relation,
    /// The rows, in the message's order.
    pub rows: Vec<RowReasons>,
}

/// Explains every row of a question for one purpose.
#[must_use]
pub fn explain(question: &Question<'_>, purpose: Purpose) -> Explanation {
    let exchange = &question.exchange;
    let key = |class| question.key(Message::Accepted, exchange.reader.kind(), purpose, class);
    let told: Vec<ClassReasons> = question.classes().into_iter().map(|class| ClassReasons::of(question.policy, &key(class))).collect();
    let row = |row: &super::Row| {
        let reasons = told.iter().find(|reasons| reasons.class == row.class)?.clone();
        Some(RowReasons { field: row.key.clone(), reasons })
    };
    Explanation {
        policy: question.policy.digest(),
        sender: exchange.sender.kind(),
        reader: exchange.reader.kind(),
        kind: exchange.kind,
        purpose,
        basis: exchange.basis,
        basis_group: question.policy.basis_group(exchange.basis),
        relation: exchange.relation,
        rows: question.rows.iter().filter_map(row).collect(),
    }
}

fn reason(policy: &PolicySet, rule: &str) -> Reason {
    let title = |lang| policy.title(rule, lang).unwrap_or(rule).to_owned();
    Reason { rule: rule.to_owned(), ja: title(Lang::Ja), en: title(Lang::En), basis: policy.basis(rule).unwrap_or_default().to_owned() }
}
