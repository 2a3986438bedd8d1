//! Refusals: real requests that must not succeed, each with the reason the gateway gives; and a withdrawal that ends the reading.

use http::Method;
use serde_json::Value;

use super::story::{Read, Referred, Story, must, refused};
use crate::{
    cli::CliError,
    client::{Client, ClientError, Outgoing},
    domain::{codes::Purpose, consent::EndedBy, party::PartyKind, refusal::RefusalCode},
    message::{compose::Draft, key_binding::Nonce, keys::SigningKey},
    text::demo as text,
};

const PLACEMENT: Purpose = Purpose::PlacementCoordination;

impl Story<'_> {
    pub(super) async fn refusals(&mut self, referred: &Referred, read: &Read) -> Result<(), CliError> {
        self.page.step("refusals", text::REFUSALS);
        self.page.say(text::REFUSALS_IS, &[]);
        self.same_again(referred).await?;
        self.messages(referred).await?;
        self.tokens(read).await?;
        let other = self.cast.municipality.read_case(&read.case, Purpose::AddonCertification).await;
        self.tried(text::TRY_PURPOSE, RefusalCode::PurposeNotAllowed, other)
    }

    /// A repetition is no refusal: it gets the first answer again.
    async fn same_again(&mut self, referred: &Referred) -> Result<(), CliError> {
        let centre = &self.cast.centre;
        let before = centre.checkpoint().await?;
        let again = centre.submit(&referred.message, PLACEMENT).await?;
        let after = centre.checkpoint().await?;
        let (first, place) = (&referred.answer, again.place());
        let same = place.index() == first.place().index()
            && again.receipt.claims() == first.receipt.claims()
            && again.subject == first.subject
            && before.head == after.head;
        must(same, "the repetition was not answered like the first time", "再送への答えが最初と違います")?;
        self.page.check(text::SAME_AGAIN, &[&place.index()]);
        self.page.gap();
        Ok(())
    }

    async fn messages(&mut self, referred: &Referred) -> Result<(), CliError> {
        let fresh = |story: &Self| -> Result<Draft, CliError> {
            let referral = story.material.referral(&story.cast, &referred.consent, |key| referred.rows.contains(key));
            Ok(story.cast.centre.draft(&referral)?)
        };

        let mut changed = fresh(self)?;
        changed.claims.jti = referred.message.jti();
        let sent = self.submit(&changed).await;
        self.tried(text::TRY_CONFLICT, RefusalCode::ReplayConflict, sent)?;

        let foreign = SigningKey::generate().map_err(|e| CliError::usage(e.to_string(), e.to_string()))?;
        let forged = Outgoing::sign(&fresh(self)?, &foreign)?;
        let sent = self.cast.centre.submit(&forged, PLACEMENT).await;
        self.tried(text::TRY_WRONG_KEY, RefusalCode::KeyNotAllowed, sent)?;

        let mut numbered = fresh(self)?;
        for (_, value) in numbered.body.iter_mut().filter(|(key, _)| key.as_str() == WISHES) {
            *value = Value::String(format!("マイナンバーは {SPECIMEN} です。"));
        }
        let sent = self.submit(&numbered).await;
        self.tried(text::TRY_MY_NUMBER, RefusalCode::ProhibitedMyNumber, sent)?;

        let mut direct = fresh(self)?;
        let home = self.cast.strangers.iter().map(Client::party).find(|party| party.kind() == PartyKind::GroupHome);
        if let Some(home) = home {
            direct.claims.aud = home.clone();
            let sent = self.submit(&direct).await;
            self.tried(text::TRY_PROVIDER, RefusalCode::RecipientNotAllowed, sent)?;
        }
        Ok(())
    }

    async fn submit(&self, draft: &Draft) -> Result<(), ClientError> {
        let message = self.cast.centre.sign(draft)?;
        self.cast.centre.submit(&message, PLACEMENT).await.map(|_| ())
    }

    async fn tokens(&mut self, read: &Read) -> Result<(), CliError> {
        let municipality = &self.cast.municipality;
        let nonce: Nonce = "demo-demo-demo-demo".parse().map_err(|_| CliError::usage("nonce", "nonce"))?;
        let token = municipality.actor(&Method::GET, "/v1/cases", PLACEMENT, None, Some(nonce))?;
        let case = format!("/v1/cases/{}", read.case);
        let other = municipality.send(Method::GET, &case, "application/jose", Some(&token), None).await;
        municipality.send(Method::GET, "/v1/cases", "application/json", Some(&token), None).await?;
        let twice = municipality.send(Method::GET, "/v1/cases", "application/json", Some(&token), None).await;
        self.tried(text::TRY_OTHER_PATH, RefusalCode::ActorBinding, other)?;
        self.tried(text::TRY_TWICE, RefusalCode::ActorReplayed, twice)
    }

    fn tried<T>(&mut self, what: text::Line, code: RefusalCode, result: Result<T, ClientError>) -> Result<(), CliError> {
        let problem = refused(code, result)?;
        self.page.refused(&what.say(self.page.lang(), &[]), &problem);
        Ok(())
    }

    /// Gives the index of the entry from which the consent is ended.
    pub(super) async fn withdrawal(&mut self, read: &Read) -> Result<u64, CliError> {
        // The municipality learned the consent's id from the gateway's key binding, as a reader of `consent_detail`.
        let consent = read.placement.release.binding.tsn.con.as_ref();
        let consent = consent.ok_or_else(|| CliError::unverified("the release names no consent", "開示に同意の番号がありません"))?.jti;
        let municipality = &self.cast.municipality;
        let ended = municipality.end_consent(consent, EndedBy::Self_, WHY, None, PLACEMENT).await?;
        let placement = municipality.read_case(&read.case, PLACEMENT).await;
        let benefit = self.cast.municipality.read_case(&read.case, Purpose::BenefitDecision).await;
        self.page.step("withdrawal", text::WITHDRAWAL);
        self.page.say(text::WITHDRAWAL_IS, &[]);
        self.accepted(&ended);
        self.page.gap();
        self.tried(text::TRY_AFTER, RefusalCode::ConsentEnded, placement)?;
        self.tried(text::TRY_AFTER_BENEFIT, RefusalCode::ConsentEnded, benefit)?;
        Ok(ended.place().index())
    }
}

const WISHES: &str = "wishes_life";
/// A number with a right check digit that belongs to nobody.
const SPECIMEN: &str = "123456789018";
const WHY: &str = "本人が窓口で撤回を申し出た";
