//! A filled form: one answer per box, and what the collector wrote beside them. What the form does not offer is refused, so that no record says what
//! its paper does not.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::offer::{Cell, Form};
use crate::{
    domain::{
        agreement::Side,
        codes::Purpose,
        consent::{ConsentMethod, Exception, Item, Recipient},
        digest::Digest,
        field::FieldClass,
        ids::Jti,
        party::PartyId,
        time::Timestamp,
    },
    message::disclosed::Pseudonym,
};

/// The answers.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    form: String,
    given: Day,
    until: Day,
    how: ConsentMethod,
    #[serde(default)]
    scan: Option<String>,
    #[serde(default)]
    scan_sha256: Option<Digest>,
    #[serde(default)]
    person: Person,
    explained: Explained,
    place: Place,
    #[serde(default)]
    witness: String,
    #[serde(default)]
    representative: Representative,
    boxes: BTreeMap<String, Mark>,
}

/// What stands in a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// ✓: may be told.
    Yes,
    /// ×: must not be told.
    No,
    /// Nothing: is not told.
    Blank,
}

/// What the scan of the signed paper is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scan {
    /// A file, beside the answers.
    File(String),
    /// Its SHA-256.
    Digest(Digest),
}

/// The claims of a consent that the answers make, without those that its signature adds.
#[derive(Clone)]
pub struct Draft {
    /// Who collected it and signs.
    pub collector: PartyId,
    /// Pseudonym of the person in them.
    pub pseudonym: Pseudonym,
    /// The claims.
    pub claims: Value,
}

/// Why answers make no consent. Names boxes and members, never what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswersError {
    /// Not TOML, or not of the template's form.
    #[error("the answers cannot be read: {0}")]
    Syntax(String),
    /// Of another form.
    #[error("the answers are of another form than this one: compare the numbers on the paper and in the answers")]
    AnotherForm,
    /// Boxes that the form does not have.
    #[error("the form has no box {}", .0.join(", "))]
    NotOffered(Vec<String>),
    /// Boxes without an answer.
    #[error("no answer for the boxes {}", .0.join(", "))]
    Unanswered(Vec<String>),
    /// Nothing is ticked.
    #[error("no box is ticked: that is no consent")]
    NothingTicked,
    /// The day of the signature is not there yet.
    #[error("given is a day in the future: write the day on which it was signed")]
    Future,
    /// It ends before it begins.
    #[error("until is a day before given: write the last day on which it holds")]
    EndsFirst,
    /// A member is not as the form allows.
    #[error("{0} is missing, or not what the form allows")]
    Member(&'static str),
}

impl AnswersError {
    /// The same in Japanese.
    #[must_use]
    pub fn ja(&self) -> String {
        match self {
            Self::Syntax(reason) => format!("記入内容のファイルを読めません: {reason}"),
            Self::AnotherForm => "記入内容は別の同意書のものです。紙と記入内容の番号を比べてください".to_owned(),
            Self::NotOffered(boxes) => format!("同意書にない四角です: {}", boxes.join("、")),
            Self::Unanswered(boxes) => format!("答えのない四角があります: {}", boxes.join("、")),
            Self::NothingTicked => "✓が一つもありません。これでは同意になりません".to_owned(),
            Self::Future => "given が未来の日です。署名した日を書いてください".to_owned(),
            Self::EndsFirst => "until が given より前の日です。有効な最後の日を書いてください".to_owned(),
            Self::Member(member) => format!("{member} が空か、同意書にない書き方です"),
        }
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    #[serde(default)]
    pseudonym: String,
    #[serde(default)]
    supersedes: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explained {
    by: String,
    how: Vec<String>,
    understood: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    kind: PlaceKind,
    #[serde(default)]
    detail: String,
}

/// The words of the form for places.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlaceKind {
    Office,
    Home,
    Hospital,
    Custody,
    Other,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Representative {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    authority: String,
}

/// A day in Japan.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Day {
    starts: Timestamp,
}

impl Day {
    fn ends(self) -> Timestamp {
        self.starts.plus_secs(86_400)
    }
}

impl TryFrom<String> for Day {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let starts = format!("{text}T00:00:00+09:00").parse().map_err(|_| "a day is written YYYY-MM-DD")?;
        Ok(Self { starts })
    }
}

