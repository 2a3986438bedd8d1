//! The consent of a person, as its collector signed it (protocol section 2, "Consent rules").

use serde_json::Value;

use super::{Issued, SignedObject};
use crate::{
    domain::{
        codes::Purpose,
        consent::{Consent, ConsentMethod, Exception, Item, Recipient},
        digest::Digest,
        ids::Jti,
        party::PartyKind,
        refusal::{Refusal, RefusalCode},
        time::Timestamp,
    },
    message::{
        disclosed::Pseudonym,
        jws::TokenError,
        members::{Members, Object},
    },
};

/// The paper form.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PaperForm {
    /// Version of the form.
    pub ver: String,
    /// SHA-256 of the scan, which stays with the collector.
    pub sha256: Digest,
}

/// How the consent was explained.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct Explanation {
    /// By whom.
    pub by: String,
    /// How: in one way or in several.
    pub how: Ways,
    /// Whether the person understood it, or how that was seen; a consent that was not understood is none.
    pub understood: Understood,
}

/// One way or several.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Ways {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// That the person understood: `true`, or in words how it was seen.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Understood {
    /// Yes or no.
    Said(bool),
    /// How it was seen.
    Seen(String),
}

impl Ways {
    fn is_told(&self) -> bool {
        let told = |text: &String| !text.trim().is_empty() && text.chars().count() <= 256;
        match self {
            Self::One(way) => told(way),
            Self::Several(ways) => (1..=16).contains(&ways.len()) && ways.iter().all(told),
        }
    }
}

impl Understood {
    fn is_understood(&self) -> bool {
        match self {
            Self::Said(yes) => *yes,
            Self::Seen(words) => !words.trim().is_empty() && words.chars().count() <= 512,
        }
    }
}

/// Who consented in the person's place.
#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct Representative {
    /// Kind of representative (code list `guardianKind`).
    pub kind: String,
    /// What it rests on: the document that shows what the representative may do.
    pub authority: String,
}

/// Claims of a consent.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsentGiven {
    /// Who, for whom, which, when.
    pub issued: Issued,
    /// Valid from.
    pub nbf: Timestamp,
    /// Valid until; at most a year after `nbf`.
    pub exp: Timestamp,
    /// Pseudonym of the person, random per case.
    pub sub: Pseudonym,
    /// What is consented to.
    pub items: Vec<Item>,
    /// What is expressly refused.
    pub refused: Vec<Exception>,
    /// The consent it supersedes.
    pub sup: Option<Jti>,
    /// How the person gave it.
    pub how: ConsentMethod,
    /// The paper.
    pub form: PaperForm,
    /// The explanation.
    pub expl: Explanation,
    /// Where.
    pub place: Option<String>,
    /// Before whom.
    pub witness: Option<String>,
    /// By which representative.
    pub rep: Option<Representative>,
}

impl ConsentGiven {
    /// The scope, without what is personal.
    #[must_use]
    pub fn scope(&self) -> Consent {
        Consent {
            jti: self.issued.jti,
            collector: self.issued.iss.clone(),
            not_before: self.nbf,
            expires: self.exp,
            items: self.items.clone(),
            refused: self.refused.clone(),
        }
    }

    fn obeys(&self) -> Result<(), Refusal> {
        let wrong = |claim, rule| Err(Refusal::claim(RefusalCode::BadToken, claim, rule));
        if !self.issued.iss.kind().may_collect_consent() {
            return Err(Refusal::claim(RefusalCode::OperationNotAllowed, "iss", "collector"));
        }
        if self.exp <= self.nbf || self.exp > self.nbf.plus_secs(LONGEST_SECS) {
            return wrong("exp", "one_year");
        }
        if self.expl.by.trim().is_empty() {
            return wrong("expl", "by");
        }
        if !self.expl.how.is_told() {
            return wrong("expl", "how");
        }
        if !self.expl.understood.is_understood() {
            return wrong("expl", "understood");
        }
        if self.items.is_empty() {
            return wrong("items", "empty");
        }
        for item in &self.items {
            if item.rcp.is_empty() || item.pur.is_empty() || (item.cls.is_empty() && item.tick.is_empty()) {
                return wrong("items", "empty");
            }
            if item.cls.iter().chain(&item.tick).any(|class| class.consent_may_not_name()) {
                return wrong("items", "class");
            }
            if item.pur.contains(&Purpose::Administration) {
                return wrong("items", "purpose");
            }
        }
        Ok(())
    }
}

