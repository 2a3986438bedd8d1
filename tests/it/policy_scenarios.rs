//! The scenarios in `policies/scenarios/`: each says what somebody asks and, row by row, the answer with every rule that made it. A policy that is
//! taken away turns at least one of them red.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use serde::Deserialize;
use tempfile::TempDir;
use tsunagi::{
    decision::ClassReasons,
    domain::{
        agreement::AgreementState,
        case::Relation,
        codes::{LegalBasis, MessageKind, Purpose},
        consent::ConsentState,
        field::{FieldClass, FieldKey},
        party::PartyKind,
    },
    message::schema::{MessageSchema, SchemaSet},
    policy::{Deed, Key, PolicySet, RuleId},
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Scenarios {
    scenario: Vec<Scenario>,
    operation: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    id: String,
    description: String,
    description_en: String,
    assume: Option<Assumed>,
    request: Asked,
    rows: Vec<Expected>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Assumed {
    /// A policy that permits everything to everybody was added.
    EverythingPermitted,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    sender: PartyKind,
    reader: PartyKind,
    kind: MessageKind,
    purpose: Purpose,
    relation: Relation,
    basis: LegalBasis,
    agreement: AgreementState,
    consent: ConsentState,
    named: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    field: FieldKey,
    class: FieldClass,
    expect: Outcome,
    rules: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Shown,
    Withheld,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    id: String,
    description: String,
    description_en: String,
    actor: PartyKind,
    deed: AskedDeed,
    allow: bool,
    rules: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum AskedDeed {
    OpenCase { kind: MessageKind },
    Submit { kind: MessageKind, recipient: PartyKind },
    Pull { kind: MessageKind, relation: Relation },
    RegisterConsent {},
    WithdrawConsent {},
    RegisterAgreement {},
    RegisterParty {},
    QueryAudit { within: bool },
    ListDisclosures { relation: Relation, collector: bool },
    QueryStatistics { within: bool },
}

impl From<AskedDeed> for Deed {
    fn from(asked: AskedDeed) -> Self {
        match asked {
            AskedDeed::OpenCase { kind } => Self::OpenCase(kind),
            AskedDeed::Submit { kind, recipient } => Self::Submit { kind, recipient },
            AskedDeed::Pull { kind, relation } => Self::Pull { kind, relation },
            AskedDeed::RegisterConsent {} => Self::RegisterConsent,
            AskedDeed::WithdrawConsent {} => Self::WithdrawConsent,
            AskedDeed::RegisterAgreement {} => Self::RegisterAgreement,
            AskedDeed::RegisterParty {} => Self::RegisterParty,
            AskedDeed::QueryAudit { within } => Self::QueryAudit { within },
            AskedDeed::ListDisclosures { relation, collector } => Self::ListDisclosures { relation, collector },
            AskedDeed::QueryStatistics { within } => Self::QueryStatistics { within },
        }
    }
}

impl Scenario {
    /// Rows whose answer or rules are not the expected ones.
    fn wrong(&self, policies: &PolicySet) -> Vec<String> {
        let Asked { sender, reader, kind, purpose, relation, basis, agreement, consent, named } = self.request;
        let key =
            |class| Key { reader, sender, class, purpose, kind, relation, basis: policies.basis_group(basis), agreement, consent, named };
        let wrong = |row: &&Expected| {
            let told = ClassReasons::of(policies, &key(row.class));
            let outcome = if told.shown { Outcome::Shown } else { Outcome::Withheld };
            let reasons = if told.shown { &told.permitted_by } else { &told.withheld_by };
            outcome != row.expect || !reasons.iter().map(|reason| &reason.rule).eq(&row.rules)
        };
        self.rows.iter().filter(wrong).map(|row| format!("{}: {}: {}", self.id, row.field, self.description)).collect()
    }
}

impl Operation {
    fn wrong(&self, policies: &PolicySet) -> Option<String> {
        let ruling = policies.may(self.actor, self.deed.into());
        let rules = if ruling.allow { &ruling.permits } else { &ruling.forbids };
        let right = ruling.allow == self.allow && rules.iter().map(RuleId::as_str).eq(self.rules.iter().map(String::as_str));
        (!right).then(|| format!("{}: {}", self.id, self.description))
    }
}

impl Scenarios {
    fn read() -> Self {
        let mut all = Self::default();
        let folder = published().join("scenarios");
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let text = std::fs::read_to_string(&file).unwrap();
            let read: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            all.scenario.extend(read.scenario);
            all.operation.extend(read.operation);
        }
        all
    }

    /// Whether something is answered otherwise, or by other rules, than written.
    fn wrong(&self, sets: &Sets) -> Vec<String> {
        let rows = self.scenario.iter().flat_map(|scenario| scenario.wrong(sets.of(scenario)));
        rows.chain(self.operation.iter().filter_map(|operation| operation.wrong(&sets.plain))).collect()
    }

    /// A scenario that names a rule and is answered otherwise by sets without it.
    fn red(&self, rule: &RuleId, sets: &Sets) -> bool {
        let named = |scenario: &&Scenario| scenario.rows.iter().any(|row| row.rules.iter().any(|own| own == rule.as_str()));
        let of_rows = self.scenario.iter().filter(named).any(|scenario| !scenario.wrong(sets.of(scenario)).is_empty());
        let mut operations = self.operation.iter().filter(|operation| operation.rules.iter().any(|own| own == rule.as_str()));
        of_rows || operations.any(|operation| operation.wrong(&sets.plain).is_some())
    }
}

/// A set, and the same with a policy that permits everything.
struct Sets {
    plain: PolicySet,
    open: PolicySet,
}

impl Sets {
    fn published() -> Self {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("catalogue")).unwrap();
        for folder in ["", "catalogue"] {
            for entry in std::fs::read_dir(published().join(folder)).unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
                std::fs::copy(entry.path(), dir.path().join(folder).join(entry.file_name())).unwrap();
            }
        }
        std::fs::write(dir.path().join("90_assumed.cedar"), EVERYTHING).unwrap();
        Self { plain: PolicySet::builtin().unwrap(), open: PolicySet::load(dir.path()).unwrap() }
    }

    fn without(&self, rule: &RuleId) -> Self {
        Self { plain: self.plain.without(rule), open: self.open.without(rule) }
    }

    fn of(&self, scenario: &Scenario) -> &PolicySet {
        match scenario.assume {
            None => &self.plain,
            Some(Assumed::EverythingPermitted) => &self.open,
        }
    }
}

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