impl Answers {
    /// Reads a filled answer file.
    pub fn read(text: &str) -> Result<Self, AnswersError> {
        // The message names the line and what was expected. It may quote a code, and the file holds no more of the person than the collector wrote.
        toml::from_str(text).map_err(|error| AnswersError::Syntax(error.message().to_owned()))
    }

    /// How the scan of the signed paper is known.
    pub fn scan(&self) -> Result<Scan, AnswersError> {
        match (self.scan.as_deref().filter(|file| !file.is_empty()), self.scan_sha256) {
            (Some(file), None) => Ok(Scan::File(file.to_owned())),
            (None, Some(digest)) => Ok(Scan::Digest(digest)),
            _ => Err(AnswersError::Member("scan")),
        }
    }

    /// The pseudonym of the person, if it has one already.
    pub fn pseudonym(&self) -> Result<Option<Pseudonym>, AnswersError> {
        filled(&self.person.pseudonym).map(|text| text.parse().map_err(|_| AnswersError::Member("person.pseudonym"))).transpose()
    }
}

impl Form {
    /// What the answers to this form say `now`, with the digest of the scan and a pseudonym for a person that has none yet.
    pub fn answered(&self, answers: &Answers, scan: Digest, pseudonym: &Pseudonym, now: Timestamp) -> Result<Draft, AnswersError> {
        let number = self.number();
        if answers.form != number {
            return Err(AnswersError::AnotherForm);
        }
        let offered: Vec<String> = self.boxes().map(|(name, ..)| name).collect();
        let foreign: Vec<String> = answers.boxes.keys().filter(|name| !offered.contains(name)).cloned().collect();
        if !foreign.is_empty() {
            return Err(AnswersError::NotOffered(foreign));
        }
        let open: Vec<String> = offered.into_iter().filter(|name| !answers.boxes.contains_key(name)).collect();
        if !open.is_empty() {
            return Err(AnswersError::Unanswered(open));
        }
        if answers.given.starts > now {
            return Err(AnswersError::Future);
        }
        if answers.until.starts < answers.given.starts {
            return Err(AnswersError::EndsFirst);
        }
        if !self.methods.iter().any(|method| method.code == answers.how.as_str()) {
            return Err(AnswersError::Member("how"));
        }
        let (items, refused) = self.marked(&answers.boxes);
        if items.is_empty() {
            return Err(AnswersError::NothingTicked);
        }
        let pseudonym = answers.pseudonym()?.unwrap_or_else(|| pseudonym.clone());
        let mut claims = json!({
            "nbf": answers.given.starts.secs(),
            "exp": answers.until.ends().secs(),
            "sub": pseudonym,
            "items": items,
            "refused": refused,
            "how": answers.how,
            "form": {"ver": number, "sha256": scan},
            "expl": {
                "by": needed("explained.by", &answers.explained.by)?,
                "how": answers.explained.how,
                "understood": needed("explained.understood", &answers.explained.understood)?,
            },
            "place": answers.place.words()?,
        });
        let mut add = |name: &str, value: Value| claims.as_object_mut().map(|members| members.insert(name.to_owned(), value));
        if let Some(witness) = filled(&answers.witness) {
            add("witness", json!(witness));
        }
        if let Some(before) = filled(&answers.person.supersedes) {
            let before: Jti = before.parse().map_err(|_| AnswersError::Member("person.supersedes"))?;
            add("sup", json!(before));
        }
        if let Some(representative) = self.representative(&answers.representative)? {
            add("rep", representative);
        }
        Ok(Draft { collector: self.collector.code.clone(), pseudonym, claims })
    }

    fn marked(&self, marks: &BTreeMap<String, Mark>) -> (Vec<Item>, Vec<Exception>) {
        let (mut items, mut refused) = (Vec::new(), Vec::new());
        for column in &self.columns {
            let of = |mark: Mark, cell: Option<Cell>| -> Vec<FieldClass> {
                let own = self.boxes().filter(|(_, other, ..)| other.letter == column.letter);
                let marked = own.filter(|(name, _, _, found)| marks.get(name) == Some(&mark) && cell.is_none_or(|cell| cell == *found));
                marked.map(|(_, _, line, _)| line.class).collect()
            };
            let (cls, tick) = (of(Mark::Yes, Some(Cell::Plain)), of(Mark::Yes, Some(Cell::Each)));
            if !cls.is_empty() || !tick.is_empty() {
                let pur: Vec<Purpose> = column.purposes.iter().map(|purpose| purpose.code).collect();
                items.push(Item { rcp: vec![Recipient::Party(column.party.clone())], pur, cls, tick });
            }
            let no = of(Mark::No, None);
            if !no.is_empty() {
                refused.push(Exception { rcp: vec![Side::Party(column.party.clone())], pur: None, cls: Some(no) });
            }
        }
        (items, refused)
    }

