//! The list of disclosures that a person may ask for: it says what was released, no more and no less, to whoever may make it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tsunagi::{
    domain::{
        codes::{MessageKind, Purpose},
        entry::{EntryType, Operation, Outcome},
        ids::Jti,
    },
    message::schema::SchemaSet,
};

use crate::{
    erasure_stage::{erase, printed},
    exchange_stage::{
        AUDITOR, BINARY, CENTRE, MUNICIPALITY as CITY,
        agreement::CORE,
        ledger::Ledger,
        party::{Problem, new_jti},
    },
    life_stage::{BACKUP, DAY, HOME, Life, OFFICE, PLACEMENT, PLANNING, PROVISION, letter},
};

/// What reads of a case showed: index of the entry, reader, purpose, rows.
#[derive(Default)]
struct Reads(BTreeMap<u64, (String, String, BTreeSet<String>)>);

impl Reads {
    async fn read(&mut self, life: &Life, reader: &str, from: &str, message: &Jti, purpose: Purpose) {
        let released = life.read(reader, from, message, purpose).await.unwrap().release;
        let rows = released.disclosed.rows.iter().map(|row| row.key.to_string()).collect();
        self.0.insert(released.binding.tsn.idx, (reader.to_owned(), purpose.to_string(), rows));
    }

    /// The same of one class: who was shown rows of it.
    fn of_class(&self, class: &str) -> BTreeMap<u64, (String, String, BTreeSet<String>)> {
        let schemas = SchemaSet::builtin().unwrap();
        let of = |row: &String| schemas.catalogue().row(&row.parse().unwrap()).unwrap().class.as_str() == class;
        let narrowed = self.0.iter().map(|(at, (reader, purpose, rows))| {
            (*at, (reader.clone(), purpose.clone(), rows.iter().filter(|row| of(row)).cloned().collect::<BTreeSet<String>>()))
        });
        narrowed.filter(|(_, (_, _, rows))| !rows.is_empty()).collect()
    }
}

fn told(list: &Value) -> BTreeMap<u64, (String, String, BTreeSet<String>)> {
    let disclosures = list["disclosures"].as_array().unwrap();
    let one = |told: &Value| {
        let text = |pointer: &str| told.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let rows = told["items"].as_array().unwrap().iter().map(|item| item["field"].as_str().unwrap().to_owned()).collect();
        (told["index"].as_u64().unwrap(), (text("/recipient/party"), text("/purpose/code"), rows))
    };
    disclosures.iter().map(one).collect()
}

fn target(life: &Life, party: &str, query: &str) -> String {
    format!("/v1/cases/{}/disclosures{query}", life.case(party))
}

async fn list(life: &Life, party: &str, purpose: Purpose, query: &str) -> Value {
    life.party(party).json(&target(life, party, query), purpose).await.unwrap()
}

async fn refused(life: &Life, party: &str, purpose: Purpose, target: &str) -> Problem {
    life.party(party).json(target, purpose).await.unwrap_err().problem()
}