impl SignedObject for ConsentGiven {
    const TYP: &'static str = "tsunagi-consent+jwt";

    fn from_claims(claims: &Value) -> Result<Self, Refusal> {
        let mut members = Members::of(claims.clone(), "payload", Self::CODE)?;
        let read = Self {
            issued: Issued::read(&mut members)?,
            nbf: members.date("nbf")?,
            exp: members.date("exp")?,
            sub: members.take("sub")?,
            items: members.objects_opt("items", read_item)?.ok_or_else(|| members.refusal("items", "missing"))?,
            refused: members.objects_opt("refused", read_exception)?.unwrap_or_default(),
            sup: members.take_opt("sup")?,
            how: members.take("how")?,
            form: members.object("form", |mut form| {
                let read = PaperForm { ver: form.text("ver", 64)?, sha256: form.take("sha256")? };
                form.end()?;
                Ok(read)
            })?,
            expl: members.object("expl", |mut expl| {
                let read = Explanation { by: expl.text("by", 256)?, how: expl.written("how")?, understood: expl.take("understood")? };
                expl.end()?;
                Ok(read)
            })?,
            place: members.text_opt("place", 256)?,
            witness: members.text_opt("witness", 256)?,
            rep: members.object_opt("rep", |mut rep| {
                let read = Representative { kind: rep.text("kind", 256)?, authority: rep.text("authority", 512)? };
                rep.end()?;
                Ok(read)
            })?,
        };
        members.end()?;
        read.obeys()?;
        Ok(read)
    }

    fn to_claims(&self) -> Result<Value, TokenError> {
        let claims = self.issued.write().date("nbf", self.nbf).date("exp", self.exp).with("sub", &self.sub);
        let claims: Object = claims.with("items", &self.items).with("refused", &self.refused).with_opt("sup", self.sup.as_ref());
        claims
            .with("how", &self.how)
            .with("form", &self.form)
            .with("expl", &self.expl)
            .with_opt("place", self.place.as_ref())
            .with_opt("witness", self.witness.as_ref())
            .with_opt("rep", self.rep.as_ref())
            .build()
    }
}

impl std::fmt::Debug for ConsentGiven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsentGiven").field("jti", &self.issued.jti).finish_non_exhaustive()
    }
}

pub(super) fn read_exception(mut members: Members) -> Result<Exception, Refusal> {
    // An absent list stands for everything; an empty one would take nothing away.
    let read = Exception { rcp: members.set("rcp")?, pur: members.set_opt("pur")?, cls: members.set_opt("cls")? };
    members.end()?;
    Ok(read)
}

fn read_item(mut members: Members) -> Result<Item, Refusal> {
    let read = Item {
        rcp: members.set::<String>("rcp")?.iter().map(|text| named(text)).collect::<Result<_, _>>()?,
        pur: members.set("pur")?,
        cls: members.take("cls")?,
        tick: members.take_opt("tick")?.unwrap_or_default(),
    };
    members.end()?;
    Ok(read)
}

/// A recipient as it stands in an item. Only public bodies go by their kind: everybody else is named.
fn named(text: &str) -> Result<Recipient, Refusal> {
    let wrong = |rule| Refusal::claim(RefusalCode::BadToken, "items", rule);
    if text.parse::<PartyKind>().is_ok_and(|kind| !kind.is_public()) {
        return Err(wrong("recipient_not_named"));
    }
    text.parse().map_err(|_| wrong("form"))
}