static SCENARIOS: LazyLock<Scenarios> = LazyLock::new(Scenarios::read);

const EVERYTHING: &str = r#"
@id("N-99")
@title("すべてを許可する（仮定）")
@title_en("Everything is permitted (assumed)")
@basis("仮定")
permit (principal, action == Action::"disclose", resource);
"#;

#[test]
fn every_scenario_is_answered_as_written_by_exactly_the_rules_it_names() {
    assert_eq!(SCENARIOS.wrong(&Sets::published()), Vec::<String>::new());
}

#[test]
fn any_one_policy_taken_away_turns_a_scenario_red() {
    let sets = Sets::published();
    for rule in sets.plain.rules() {
        assert!(SCENARIOS.red(rule, &sets.without(rule)), "nothing depends on {rule}");
        assert!(!SCENARIOS.red(rule, &sets), "{rule}: red although nothing was taken away");
    }
}

/// The rules by which a kind is sent by anybody to anybody, or by which anybody opens with it.
fn rules_of(policies: &PolicySet, deeds: &[Deed]) -> BTreeSet<RuleId> {
    let rulings = PartyKind::ALL.iter().flat_map(|actor| deeds.iter().map(|deed| policies.may(*actor, *deed)));
    rulings.filter(|ruling| ruling.allow).flat_map(|ruling| ruling.permits.to_vec()).collect()
}

