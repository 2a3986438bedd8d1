//! The paper form of a consent: the same for the same agreement, with one box for each class and recipient that could ever be shown, and no other; what
//! a filled one makes, and what it refuses.

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use serde_json::{Value, json};
use tsunagi::{
    domain::{
        agreement::{Agreement, AgreementState},
        case::Relation,
        codes::{BasisGroup, Purpose},
        consent::ConsentState,
        digest::Digest,
        field::FieldClass,
        party::{PartyId, PartyKind},
        time::Timestamp,
    },
    form::{Answers, AnswersError, Basis, Cell, Draft, Form, FormError, Labels, PageError},
    message::{
        objects::{ConsentGiven, SignedObject as _},
        sha256,
    },
    policy::{Key, PolicySet},
};

const CENTRE: &str = "settlement_center:13-1";
const CITY: &str = "municipality:131016-1";
const CORE: &str = "core_center:131016-1";
const HOME: &str = "group_home:1320100017";
const TODAY: Timestamp = Timestamp::from_secs(1_795_305_600);

static POLICY: LazyLock<PolicySet> = LazyLock::new(|| PolicySet::builtin().unwrap());

#[test]
fn the_form_of_the_example_is_the_published_one() {
    let page = form(&[]).render();
    let golden = root().join("tests/it/consent_form/form.html");
    if std::env::var_os("TSUNAGI_BLESS").is_some() {
        fs::write(&golden, &page).unwrap();
    }
    assert!(page == fs::read_to_string(golden).unwrap(), "the form changed: look at it, then run with TSUNAGI_BLESS=1");
    assert_eq!(form(&[]).render(), page, "and it is the same each time");
}

#[test]
fn each_class_that_could_ever_reach_a_recipient_has_one_box_and_nothing_else_has() {
    for recipients in [vec![], vec![CITY], vec![HOME, CITY], vec![CENTRE, HOME, CITY]] {
        let form = form(&recipients);
        let page = form.render();
        let names: Vec<&str> = page.split("data-box=\"").skip(1).map(|behind| behind.split('"').next().unwrap()).collect();
        let offered: Vec<_> = form.boxes().collect();
        let known: BTreeSet<&str> = offered.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names.iter().copied().collect::<BTreeSet<_>>(), known, "the page has the boxes of the form");
        assert_eq!((names.len(), offered.len()), (known.len(), known.len()), "each once");
        let of_parties: Vec<PartyId> = match recipients.as_slice() {
            [] => agreement().0.parties,
            named => named.iter().map(|party| party.parse().unwrap()).collect(),
        };
        let mut expected = 0;
        for party in &of_parties {
            for class in FieldClass::ALL {
                let could = could_be_shown(party, *class);
                let boxes: Vec<_> = offered.iter().filter(|(_, column, line, _)| column.party == *party && line.class == *class).collect();
                assert_eq!(boxes.len(), usize::from(could.is_some()), "{party} {class}");
                assert_eq!(boxes.first().map(|(.., cell)| *cell), could, "{party} {class}");
                expected += boxes.len();
            }
        }
        assert_eq!(offered.len(), expected);
        assert!(expected > 20, "{expected}");
    }
}

/// By itself: is there a sender, a message and a situation in which the policies show the class to the party, with a consent that covers or ticks it?
fn could_be_shown(party: &PartyId, class: FieldClass) -> Option<Cell> {
    if [FieldClass::Routing, FieldClass::Task, FieldClass::ConsentMeta, FieldClass::ConsentScan, FieldClass::Prohibited].contains(&class) {
        return None;
    }
    let agreement = agreement().0;
    let mut found = None;
    for flow in &agreement.flows {
        let senders = PartyKind::ALL.iter().filter(|kind| flow.from.to_string() == kind.as_str());
        let to = flow.to.to_string();
        if !flow.classes.contains(&class) || (to != party.kind().as_str() && to != party.to_string()) {
            continue;
        }
        for sender in senders {
            for kind in &flow.kinds {
                for purpose in &flow.purposes {
                    for relation in Relation::ALL {
                        for (consent, cell) in [(ConsentState::Covers, Cell::Plain), (ConsentState::CoversTicked, Cell::Each)] {
                            let key = Key {
                                reader: party.kind(),
                                sender: *sender,
                                class,
                                purpose: *purpose,
                                kind: *kind,
                                relation: *relation,
                                basis: BasisGroup::Consent,
                                agreement: AgreementState::Covers,
                                consent,
                                named: true,
                            };
                            if POLICY.decide(&key).allow && found != Some(Cell::Plain) {
                                found = Some(cell);
                            }
                        }
                    }
                }
            }
        }
    }
    found
}

