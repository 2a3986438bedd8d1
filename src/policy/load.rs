//! From files to a set: everything that is wrong is found, and a set exists only when nothing is.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::RwLock,
};

use cedar_policy::{Authorizer, Effect, Policy, PolicyId, PolicySet as Cedar, Schema, SchemaFragment, ValidationMode, Validator};

use super::{
    catalogue::Catalogue,
    engine::{PROBE, PolicySet, RuleText, Types},
    error::PolicyError,
    form,
    key::RuleId,
    layers, lint,
    operation::{Deed, OperationTypes},
    region::Region,
    source::{SCHEMA, Source},
};
use crate::domain::{codes::MessageKind, party::PartyKind};

impl PolicySet {
    /// The set this program was built with.
    pub fn builtin() -> Result<Self, PolicyError> {
        Self::of(&Source::builtin())
    }

    /// The set in a directory laid out like `policies/`.
    ///
    /// # Errors
    /// The first of [`PolicySet::faults`].
    pub fn load(dir: &Path) -> Result<Self, PolicyError> {
        Self::of(&Source::read(dir)?)
    }

    /// Everything that keeps a directory from being a policy set, in the order of its files. Empty: it loads.
    #[must_use]
    pub fn faults(dir: &Path) -> Vec<PolicyError> {
        match Source::read(dir) {
            Ok(source) => gather(&source).err().unwrap_or_default(),
            Err(fault) => vec![fault],
        }
    }

    fn of(source: &Source) -> Result<Self, PolicyError> {
        gather(source).map_err(|faults| faults.into_iter().next().unwrap_or(PolicyError::Missing(SCHEMA)))
    }
}

/// The policies of a set by what they do.
#[derive(Default)]
struct Sorted {
    permits: Cedar,
    forbids: Cedar,
    may: Cedar,
    may_not: Cedar,
    rules: BTreeMap<RuleId, RuleText>,
}

fn gather(source: &Source) -> Result<PolicySet, Vec<PolicyError>> {
    let mut faults = Vec::new();
    let catalogue = Catalogue::read(source).map_err(|found| faults.extend(found)).ok();
    let schema = schema(source).map_err(|fault| faults.push(fault)).ok();
    let mut sorted = Sorted::default();
    // What Cedar itself refuses is told in its words, and first.
    let mut forms = Vec::new();
    for (file, text) in source.policies() {
        sort(file, text, &mut sorted, &mut faults, &mut forms);
    }
    faults.extend(lint::same_titles(sorted.rules.iter().map(|(id, text)| (id, &text.ja, &text.en))));
    if let Some(schema) = &schema {
        let validator = Validator::new(schema.clone());
        for set in [&sorted.permits, &sorted.forbids, &sorted.may, &sorted.may_not] {
            faults.extend(validate(&validator, set));
        }
    }
    if !faults.iter().any(|fault| matches!(fault, PolicyError::Invalid(_))) {
        faults.extend(forms);
    }
    if faults.is_empty() {
        faults.extend(layers::unguarded(&sorted.rules.iter()));
    }
    let types = types(schema.as_ref()).map_err(|fault| faults.push(fault)).ok();
    match (catalogue, schema, types) {
        (Some(catalogue), Some(schema), Some((types, operations))) if faults.is_empty() => Ok(PolicySet {
            permits: sorted.permits,
            forbids: sorted.forbids,
            may: sorted.may,
            may_not: sorted.may_not,
            schema,
            authorizer: Authorizer::new(),
            types,
            operations,
            rules: sorted.rules,
            catalogue,
            digest: source.digest(),
            memo: RwLock::default(),
            deeds: RwLock::new(HashMap::new()),
        }),
        _ => Err(faults),
    }
}

