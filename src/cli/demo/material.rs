//! What is sent: the example referral, the consent of its person, the published form and the policies that give rows, classes and rules their names.

use aws_lc_rs::rand;
use serde_json::{Map, Value};

use super::cast::Cast;
use crate::{
    cli::CliError,
    client::{ConsentDraft, Content, SignedConsent},
    domain::{
        agreement::{AgreementStanding, Side},
        codes::{LegalBasis, MessageKind, Purpose},
        consent::{ConsentMethod, Item, Recipient},
        day::Day,
        digest::Digest,
        field::{FieldClass, FieldKey},
        time::Timestamp,
    },
    message::{
        base64url,
        objects::{Explanation, PaperForm, Understood, Ways},
        schema::{MessageSchema, Row, Rule, SchemaSet},
        submission::{AgreementRef, SchemaRef},
    },
    policy::PolicySet,
    text::{Lang, demo as text},
};

/// Everything the parties of the story have at hand.
pub(super) struct Material {
    schemas: SchemaSet,
    policy: PolicySet,
    schema: SchemaRef,
    agreement: AgreementRef,
    basis: LegalBasis,
    /// Rows of the example, in the order of the form.
    pub(super) rows: Vec<(FieldKey, Value)>,
}

impl Material {
    /// Asks the gateway for its form, its policies and the agreement, and compares the first two with what this program was built with.
    pub(super) async fn gather(cast: &Cast) -> Result<Self, CliError> {
        let schemas = SchemaSet::builtin().map_err(|e| built_wrong(&e))?;
        let policy = PolicySet::builtin().map_err(|e| built_wrong(&e))?;
        let published = cast.centre.schema(MessageKind::Referral.as_str()).await?;
        let shown = cast.centre.well_known().await?;
        if schemas.bytes(MessageKind::Referral.as_str(), &published.reference.ver) != Some(published.bytes.as_slice())
            || shown.policy != policy.digest()
        {
            return Err(CliError::unverified(
                "the gateway's form or policies are not the ones of this program",
                "ゲートウェイの様式または方針が、このプログラムのものと違います",
            ));
        }
        let (agreement, basis) = agreement(cast).await?;
        let mut example: Map<String, Value> = serde_json::from_str(EXAMPLE).map_err(|e| built_wrong(&e))?;
        let mut material = Self { schemas, policy, schema: published.reference, agreement, basis, rows: Vec::new() };
        let keys: Vec<FieldKey> = material.form()?.rows().iter().map(|row| row.key.clone()).collect();
        material.rows = keys.into_iter().filter_map(|key| example.remove(key.as_str()).map(|value| (key, value))).collect();
        material.bring_forward(cast.centre.now())?;
        Ok(material)
    }

    /// The example is of one day. What may not lie before the day of sending is moved to two weeks after it.
    fn bring_forward(&mut self, now: Timestamp) -> Result<(), CliError> {
        let coming: Vec<FieldKey> = self.form()?.rows().iter().filter(|row| is_to_come(row)).map(|row| row.key.clone()).collect();
        let day = Day::in_japan(now.plus_secs(14 * 86_400)).to_string();
        for (_, value) in self.rows.iter_mut().filter(|(key, _)| coming.contains(key)) {
            *value = Value::String(day.clone());
        }
        Ok(())
    }

    /// The version of the form.
    pub(super) fn version(&self) -> &str {
        &self.schema.ver
    }

    /// The consent as the person gave it, on paper, a moment ago.
    pub(super) fn consent(&self, cast: &Cast) -> Result<ConsentDraft, CliError> {
        let mut cls: Vec<FieldClass> = Vec::new();
        for (key, _) in &self.rows {
            let Some(class) = self.class(key) else { continue };
            let named = class.needs_no_consent_item() || class.consent_may_not_name() || ONE_BY_ONE.contains(&class);
            if !named && !cls.contains(&class) {
                cls.push(class);
            }
        }
        cls.push(FieldClass::ConsentDetail);
        let item = Item {
            rcp: vec![Recipient::Party(cast.municipality.party().clone())],
            pur: vec![Purpose::PlacementCoordination, Purpose::BenefitDecision],
            cls,
            tick: TICKED.to_vec(),
        };
        let (mut pseudonym, mut scan) = ([0; 24], [0; 32]);
        rand::fill(&mut pseudonym).and_then(|()| rand::fill(&mut scan)).map_err(|e| built_wrong(&e))?;
        let now = cast.centre.now();
        Ok(ConsentDraft {
            sub: base64url::encode(pseudonym).parse().map_err(|e| built_wrong(&e))?,
            from: now.plus_secs(-60),
            until: now.plus_secs(180 * 86_400),
            items: vec![item],
            refused: Vec::new(),
            how: ConsentMethod::PaperSigned,
            form: PaperForm { ver: "doui-2026-04".to_owned(), sha256: Digest(scan) },
            expl: Explanation {
                by: "staff-0021".to_owned(),
                how: Ways::Several(vec!["ルビ付きの書面".to_owned(), "読み上げ".to_owned()]),
                understood: Understood::Said(true),
            },
        })
    }