#[test]
fn every_kind_of_message_hangs_on_policies_whose_loss_its_own_scenarios_notice() {
    let policies = PolicySet::builtin().unwrap();
    let without: BTreeMap<&RuleId, PolicySet> = policies.rules().map(|rule| (rule, policies.without(rule))).collect();
    let noticed = |operations: &[&Operation], rule: &RuleId| {
        operations
            .iter()
            .any(|operation| operation.allow && operation.rules == [rule.as_str()] && operation.wrong(&without[rule]).is_some())
    };
    for kind in MessageKind::ALL.iter().copied() {
        let of_kind = |deed: AskedDeed| matches!(deed, AskedDeed::Submit { kind: own, .. } if own == kind);
        let sending: Vec<&Operation> = SCENARIOS.operation.iter().filter(|operation| of_kind(operation.deed)).collect();
        assert!(sending.iter().any(|operation| !operation.allow), "{kind}: nobody is refused");
        let to_anybody: Vec<Deed> = PartyKind::ALL.iter().map(|recipient| Deed::Submit { kind, recipient: *recipient }).collect();
        let rules = rules_of(&policies, &to_anybody);
        assert!(!rules.is_empty(), "{kind}: nobody may send it");
        for rule in &rules {
            assert!(noticed(&sending, rule), "{kind}: no scenario of sending it hangs on {rule}");
        }
        let opening: Vec<&Operation> = SCENARIOS
            .operation
            .iter()
            .filter(|operation| matches!(operation.deed, AskedDeed::OpenCase { kind: own } if own == kind))
            .collect();
        for rule in &rules_of(&policies, &[Deed::OpenCase(kind)]) {
            assert!(noticed(&opening, rule), "{kind}: no scenario of opening with it hangs on {rule}");
        }
        let reading = SCENARIOS.scenario.iter().filter(|scenario| scenario.request.kind == kind && scenario.assume.is_none());
        let shown = reading.flat_map(|scenario| scenario.rows.iter().map(move |row| (scenario, row)));
        let hangs = shown.filter(|(_, row)| row.expect == Outcome::Shown).any(|(scenario, row)| {
            let rules = policies.rules().filter(|rule| row.rules.iter().any(|own| own == rule.as_str()));
            rules.into_iter().any(|rule| !scenario.wrong(&without[rule]).is_empty())
        });
        assert!(hangs, "{kind}: no scenario of reading it hangs on a policy");
    }
}

#[test]
fn the_rows_of_the_scenarios_are_rows_of_the_catalogue() {
    let schemas = SchemaSet::builtin().unwrap();
    let known: BTreeMap<String, FieldClass> =
        schemas.messages().flat_map(MessageSchema::rows).map(|row| (row.key.to_string(), row.class)).collect();
    let mut ids: Vec<&str> = Vec::new();
    let mut checked = 0;
    for scenario in &SCENARIOS.scenario {
        assert!(!scenario.description.is_ascii() && scenario.description_en.is_ascii() && !scenario.rows.is_empty(), "{}", scenario.id);
        ids.push(&scenario.id);
        for row in &scenario.rows {
            if let Some(class) = known.get(row.field.as_str()) {
                assert_eq!(*class, row.class, "{}: {}", scenario.id, row.field);
                checked += 1;
            }
        }
    }
    for operation in &SCENARIOS.operation {
        assert!(!operation.description.is_ascii() && operation.description_en.is_ascii(), "{}", operation.id);
        ids.push(&operation.id);
    }
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "an id stands twice");
    assert!(checked > 50, "the scenarios and the schemas have grown apart: {checked}");
}

#[test]
fn every_class_appears_in_some_scenario() {
    for class in FieldClass::ALL {
        // Routing is what the envelope says, no row of a body.
        let met = SCENARIOS.scenario.iter().flat_map(|scenario| &scenario.rows).any(|row| row.class == *class);
        assert!(met || *class == FieldClass::Routing, "{class}");
    }
}