#[test]
fn every_word_that_is_the_forms_own_has_its_reading() {
    let page = form(&[]).render();
    let (_, body) = page.split_once("<body>").unwrap();
    let mut left = String::new();
    let mut rest = body;
    while let Some((before, behind)) = rest.split_once("<ruby>") {
        left.push_str(before);
        rest = behind.split_once("</ruby>").unwrap().1;
    }
    left.push_str(rest);
    // What others wrote stands as they wrote it; here it is written in kana, but for the days of the calendar.
    let kanji: BTreeSet<char> = left.chars().filter(|char| ('\u{4e00}'..='\u{9fff}').contains(char) && !"年月日".contains(*char)).collect();
    assert_eq!(kanji, BTreeSet::new());
    assert!(page.matches("<rt>").count() > 300);
}

#[test]
fn what_a_form_cannot_be_made_of_is_refused() {
    let offer = |collector: &str, recipients: &[&str]| make(collector, recipients).unwrap_err();
    assert!(matches!(offer(HOME, &[]), FormError::Collector(_)), "a provider collects none");
    assert!(matches!(offer("probation_office:13-1", &[]), FormError::Collector(_)), "not of the agreement");
    assert!(matches!(offer(CENTRE, &["municipality:131024-1"]), FormError::NothingFor(_)), "a municipality that is not of it");
    assert!(matches!(offer(CENTRE, &["rehab_facility:4011001098993-1"]), FormError::NothingFor(_)));
    assert!(matches!(offer(CENTRE, &["auditor:tokyo"]), FormError::NothingFor(_)));
    assert!(matches!(offer(CENTRE, &[CITY, CITY]), FormError::Twice(_)));
    for error in [offer(HOME, &[]), offer(CENTRE, &[CITY, CITY])] {
        assert_ne!(error.to_string(), error.ja());
    }
}