    /// A referral of some of the rows to the municipality, under the consent.
    pub(super) fn referral(&self, cast: &Cast, consent: &SignedConsent, keep: impl Fn(&FieldKey) -> bool) -> Content {
        Content {
            aud: cast.municipality.party().clone(),
            body: self.rows.iter().filter(|(key, _)| keep(key)).cloned().collect(),
            consent: Some((consent.sub().clone(), consent.reference())),
            purposes: vec![Purpose::PlacementCoordination, Purpose::BenefitDecision],
            agreement: self.agreement.clone(),
            schema: self.schema.clone(),
            basis: self.basis,
            basis_ref: None,
        }
    }

    /// The class of a row.
    pub(super) fn class(&self, key: &FieldKey) -> Option<FieldClass> {
        self.form().ok()?.class_of(key)
    }

    /// Some of the example's rows by class, in the order of the form.
    pub(super) fn by_class(&self, keep: impl Fn(&FieldKey) -> bool) -> Vec<(FieldClass, Vec<FieldKey>)> {
        let mut found: Vec<(FieldClass, Vec<FieldKey>)> = Vec::new();
        for (key, _) in self.rows.iter().filter(|(key, _)| keep(key)) {
            let Some(class) = self.class(key) else { continue };
            match found.iter_mut().find(|(known, _)| *known == class) {
                Some((_, keys)) => keys.push(key.clone()),
                None => found.push((class, vec![key.clone()])),
            }
        }
        found
    }

    /// The name of a row.
    pub(super) fn title<'a>(&'a self, key: &'a FieldKey, lang: Lang) -> &'a str {
        let row = self.form().ok().and_then(|form| form.row(key));
        row.map_or(key.as_str(), |row| lang.of(&row.title_en, &row.title_ja))
    }

    /// The name of a class.
    pub(super) fn class_name(&self, class: FieldClass, lang: Lang) -> &str {
        self.policy.class_text(class).map_or(class.as_str(), |text| lang.of(&text.en, &text.ja))
    }

    /// Names of classes, in a row.
    pub(super) fn class_names(&self, classes: &[FieldClass], lang: Lang) -> String {
        let names: Vec<&str> = classes.iter().map(|class| self.class_name(*class, lang)).collect();
        names.join(lang.of(", ", "、"))
    }

    /// What a rule says.
    pub(super) fn rule(&self, rule: &str, lang: Lang) -> String {
        match self.policy.title(rule, lang) {
            Some(title) => format!("{rule} {title}"),
            None if rule == NECESSITY => text::NECESSITY.say(lang, &[]),
            None => rule.to_owned(),
        }
    }

    fn form(&self) -> Result<&MessageSchema, CliError> {
        let SchemaRef { id, ver, sha256 } = &self.schema;
        self.schemas.for_message(MessageKind::Referral, id, ver, sha256).map_err(|e| built_wrong(&e))
    }
}

/// Whether a row of the example tells a day that must lie ahead: also the end of a detention, within which the reply is asked for.
pub(super) fn is_to_come(row: &Row) -> bool {
    row.rules.contains(&Rule::NotBeforeSending) || row.key.as_str() == "detention_deadline"
}

/// The rule among several that a person wants to hear: a prohibition before mere lack of need.
pub(super) fn telling(rules: &[String]) -> &str {
    rules.iter().find(|rule| *rule != NECESSITY).or(rules.first()).map_or(NECESSITY, String::as_str)
}