/// Reads one file of policies into the sets.
fn sort(file: &str, text: &str, sorted: &mut Sorted, faults: &mut Vec<PolicyError>, forms: &mut Vec<PolicyError>) {
    let wrong = |reason: String| PolicyError::Syntax { file: file.to_owned(), reason };
    let parsed: Cedar = match text.parse::<Cedar>() {
        Ok(parsed) => parsed,
        Err(error) => return faults.push(wrong(error.to_string())),
    };
    if parsed.num_of_templates() > 0 {
        return faults.push(PolicyError::Template(file.to_owned()));
    }
    if let Some(layer) = layers::of_file(file).filter(|_| parsed.is_empty()) {
        faults.push(PolicyError::EmptyLayer(layer));
    }
    for (policy, position) in parsed.policies().zip(1..) {
        let Some(id) = lint::id(policy) else {
            faults.push(PolicyError::NoId { file: file.to_owned(), position });
            continue;
        };
        faults.extend(lint::policy(id, policy));
        let about = |name: &str| policy.annotation(name).unwrap_or_default().to_owned();
        let set = match (lint::is_operation(id), policy.effect()) {
            (false, Effect::Permit) => &mut sorted.permits,
            (false, Effect::Forbid) => &mut sorted.forbids,
            (true, Effect::Permit) => &mut sorted.may,
            (true, Effect::Forbid) => &mut sorted.may_not,
        };
        let reach = match reach(id, policy) {
            Ok(reach) => reach,
            Err(fault) => {
                forms.push(fault);
                Region::default()
            }
        };
        let text = RuleText { ja: about("title"), en: about("title_en"), basis: about("basis"), effect: policy.effect(), reach };
        if sorted.rules.insert(RuleId::new(id), text).is_some() {
            faults.push(PolicyError::DuplicateId(id.to_owned()));
        } else if let Err(error) = set.add(policy.new_id(PolicyId::new(id))) {
            faults.push(wrong(error.to_string()));
        }
    }
}

/// The keys a policy about disclosure applies to; none for one about operations, which have keys of their own.
fn reach(id: &str, policy: &Policy) -> Result<Region, PolicyError> {
    lint::action(id, policy)?;
    if lint::is_operation(id) {
        return Ok(Region::default());
    }
    form::region(policy).map_err(|what| PolicyError::Form { id: id.to_owned(), what })
}

fn validate(validator: &Validator, set: &Cedar) -> Option<PolicyError> {
    let result = validator.validate(set, ValidationMode::Strict);
    if result.validation_passed_without_warnings() {
        return None;
    }
    let errors = result.validation_errors().map(ToString::to_string);
    Some(PolicyError::Invalid(errors.chain(result.validation_warnings().map(ToString::to_string)).collect()))
}

/// The type names, and a first request of each sort: a schema whose contexts have other types is found now, not at the first message.
fn types(schema: Option<&Schema>) -> Result<(Types, OperationTypes), PolicyError> {
    let (types, operations) = (Types::new()?, OperationTypes::new()?);
    if let Some(schema) = schema {
        types.request(&PROBE, schema).map_err(PolicyError::Schema)?;
        for deed in DEEDS {
            operations.request(PartyKind::Municipality, *deed, schema).map_err(PolicyError::Schema)?;
        }
    }
    Ok((types, operations))
}

fn schema(source: &Source) -> Result<Schema, PolicyError> {
    let wrong = |reason: String| PolicyError::Syntax { file: SCHEMA.to_owned(), reason };
    let (fragment, warnings) = SchemaFragment::from_cedarschema_str(source.text(SCHEMA)?).map_err(|e| wrong(e.to_string()))?;
    if let Some(warning) = warnings.into_iter().next() {
        return Err(wrong(warning.to_string()));
    }
    lint::closed_lists(fragment.clone())?;
    Schema::from_schema_fragments([fragment]).map_err(|e| wrong(e.to_string()))
}

/// One deed for each action.
const DEEDS: &[Deed] = &[
    Deed::OpenCase(MessageKind::Referral),
    Deed::Submit { kind: MessageKind::Referral, recipient: PartyKind::Municipality },
    Deed::Pull { kind: MessageKind::Referral, relation: crate::domain::case::Relation::Assigned },
    Deed::RegisterConsent,
    Deed::WithdrawConsent,
    Deed::RegisterAgreement,
    Deed::RegisterParty,
    Deed::QueryAudit { within: true },
    Deed::ListDisclosures { relation: crate::domain::case::Relation::Assigned, collector: true },
    Deed::QueryStatistics { within: true },
];