#[test]
fn a_page_is_read_back_only_as_it_was_made() {
    let form = form(&[]);
    let page = form.render();
    assert_eq!(Form::read(page.as_bytes()).unwrap(), form);
    assert!(page.contains(&form.number()) && form.number().chars().count() <= 40);
    for (before, after) in [
        ("データ", "でーた"),
        ("data-box=\"A1\"", "data-box=\"A99\""),
        ("\"cells\":[\"plain\"", "\"cells\":[\"each\""),
        (form.number().as_str(), "doui1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("</body>", "<p>x</p></body>"),
    ] {
        let changed = page.replacen(before, after, 1);
        if changed != page {
            assert!(matches!(Form::read(changed.as_bytes()), Err(PageError::Altered)), "{before}");
        }
    }
    for bad in [&b"<html></html>"[..], b"", &[0xff, 0xfe]] {
        assert!(matches!(Form::read(bad), Err(PageError::NoForm)));
    }
    // What others wrote cannot leave its place.
    let mut hostile = agreement().0;
    hostile.title = "</script><script>alert(1)</script>\"&".to_owned();
    let page = offered(&hostile, CENTRE, &[]).unwrap().render();
    assert!(!page.contains("<script>alert"));
    assert_eq!(Form::read(page.as_bytes()).unwrap().agreement.title, hostile.title);
}

#[test]
fn the_number_changes_with_everything_that_is_printed() {
    let base = form(&[CITY, HOME]);
    let mut numbers = BTreeSet::from([base.number(), form(&[HOME, CITY]).number(), form(&[CITY]).number()]);
    let changes: Vec<fn(&mut Form)> = vec![
        |form| form.columns[0].ja.push('ー'),
        |form| form.lines[0].sentence.push('ー'),
        |form| form.lines[0].cells[0] = Cell::Each,
        |form| form.agreement.ver += 1,
        |form| form.agreement.terms[0].push('ー'),
        |form| form.custody_days += 1,
        |form| form.collector.ja.push('ー'),
        |form| drop(form.columns[0].purposes.pop()),
    ];
    for change in &changes {
        let mut other = base.clone();
        change(&mut other);
        numbers.insert(other.number());
    }
    assert_eq!(numbers.len(), 3 + changes.len());
}

#[test]
fn a_filled_form_says_what_is_ticked_and_what_is_crossed() {
    let form = form(&[CITY, HOME]);
    let plain = name_of(&form, CITY, |cell| cell == Cell::Plain);
    let each = name_of(&form, CITY, |cell| cell == Cell::Each);
    let crossed = name_of(&form, HOME, |cell| cell == Cell::Plain);
    let draft = answer(&form, |text| {
        mark(&mark(&mark(text, &plain.0, "yes"), &each.0, "yes"), &crossed.0, "no")
            .replace("witness = \"\"", "witness = \"弁護士\"")
            .replace("kind = \"office\"", "kind = \"custody\"")
            .replace("detail = \"\"", "detail = \"面会室\"")
    })
    .unwrap();
    let claims = &draft.claims;
    assert_eq!(claims["items"], json!([{"rcp": [CITY], "pur": purposes(&form, CITY), "cls": [plain.1], "tick": [each.1]}]));
    assert_eq!(claims["refused"], json!([{"rcp": [HOME], "cls": [crossed.1]}]));
    assert_eq!(claims["form"], json!({"ver": form.number(), "sha256": sha256(b"scan")}));
    assert_eq!((&claims["place"], &claims["witness"]), (&json!("custody 面会室"), &json!("弁護士")));
    assert_eq!((claims.get("rep"), claims.get("sup")), (None, None));
    assert_eq!((claims["nbf"].as_i64().unwrap() + 9 * 3600) % 86_400, 0, "from the morning of the day in Japan");
    assert_eq!((claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap()) / 86_400, 365);

    // A guardian, and a consent in place of another.
    let jti = "5d0f3a52-1c8e-4b7a-9a44-3f3b6f0f7c11";
    let draft = answer(&form, |text| {
        mark(text, &plain.0, "yes")
            .replace("kind = \"none\"", "kind = \"guardianship\"")
            .replace("authority = \"\"", "authority = \"登記事項証明書\"")
            .replace("supersedes = \"\"", &format!("supersedes = \"{jti}\""))
            .replace("pseudonym = \"\"", "pseudonym = \"q3Zr0mX7cV5uT1bK9sLw2A\"")
    })
    .unwrap();
    assert_eq!(draft.claims["rep"], json!({"kind": "guardianship", "authority": "登記事項証明書"}));
    assert_eq!((&draft.claims["sup"], &draft.claims["sub"]), (&json!(jti), &json!("q3Zr0mX7cV5uT1bK9sLw2A")));
}

#[test]
fn answers_that_the_form_does_not_offer_make_no_consent() {
    let form = form(&[CITY, HOME]);
    let plain = name_of(&form, CITY, |cell| cell == Cell::Plain).0;
    let refused = |change: &dyn Fn(&str) -> String| answer(&form, |text| change(&mark(text, &plain, "yes"))).unwrap_err();
    assert_eq!(refused(&|text| format!("{text}\nC1 = \"yes\"\n")), AnswersError::NotOffered(vec!["C1".to_owned()]));
    assert_eq!(refused(&|text| format!("{text}\nA999 = \"blank\"\n")), AnswersError::NotOffered(vec!["A999".to_owned()]));
    let line = |text: &str, name: &str| text.lines().find(|line| line.starts_with(&format!("{name} ="))).unwrap().to_owned();
    let second = name_of(&form, HOME, |cell| cell == Cell::Plain).0;
    assert_eq!(refused(&|text| text.replace(&line(text, &second), "")), AnswersError::Unanswered(vec![second.clone()]));
    assert_eq!(refused(&|text| mark(text, &plain, "blank")), AnswersError::NothingTicked);
    assert_eq!(refused(&|text| mark(text, &plain, "no")), AnswersError::NothingTicked);
    assert!(matches!(refused(&|text| mark(text, &plain, "maybe")), AnswersError::Syntax(_)));
    assert!(matches!(refused(&|text| text.replace("until =", "till =")), AnswersError::Syntax(_)));
    assert!(matches!(refused(&|text| text.replace("given = \"2", "given = \"x")), AnswersError::Syntax(_)));
    let days = |given: &str, until: &str| {
        refused(&|text| {
            let text = text.replace(&line(text, "given"), &format!("given = \"{given}\""));
            text.replace(&line(&text, "until"), &format!("until = \"{until}\""))
        })
    };
    assert_eq!(days("2999-01-01", "2999-06-01"), AnswersError::Future);
    assert_eq!(days("2020-01-02", "2020-01-01"), AnswersError::EndsFirst);
    let other = make(CENTRE, &[CITY]).unwrap().number();
    assert_eq!(refused(&|text| text.replace(&form.number(), &other)), AnswersError::AnotherForm);
    assert_eq!(refused(&|text| text.replace("\"paper_signed\"", "\"electronic\"")), AnswersError::Member("how"));
    assert_eq!(refused(&|text| text.replace("kind = \"none\"", "kind = \"applying\"")), AnswersError::Member("representative.kind"));
    assert_eq!(refused(&|text| text.replace("kind = \"none\"", "kind = \"minor\"")), AnswersError::Member("representative.authority"));
    assert_eq!(refused(&|text| text.replace("kind = \"office\"", "kind = \"other\"")), AnswersError::Member("place.detail"));
    assert_eq!(refused(&|text| text.replace("by = \"staff-1\"", "by = \"\"")), AnswersError::Member("explained.by"));
    assert_eq!(refused(&|text| text.replace("supersedes = \"\"", "supersedes = \"x\"")), AnswersError::Member("person.supersedes"));
    assert_eq!(refused(&|text| text.replace("pseudonym = \"\"", "pseudonym = \"山田太郎\"")), AnswersError::Member("person.pseudonym"));
}

/// Over every box: ticked alone, the record holds its class for its recipient, and nothing else; and a gateway would take it.
#[test]
fn each_box_ticked_alone_makes_a_record_of_itself_alone() {
    let form = form(&[CITY, HOME, CENTRE]);
    for (name, column, line, cell) in form.boxes() {
        let draft = answer(&form, |text| mark(text, &name, "yes")).unwrap();
        let (cls, tick) = if cell == Cell::Plain { (json!([line.class]), json!([])) } else { (json!([]), json!([line.class])) };
        let purposes: Vec<Purpose> = column.purposes.iter().map(|purpose| purpose.code).collect();
        assert_eq!(draft.claims["items"], json!([{"rcp": [column.party], "pur": purposes, "cls": cls, "tick": tick}]), "{name}");
        let mut claims = draft.claims.clone();
        for (member, value) in
            [("iss", json!(CENTRE)), ("aud", json!("https://gateway.example")), ("jti", json!("5d0f3a52-1c8e-4b7a-9a44-3f3b6f0f7c11"))]
        {
            claims[member] = value;
        }
        claims["iat"] = json!(TODAY.secs());
        ConsentGiven::from_claims(&claims).unwrap().keeps(POLICY.consent_terms(), TODAY).unwrap();
    }
}

fn name_of(form: &Form, party: &str, is: impl Fn(Cell) -> bool) -> (String, FieldClass) {
    let found = form.boxes().find(|(_, column, _, cell)| column.party.to_string() == party && is(*cell));
    found.map(|(name, _, line, _)| (name, line.class)).unwrap()
}

fn purposes(form: &Form, party: &str) -> Value {
    let column = form.columns.iter().find(|column| column.party.to_string() == party).unwrap();
    column.purposes.iter().map(|purpose| json!(purpose.code)).collect()
}

/// The template with the collector's own words filled in and then changed.
fn answer(form: &Form, change: impl Fn(&str) -> String) -> Result<Draft, AnswersError> {
    let text = form.template(TODAY).replace("by = \"\"", "by = \"staff-1\"").replace("understood = \"\"", "understood = \"言い直した\"");
    let answers = Answers::read(&change(&text))?;
    form.answered(&answers, sha256(b"scan"), &"a-new-pseudonym-for-the-person".parse().unwrap(), TODAY)
}

fn mark(text: &str, name: &str, mark: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix(&format!("{name} = \"")) {
        Some(rest) => format!("{name} = \"{mark}\"{}\n", rest.split_once('"').unwrap().1),
        None => format!("{line}\n"),
    });
    lines.collect()
}