/// A year, leap day included.
const LONGEST_SECS: i64 = 366 * 24 * 60 * 60;

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in crate::message::objects) fn claims() -> Value {
        json!({
            "iss": "settlement_center:13-1", "aud": "https://gateway.example:8443", "jti": "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4",
            "iat": 1_790_812_800, "nbf": 1_790_812_800, "exp": 1_822_348_800, "sub": "urn:uuid:6e1f",
            "items": [
                {"rcp": ["municipality"], "pur": ["placement_coordination"], "cls": ["identity", "disability"], "tick": ["criminal_background"]},
                {"rcp": ["group_home:1320100017"], "pur": ["placement_coordination"], "cls": ["minimal"], "tick": []}
            ],
            "refused": [{"rcp": ["day_service"], "cls": ["criminal_status"]}],
            "how": "paper_signed", "form": {"ver": "2026-04", "sha256": super::super::super::sha256(b"scan")},
            "expl": {"by": "staff", "how": "easy_japanese", "understood": true}, "place": "office",
            "rep": {"kind": "curatorship", "authority": "代理権目録"}
        })
    }

    fn refused(name: &str, value: impl Into<Value>) -> (RefusalCode, String) {
        let mut bad = claims();
        bad[name] = value.into();
        let refusal = ConsentGiven::from_claims(&bad).unwrap_err();
        (refusal.code, refusal.violations[0].rule.clone())
    }

    #[test]
    fn the_claims_are_read_and_written_unchanged() {
        let read = ConsentGiven::from_claims(&claims()).unwrap();
        assert_eq!(read.to_claims().unwrap(), claims());
        assert_eq!(read.scope().items.len(), 2);
        let mut least = claims();
        for name in ["refused", "place", "rep"] {
            least.as_object_mut().unwrap().remove(name);
        }
        assert!(ConsentGiven::from_claims(&least).is_ok());
        assert!(!format!("{read:?}").contains("6e1f"), "the pseudonym is not printed");
    }

    #[test]
    fn the_rules_of_consents_are_kept() {
        let item = |rcp: &str, cls: &str| json!([{"rcp": [rcp], "pur": ["placement_coordination"], "cls": [cls]}]);
        assert_eq!(refused("iss", "group_home:1320100017"), (RefusalCode::OperationNotAllowed, "collector".into()));
        assert_eq!(refused("exp", 1_790_812_800 + 367 * 86400).1, "one_year");
        assert_eq!(refused("exp", 1_790_812_800).1, "one_year");
        assert_eq!(refused("items", json!([])).1, "empty");
        assert_eq!(refused("items", item("group_home", "minimal")).1, "recipient_not_named");
        assert_eq!(refused("items", item("bar_association", "minimal")).1, "recipient_not_named");
        assert_eq!(refused("items", item("everybody", "minimal")).1, "form");
        assert_eq!(refused("items", json!([{"rcp": ["municipality"], "pur": ["administration"], "cls": ["minimal"]}])).1, "purpose");
        assert_eq!(refused("items", item("municipality", "prohibited")).1, "class");
        assert_eq!(refused("items", item("municipality", "consent_scan")).1, "class");
        assert_eq!(refused("items", item("municipality", "everything")).1, "form");
        assert_eq!(refused("items", json!([[["municipality"], ["placement_coordination"], ["minimal"], []]])).1, "object");
        assert_eq!(refused("refused", json!([{"rcp": []}])).1, "empty");
        assert_eq!(refused("sub", "山田太郎").1, "form");
        assert_eq!(refused("sub", "983205673214").1, "form");
        assert_eq!(refused("expl", json!({"by": "staff", "how": "aloud", "understood": false})).1, "understood");
        assert_eq!(refused("expl", json!({"by": " ", "how": "aloud", "understood": true})).1, "by");
        assert_eq!(refused("expl", json!({"by": "staff", "how": [], "understood": true})).1, "how");
        assert_eq!(refused("how", "shouted").1, "form");
        assert_eq!(refused("note", "x").1, "unknown_member");
        assert_eq!(refused("place", Value::Null).1, "form");
    }
}
