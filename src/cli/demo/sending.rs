//! Sending: a consent, a referral that says too much, a referral that does not.

use std::collections::BTreeSet;

use super::{
    layout::Table,
    material::{NOT_TICKED, TICKED},
    story::{Referred, Story, must, refused},
};
use crate::{
    cli::CliError,
    client::SignedConsent,
    domain::{codes::Purpose, field::FieldKey, refusal::RefusalCode},
    text::demo as text,
};

impl Story<'_> {
    pub(super) async fn consent(&mut self) -> Result<SignedConsent, CliError> {
        let (centre, lang) = (&self.cast.centre, self.page.lang());
        let consent = centre.sign_consent(self.material.consent(&self.cast)?)?;
        let answer = centre.register_consent(&consent, Purpose::PlacementCoordination).await?;
        must(answer.subject.consent == Some(consent.jti()), "the answer names another consent", "答えが別の同意を指しています")?;
        self.page.step("consent", text::CONSENT);
        self.page.say(text::CONSENT_IS, &[&self.cast.name(self.cast.municipality.party(), lang)]);
        let (ticked, not) = (self.material.class_names(TICKED, lang), self.material.class_names(NOT_TICKED, lang));
        self.page.hanging(text::TICKED, &ticked);
        self.page.hanging(text::NOT_TICKED, &not);
        self.page.gap();
        self.accepted(&answer);
        self.page.fact("consent", consent.jti().to_string());
        Ok(consent)
    }

    /// Gives the rows that were too much.
    pub(super) async fn too_much(&mut self, consent: &SignedConsent) -> Result<BTreeSet<FieldKey>, CliError> {
        let lang = self.page.lang();
        let referral = self.material.referral(&self.cast, consent, |_| true);
        let sent = self.cast.centre.submit_referral(&referral, Purpose::PlacementCoordination).await;
        let problem = refused(RefusalCode::OverDisclosure, sent)?;
        self.page.step("over_disclosure", text::TOO_MUCH);
        self.page.say(text::TOO_MUCH_IS, &[&referral.body.len()]);
        self.page.refused(&text::TRY_EVERYTHING.say(lang, &[]), &problem);
        self.page.gap();
        let columns = [text::COL_ROW, text::COL_RULE].map(|line| line.say(lang, &[]));
        let mut table = Table::new(&columns.iter().map(String::as_str).zip([34, 40]).collect::<Vec<_>>());
        let named = |key: &FieldKey| problem.violations.iter().find(|row| row.field == key.as_str());
        let mut over = BTreeSet::new();
        for (class, keys) in self.material.by_class(|key| named(key).is_some()) {
            table.section(self.material.class_name(class, lang));
            for key in keys {
                let rule = named(&key).map_or_else(String::new, |row| self.material.rule(&row.rule, lang));
                table.row([format!("  {}", self.material.title(&key, lang)), rule]);
                over.insert(key);
            }
        }
        must(over.len() == problem.violations.len(), "a refused row is not on the form", "断られた項目が様式にありません")?;
        self.page.table(&table);
        let unticked = |key: &FieldKey| self.material.class(key).is_some_and(|class| NOT_TICKED.contains(&class));
        let expected: BTreeSet<FieldKey> = referral.body.iter().map(|(key, _)| key).filter(|key| unticked(key)).cloned().collect();
        must(over == expected, "other rows were refused than the person left unticked", "断られた項目が、丸のない項目と一致しません")?;
        self.page.check(text::EXACTLY_UNTICKED, &[&over.len()]);
        self.page.note(text::STORED_NOTHING, &[]);
        Ok(over)
    }

    pub(super) async fn referral(&mut self, consent: SignedConsent, over: &BTreeSet<FieldKey>) -> Result<Referred, CliError> {
        let (centre, lang) = (&self.cast.centre, self.page.lang());
        let referral = self.material.referral(&self.cast, &consent, |key| !over.contains(key));
        let message = centre.sign(&centre.draft(&referral)?)?;
        let answer = centre.submit(&message, Purpose::PlacementCoordination).await?;
        let case_at_sender =
            answer.subject.case.ok_or_else(|| CliError::unverified("the answer names no case", "答えに事案番号がありません"))?;
        self.page.step("referral", text::REFERRAL);
        self.page.say(text::REFERRAL_IS, &[&referral.body.len(), &self.cast.name(self.cast.municipality.party(), lang)]);
        self.page.hanging(text::CASE_ID, &case_at_sender.to_string());
        self.page.gap();
        self.accepted(&answer);
        self.page.fact("case", case_at_sender.to_string());
        self.page.fact("message", message.jti().to_string());
        self.page.fact("rows", referral.body.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>());
        Ok(Referred { consent, message, answer, case_at_sender, rows: referral.body.into_iter().map(|(key, _)| key).collect() })
    }
}