fn form(recipients: &[&str]) -> Form {
    make(CENTRE, recipients).unwrap()
}

fn make(collector: &str, recipients: &[&str]) -> Result<Form, FormError> {
    offered(&agreement().0, collector, recipients)
}

fn offered(agreement: &Agreement, collector: &str, recipients: &[&str]) -> Result<Form, FormError> {
    let recipients: Vec<PartyId> = recipients.iter().map(|party| party.parse().unwrap()).collect();
    let labels = Labels::builtin().unwrap();
    let basis = Basis {
        agreement,
        sha256: self::agreement().1,
        collector: &collector.parse().unwrap(),
        recipients: &recipients,
        names: &|party| Some(format!("きかん {}", party.code())),
        policy: &POLICY,
        labels: &labels,
    };
    Form::offer(&basis)
}

/// The published example, with what its parties wrote in kana.
fn agreement() -> (Agreement, Digest) {
    let bytes = fs::read(root().join("schemas/examples/agreement.json")).unwrap();
    let mut agreement: Agreement = serde_json::from_slice(&bytes).unwrap();
    "こじんじょうほうのとりあつかいにかんするきょうてい".clone_into(&mut agreement.title);
    "サービスりようちょうせいじむ".clone_into(&mut agreement.purpose_of_use_entry);
    agreement.terms = vec!["ほかのことにはつかわない".to_owned()];
    assert!(agreement.parties.contains(&CORE.parse().unwrap()));
    (agreement, sha256(&bytes))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