    fn representative(&self, given: &Representative) -> Result<Option<Value>, AnswersError> {
        let Some(kind) = filled(&given.kind).filter(|kind| *kind != "none") else { return Ok(None) };
        if !self.representatives.iter().any(|known| known.code == kind) {
            return Err(AnswersError::Member("representative.kind"));
        }
        Ok(Some(json!({"kind": kind, "authority": needed("representative.authority", &given.authority)?})))
    }

    /// An answer file with nothing ticked yet.
    #[must_use]
    pub fn template(&self, today: Timestamp) -> String {
        let day = |at: Timestamp| at.plus_secs(9 * 3600).to_string().chars().take(10).collect::<String>();
        let codes =
            |list: &[super::offer::Coded<String>]| list.iter().map(|c| format!("{} {}", c.code, c.ja)).collect::<Vec<_>>().join(" / ");
        let mut lines = vec![
            "# 同意書の記入内容。署名された紙のとおりに書き写す。".to_owned(),
            "# What the signed paper says. Copy it as it is.".to_owned(),
            format!("form = \"{}\"  # 同意書の番号（紙の右上）", self.number()),
            format!("given = \"{}\"  # 署名した日 the day it was signed", day(today)),
            format!("until = \"{}\"  # この日まで（一年以内） the last day, within a year", day(today.plus_secs(364 * 86_400))),
            format!("how = \"paper_signed\"  # {}", codes(&self.methods)),
            "scan = \"scan.pdf\"  # 署名された紙の写し（このファイルからの場所）。scan_sha256 = \"…\" でもよい".to_owned(),
            "witness = \"\"  # 立会人の名前と立場。口頭・身体を拘束された場所では必ず".to_owned(),
            String::new(),
            "[person]".to_owned(),
            "pseudonym = \"\"  # 空なら新しく作る。置き換えるときは前と同じもの".to_owned(),
            "supersedes = \"\"  # 置き換える同意の番号".to_owned(),
            String::new(),
            "[explained]".to_owned(),
            "by = \"\"  # 説明した職員の仮名".to_owned(),
            "how = [\"ふりがなのある紙\", \"読み上げ\"]".to_owned(),
            "understood = \"\"  # わかったことの確かめ方".to_owned(),
            String::new(),
            "[place]".to_owned(),
            "kind = \"office\"  # office 役所・事務所 / home 自宅・住まい / hospital 病院 / custody 身体を拘束された場所 / other そのほか"
                .to_owned(),
            "detail = \"\"".to_owned(),
            String::new(),
            "[representative]".to_owned(),
            format!("kind = \"none\"  # none なし / {}", codes(&self.representatives)),
            "authority = \"\"  # 権限を示す書類".to_owned(),
            String::new(),
            "# yes ✓ 伝えてよい / no × 伝えないでほしい / blank 何も書いていない".to_owned(),
            "[boxes]".to_owned(),
        ];
        let mut letter = None;
        for (name, column, line, _) in self.boxes() {
            if letter != Some(column.letter) {
                letter = Some(column.letter);
                lines.push(format!("# {} {} ({})", column.letter, one_line(&column.ja), column.party));
            }
            lines.push(format!("{name} = \"blank\"  # {}", one_line(&line.sentence)));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl Place {
    fn words(&self) -> Result<String, AnswersError> {
        let code = match self.kind {
            PlaceKind::Office => "office",
            PlaceKind::Home => "home",
            PlaceKind::Hospital => "hospital",
            PlaceKind::Custody => "custody",
            PlaceKind::Other => return needed("place.detail", &self.detail).map(str::to_owned),
        };
        Ok(filled(&self.detail).map_or_else(|| code.to_owned(), |detail| format!("{code} {detail}")))
    }
}

fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn needed<'a>(member: &'static str, text: &'a str) -> Result<&'a str, AnswersError> {
    filled(text).ok_or(AnswersError::Member(member))
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("form", &self.form).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("collector", &self.collector).finish_non_exhaustive()
    }
}