/// A value in one line.
pub(super) fn in_one_line(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace(['\n', '\r', '\t'], " "),
        Value::Array(items) => items.iter().map(in_one_line).collect::<Vec<_>>().join(", "),
        Value::Object(members) => members.values().map(in_one_line).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Sensitive classes that count only where the person ticked them (`policies/10_necessity.cedar`, N-11), and that the person ticked.
pub(super) const TICKED: &[FieldClass] = &[FieldClass::CriminalBackground, FieldClass::VictimRelated, FieldClass::Family];

/// Of the same kind, and not ticked.
pub(super) const NOT_TICKED: &[FieldClass] = &[
    FieldClass::CriminalDetail,
    FieldClass::MedicalObservation,
    FieldClass::MedicalRestricted,
    FieldClass::AssessmentClinical,
    FieldClass::LifeHistory,
    FieldClass::Finance,
    FieldClass::FreeText,
];

const ONE_BY_ONE: &[FieldClass] = &[
    FieldClass::CriminalBackground,
    FieldClass::VictimRelated,
    FieldClass::Family,
    FieldClass::CriminalDetail,
    FieldClass::MedicalObservation,
    FieldClass::MedicalRestricted,
    FieldClass::AssessmentClinical,
    FieldClass::LifeHistory,
    FieldClass::Finance,
    FieldClass::FreeText,
];

/// An agreement in force under which the centre refers to the municipality with the person's consent.
async fn agreement(cast: &Cast) -> Result<(AgreementRef, LegalBasis), CliError> {
    for head in cast.centre.agreements().await? {
        if head.state != AgreementStanding::InForce {
            continue;
        }
        let document = cast.centre.agreement(&head.reference()).await?;
        let holds = |side: &Side, party| side.holds(party);
        let flow = document.flows.iter().find(|flow| {
            holds(&flow.from, cast.centre.party())
                && holds(&flow.to, cast.municipality.party())
                && flow.kinds.contains(&MessageKind::Referral)
        });
        let consents = [LegalBasis::Consent69_2_1, LegalBasis::Consent27];
        if let Some(basis) = flow.and_then(|flow| consents.into_iter().find(|basis| flow.bases.contains(basis))) {
            return Ok((head.reference(), basis));
        }
    }
    Err(CliError::usage("the sandbox has no agreement in force for referrals", "お試し用の環境に、依頼のための発効中の協定がありません"))
}

fn built_wrong(error: &dyn std::fmt::Display) -> CliError {
    CliError::usage(format!("this program is not whole: {error}"), format!("このプログラムは壊れています: {error}"))
}

const EXAMPLE: &str = include_str!("../../../schemas/examples/referral.json");
/// What an entry says where no policy permits.
const NECESSITY: &str = "necessity";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_one_line_whatever_it_is() {
        for (value, line) in [
            (json!("二行\nの文"), "二行 の文"),
            (json!(["a", "b"]), "a, b"),
            (json!({"x": {"y": [1, true]}, "z": null}), "1, true, null"),
            (json!([]), ""),
        ] {
            assert_eq!(in_one_line(&value), line);
        }
    }

    #[test]
    fn a_prohibition_tells_more_than_lack_of_need() {
        let rules = |list: &[&str]| list.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>();
        assert_eq!(telling(&rules(&["C-06", NECESSITY])), "C-06");
        assert_eq!(telling(&rules(&[NECESSITY, "F-05"])), "F-05");
        assert_eq!(telling(&rules(&[NECESSITY])), NECESSITY);
        assert_eq!(telling(&[]), NECESSITY);
    }

    #[test]
    fn what_counts_one_by_one_is_either_ticked_or_not() {
        let both: Vec<&FieldClass> = TICKED.iter().chain(NOT_TICKED).collect();
        assert_eq!(both.len(), ONE_BY_ONE.len());
        assert!(ONE_BY_ONE.iter().all(|class| both.contains(&class)));
    }

    #[test]
    fn the_example_is_a_whole_body() {
        let example: Map<String, Value> = serde_json::from_str(EXAMPLE).unwrap();
        let schemas = SchemaSet::builtin().unwrap();
        let form = schemas.messages().find(|form| form.kind() == MessageKind::Referral).unwrap();
        assert_eq!(form.check(&Value::Object(example)), []);
    }
}