/// A case in which everybody read something.
async fn read_by_everybody() -> (Life, Reads) {
    let mut life = Life::referred().await;
    let mut reads = Reads::default();
    let listed = life.party(CITY).json(&format!("/v1/cases/{}/messages", life.case(CITY)), PLACEMENT).await.unwrap();
    let first: Jti = listed["messages"][0]["message"].as_str().unwrap().parse().unwrap();
    reads.read(&life, CITY, CENTRE, &first, PLACEMENT).await;
    reads.read(&life, CITY, CENTRE, &first, BACKUP).await;
    let decision = life.goes(letter(MessageKind::ReferralDecision, CITY, CENTRE).with("decision", "accepted")).await;
    reads.read(&life, CENTRE, CITY, &decision, PLACEMENT).await;
    let request = life.goes(letter(MessageKind::PlacementRequest, CITY, HOME)).await;
    reads.read(&life, HOME, CITY, &request, PLACEMENT).await;
    life.goes(letter(MessageKind::PlacementDecision, HOME, CITY).with("decision", "accepted")).await;
    let plan = life.goes(letter(MessageKind::PlanRequest, CITY, OFFICE)).await;
    reads.read(&life, OFFICE, CITY, &plan, PLANNING).await;
    let hand_off = life.goes(letter(MessageKind::ServiceHandoff, CITY, HOME)).await;
    reads.read(&life, HOME, CITY, &hand_off, PROVISION).await;
    // A sender's look at what it wrote itself discloses nothing to anybody.
    life.read(CITY, CITY, &request, PLACEMENT).await.unwrap();
    (life, reads)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_says_what_was_released_to_whom_and_its_making_is_recorded() {
    let (life, reads) = read_by_everybody().await;
    let made = list(&life, CITY, PLACEMENT, "").await;
    assert_eq!(told(&made), reads.0, "{made}");
    assert_eq!((made["scope"].as_str(), made["cursor"].as_str()), (Some("case"), None));
    let withheld = reads.0.values().filter(|(_, purpose, _)| purpose == BACKUP.as_str()).map(|(.., rows)| rows.len()).sum::<usize>();
    let whole = reads.0.values().filter(|(_, purpose, _)| purpose == PLACEMENT.as_str()).map(|(.., rows)| rows.len()).max().unwrap();
    assert!(withheld < whole, "one read was shown less than another: {withheld} of {whole}");
    // The same page by page.
    let (mut pages, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = list(&life, CITY, PLACEMENT, &format!("?limit=2{cursor}")).await;
        assert!(told(&page).len() <= 2);
        pages.extend(told(&page));
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pages, reads.0);
    let text = made.to_string();
    let example: Value = serde_json::from_slice(&fs::read(root().join("schemas/examples/referral.json")).unwrap()).unwrap();
    for value in [&example["family_name"], &example["given_name"], &example["birth_date"]] {
        assert!(!text.contains(value.as_str().unwrap()), "a value stands in the list");
    }
    // Each has its names, its consent and its agreement.
    for disclosure in made["disclosures"].as_array().unwrap() {
        assert!(disclosure["items"].as_array().unwrap().iter().all(|item| !item["ja"].as_str().unwrap().is_empty()));
        assert_eq!(disclosure["agreement"]["id"], "AG-13-0100");
        if disclosure["kind"]["code"] != "referral_decision" {
            assert_eq!(disclosure["consent"], life.consent.jti.to_string(), "{disclosure}");
        }
    }
    assert_eq!(made["consents"][0]["collector"]["party"], CENTRE);
    // Making it is an entry with its opening, and the case is found by it.
    let ledger = Ledger::read(&life.story.auditor).await;
    let reports: Vec<_> = ledger.records.iter().filter(|record| record.entry.operation == Operation::DisclosureList).collect();
    let first = reports[0];
    assert_eq!(made["ledger"]["index"], first.index);
    assert_eq!((first.entry.entry_type, first.entry.decision), (EntryType::SubjectReport, Outcome::Permit));
    assert_eq!(first.entry.actor.as_ref().unwrap().party.to_string(), CITY);
    let opening = first.opening.as_ref().unwrap();
    assert!(opening.case.is_some() && opening.staff.is_some() && opening.disclosed.is_empty());
    assert_eq!(reports.len(), 1 + reads.0.len().div_ceil(2), "each page is an entry");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_received_a_class_is_the_same_for_the_body_the_auditor_and_a_look_at_every_entry() {
    let (life, reads) = read_by_everybody().await;
    let ledger = Ledger::read(&life.story.auditor).await;
    let schemas = SchemaSet::builtin().unwrap();
    for class in ["criminal_summary", "identity", "wishes", "gov_identifier", "task", "life_history"] {
        let made = list(&life, CITY, PLACEMENT, &format!("?class={class}")).await;
        assert_eq!(told(&made), reads.of_class(class), "{class}");
        // Every entry of the ledger, one by one: which releases of this case show a row of the class.
        let by_force: BTreeSet<u64> = ledger
            .records
            .iter()
            .filter(|record| record.entry.entry_type == EntryType::Release)
            .filter(|record| {
                let shown = &record.opening.as_ref().unwrap().disclosed;
                shown.iter().any(|row| schemas.catalogue().row(row).unwrap().class.as_str() == class)
            })
            .map(|record| record.index)
            .collect();
        let mut found = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let query = format!("/v1/audit/events?case={}&class={class}&type=release&limit=1{cursor}", life.case(CITY));
            let page = life.story.auditor.json(&query, Purpose::AuditReview).await.unwrap();
            found.extend(page["events"].as_array().unwrap().iter().map(|event| event["index"].as_u64().unwrap()));
            let Some(next) = page["cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, by_force, "{class}: the tags and the openings agree");
        // The auditor also sees who looked at its own message.
        assert!(told(&made).keys().all(|index| found.contains(index)), "{class}");
        let who = ["--json", "audit", "who-received", "--case", life.case(CITY), "--class", class];
        let lines = command(&life, AUDITOR, &who, &[]).unwrap();
        let indexes = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["index"].as_u64().unwrap());
        assert_eq!(indexes.collect::<BTreeSet<u64>>(), by_force, "{class}");
    }
    let who = ["--lang", "en", "audit", "who-received", "--case", life.case(CITY), "--class", "identity"];
    let spoken = command(&life, AUDITOR, &who, &[]).unwrap();
    assert!(spoken.contains("bodies received rows of identity") && spoken.contains(CITY) && spoken.contains(HOME), "{spoken}");
    // Behind an erasure nobody is said to have received nothing.
    printed(&erase(&life.sandbox, life.case(CITY), CITY, &[]));
    let query = format!("/v1/audit/events?case={}&class=identity", life.case(CITY));
    let page = life.story.auditor.json(&query, Purpose::AuditReview).await.unwrap();
    assert_eq!((page["events"].as_array().unwrap().len(), page["case_erased"].as_bool()), (0, Some(true)));
    let (code, told) = command(&life, AUDITOR, &who, &[]).unwrap_err();
    assert!(code == 3 && told.contains("erased"), "{code} {told}");
    let unknown = life.story.auditor.json(&format!("/v1/audit/events?case={}", new_jti()), Purpose::AuditReview).await.unwrap();
    assert!(unknown.get("case_erased").is_none());
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_is_told_what_a_stranger_is_told_and_it_is_recorded() {
    let (mut life, _) = read_by_everybody().await;
    let theirs = refused(&life, HOME, PLACEMENT, &target(&life, HOME, "")).await;
    let nowhere = format!("/v1/cases/{}/disclosures", new_jti());
    let none = refused(&life, HOME, PLACEMENT, &nowhere).await;
    assert_eq!((theirs.status, theirs.code.as_str()), (404, "not_found"));
    assert_eq!(without_instance(&theirs), without_instance(&none));
    let stranger = refused(&life, DAY, PLACEMENT, &target(&life, CITY, "")).await;
    assert_eq!(without_instance(&stranger), without_instance(&none));
    let ledger = Ledger::read(&life.story.auditor).await;
    let refusals = ledger.records.iter().filter(|record| record.entry.operation == Operation::DisclosureList);
    let refusals: Vec<_> = refusals.filter(|record| record.entry.decision == Outcome::Deny).collect();
    assert_eq!(refusals.len(), 3);
    assert!(refusals.iter().all(|record| record.entry.reason.as_deref() == Some("not_found")));
    // A desk that may know less hears less, and what it does not hear of leaves no trace.
    let narrow = list(&life, CITY, BACKUP, "").await;
    let classes: BTreeSet<&str> = narrow["left_out"]["classes"].as_array().unwrap().iter().map(|class| class.as_str().unwrap()).collect();
    assert!(classes.contains("criminal_summary") && classes.contains("identity"), "{classes:?}");
    let named = told(&narrow);
    let read_itself = |rows: &BTreeSet<String>| rows.contains("family_name");
    assert!(named.values().all(|(.., rows)| !read_itself(rows)), "{named:?}");
    // Another person's case is another list.
    life.another().await;
    assert!(told(&list(&life, CITY, PLACEMENT, "").await).is_empty());
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_a_consent_is_in_the_list_where_another_body_is_shown_its_record() {
    let (life, reads) = read_by_everybody().await;
    let number = format!("/v1/consents/{}", life.consent.jti);
    for (party, purpose) in [(CENTRE, PLACEMENT), (CENTRE, BACKUP), (HOME, PLACEMENT)] {
        life.party(party).json(&number, purpose).await.unwrap();
    }
    for party in [CITY, CENTRE] {
        let made = list(&life, party, PLACEMENT, "").await;
        assert_eq!(
            told(&made).len(),
            reads.0.len(),
            "its collector's own look-ups and a list of what one may have are no disclosures: {made}"
        );
    }
    for (party, purpose) in [(CITY, PLACEMENT), (HOME, PROVISION)] {
        life.party(party).json(&number, purpose).await.unwrap();
    }
    let made = list(&life, CITY, PLACEMENT, "").await;
    let more: Vec<_> = told(&made).into_iter().filter(|(index, _)| !reads.0.contains_key(index)).map(|(_, read)| read).collect();
    let looked = |party: &str, purpose: Purpose| (party.to_owned(), purpose.to_string(), BTreeSet::from(["consent".to_owned()]));
    assert_eq!(more, [looked(CITY, PLACEMENT), looked(HOME, PROVISION)]);
    let ledger = Ledger::read(&life.story.auditor).await;
    let looks = ledger.records.iter().filter(|record| record.entry.operation == Operation::ConsentRead).count();
    assert_eq!(looks, 5, "each of them is an entry");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_outlives_withdrawal_hand_over_and_closing_and_ends_with_an_erasure() {
    let (mut life, reads) = read_by_everybody().await;
    // The centre collected the consent: while it supports the person too, it is told of providers.
    let shown = told(&list(&life, CENTRE, PLACEMENT, "").await);
    assert!(shown.values().any(|(reader, ..)| reader == HOME), "{shown:?}");
    let own = &shown[shown.keys().next().unwrap()];
    assert_eq!(own, &reads.0[reads.0.keys().next().unwrap()], "it wrote the referral, so it may name all that was read of it");

    life.goes(letter(MessageKind::HandoverProposal, CENTRE, CITY)).await;
    let soon = tsunagi::domain::day::Day::in_japan(crate::exchange_stage::party::now().plus_secs(14 * 86_400)).to_string();
    life.goes(letter(MessageKind::HandoverAgreed, CITY, CENTRE).with("handover_reply", "agreed").with("handover_date", soon)).await;
    let behind = list(&life, CENTRE, PLACEMENT, "").await;
    assert!(told(&behind).values().all(|(reader, ..)| [CITY, CENTRE].contains(&reader.as_str())), "{behind}");
    assert_eq!(behind["left_out"]["providers"], true);

    life.story.register_end(&life.consent, &life.story.sign_end(&life.consent, None)).await.unwrap();
    let withdrawn = list(&life, CITY, PLACEMENT, "").await;
    assert_eq!(told(&withdrawn), reads.0, "what was disclosed stays disclosed");
    assert_eq!(withdrawn["consents"][0]["ended"], true);

    life.goes(letter(MessageKind::ClosingNotice, CITY, HOME)).await;
    let closed = list(&life, CITY, PLACEMENT, "").await;
    assert_eq!(closed["scope"], "own");
    assert_eq!(told(&closed), reads.0, "it sent or received all of it itself");
    let core = refused(&life, CORE, PLACEMENT, &target(&life, CITY, "")).await;
    assert_eq!(core.status, 404, "who was never in it is a stranger");

    printed(&erase(&life.sandbox, life.case(CITY), CITY, &[]));
    for party in [CITY, CENTRE] {
        let gone = refused(&life, party, PLACEMENT, &target(&life, party, "")).await;
        assert_eq!((gone.status, gone.code.as_str()), (410, "erased"), "{party}");
    }
    let provider = refused(&life, HOME, PLACEMENT, &target(&life, HOME, "")).await;
    assert_eq!(provider.status, 404);
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_writes_a_table_that_others_read_and_a_page_that_needs_nothing() {
    let (life, reads) = read_by_everybody().await;
    let folder = tempfile::tempdir().unwrap();
    let (table, page) = (folder.path().join("list.csv"), folder.path().join("list.html"));
    let made = command(&life, CITY, &["--json", "case", "disclosures", life.case(CITY), "--bom"], &[("--csv", &table), ("--print", &page)]);
    let made: Value = serde_json::from_str(&made.unwrap()).unwrap();
    assert_eq!(told(&made["list"]), reads.0);

    let text = fs::read_to_string(&table).unwrap();
    assert!(text.starts_with('\u{feff}') && text.ends_with("\r\n"));
    let rows = parsed(&table);
    assert!(rows.iter().all(|row| row.len() == rows[0].len() && row.len() == 18), "every line has every column");
    let cells = rows[1..].iter().filter(|row| !row[15].is_empty()).map(|row| (row[0].parse().unwrap(), row[3].clone(), row[15].clone()));
    let expected = reads.0.iter().flat_map(|(at, (reader, _, rows))| rows.iter().map(|row| (*at, reader.clone(), row.clone())));
    assert_eq!(cells.collect::<BTreeSet<(u64, String, String)>>(), expected.collect());

    let page = fs::read_to_string(&page).unwrap();
    for outside in ["http://", "https://", "<script", "<link", "<img", "@import", "url("] {
        assert!(!page.contains(outside), "the page asks for {outside}");
    }
    assert!(page.contains("size: A4") && page.contains("<ruby>") && page.contains(HOME) && page.contains("利用調整"));

    let spoken = command(&life, CITY, &["--lang", "ja", "case", "disclosures", life.case(CITY)], &[]).unwrap();
    for word in ["あなたの情報を受け取ったところの一覧", "何のために", "グループホーム", HOME] {
        assert!(spoken.contains(word), "{word}: {spoken}");
    }
    let english = command(&life, CITY, &["--lang", "en", "case", "disclosures", life.case(CITY), "--class", "identity"], &[]).unwrap();
    assert!(english.contains("Who received your information") && !english.contains("Sentence"), "{english}");
    let refused = command(&life, HOME, &["--lang", "en", "case", "disclosures", life.case(HOME)], &[]).unwrap_err();
    assert_eq!(refused.0, 1, "{}", refused.1);
    let again = command(&life, CITY, &["case", "disclosures", life.case(CITY)], &[("--csv", &table)]).unwrap_err();
    assert_eq!(again.0, 2, "never over a file that is there: {}", again.1);
    life.server.stop().await;
}

fn command(life: &Life, party: &str, words: &[&str], files: &[(&str, &Path)]) -> Result<String, (i32, String)> {
    let mut command = Command::new(BINARY);
    command.args(words).stdin(Stdio::null()).env("TSUNAGI_IDENTITY", life.sandbox.identity(&party.parse().unwrap()));
    for (option, file) in files {
        command.arg(option).arg(file);
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err((output.status.code().unwrap(), text(output.stderr))) }
}

/// A table as Python's `csv` module reads it, strictly.
pub(crate) fn parsed(table: &Path) -> Vec<Vec<String>> {
    let program = "import csv, json, sys\n\
                   with open(sys.argv[1], newline='', encoding='utf-8-sig') as table:\n\
                   \x20   print(json.dumps(list(csv.reader(table, strict=True))))";
    let output = Command::new("python3").args(["-c", program]).arg(table).output().expect("python3 reads the table");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn without_instance(problem: &Problem) -> Value {
    let mut document: Value = serde_json::from_str(&problem.text).unwrap();
    document.as_object_mut().unwrap().remove("instance").unwrap();
    document
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
