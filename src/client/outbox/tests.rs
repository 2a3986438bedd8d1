use super::*;
use crate::{
    client::{Identity, identity::tests::Folder, pinned::tests::Stage},
    domain::{agreement::AgreementAct, refusal::RefusalCode},
    message::{
        objects::{AgreementSignature, SignedObject as _},
        submission::AgreementRef,
    },
};

struct Desk {
    folder: Folder,
    client: Client,
}

impl Desk {
    fn new() -> Self {
        let folder = Folder::new(&Stage::new());
        let client = Client::new(Identity::load(folder.0.path()).unwrap()).unwrap();
        Self { folder, client }
    }

    fn outbox(&self) -> Outbox {
        Outbox::of(self.folder.0.path()).unwrap()
    }

    fn parcel(&self) -> Parcel {
        let agr = AgreementRef { id: "AG-13-0001".parse().unwrap(), ver: 1, sha256: Digest([1; 32]) };
        let signature = AgreementSignature { issued: self.client.issued().unwrap(), agr, act: AgreementAct::Accept };
        let token = signature.sign(&self.client.identity.signing).unwrap();
        let target = "/v1/agreements/AG-13-0001/1/signatures";
        Parcel::object(&self.client, Operation::AgreementSign, target, Purpose::Administration, token).unwrap()
    }
}

#[test]
fn what_is_put_is_there_after_a_restart_and_only_for_its_owner() {
    let desk = Desk::new();
    let parcel = desk.parcel();
    desk.outbox().put(&parcel).unwrap();
    desk.outbox().put(&parcel).unwrap();
    let item = desk.outbox().get(&parcel.jti()).unwrap();
    assert_eq!((item.parcel == parcel, item.fate), (true, Fate::Waiting));
    assert_eq!(desk.outbox().list().unwrap().items.len(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(desk.outbox().folder()), 0o700);
    assert_eq!(mode(&desk.outbox().file(&parcel.jti(), PARCEL)), 0o600);
    let Content::Object(token) = &parcel.content else { unreachable!() };
    assert!(!format!("{parcel:?}").contains(token.as_str()));
}

#[test]
fn a_half_written_file_is_never_taken_for_a_parcel() {
    let desk = Desk::new();
    let outbox = desk.outbox();
    fs::write(outbox.folder().join(BESIDE), "{\"v\":1,").unwrap();
    assert!(outbox.list().unwrap().items.is_empty());
    outbox.put(&desk.parcel()).unwrap();
    assert_eq!(outbox.list().unwrap().items.len(), 1);
    assert!(!outbox.folder().join(BESIDE).exists());
}

#[test]
fn a_changed_or_exposed_file_is_refused_and_an_unknown_one_is_not_there() {
    let desk = Desk::new();
    let (outbox, parcel) = (desk.outbox(), desk.parcel());
    assert!(matches!(outbox.get(&parcel.jti()), Err(OutboxError::Unknown(_))));
    outbox.put(&parcel).unwrap();
    let file = outbox.file(&parcel.jti(), PARCEL);
    let text = fs::read_to_string(&file).unwrap();
    for changed in [text.replace("\"v\":1", "\"v\":2"), text.replace("ey", "fy"), text.replace("party", "partie"), String::new()] {
        fs::write(&file, changed).unwrap();
        assert!(matches!(outbox.get(&parcel.jti()), Err(OutboxError::Damaged(_))));
    }
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(outbox.get(&parcel.jti()), Err(OutboxError::File(ConfigError::Exposed { .. }))));
}

#[test]
fn another_content_under_the_same_id_is_refused() {
    let desk = Desk::new();
    let parcel = desk.parcel();
    desk.outbox().put(&parcel).unwrap();
    let other = Parcel { target: "/v1/consents".to_owned(), ..parcel.clone() };
    assert!(matches!(desk.outbox().put(&other), Err(OutboxError::Taken(jti)) if jti == parcel.jti()));
}

#[test]
fn a_refusal_is_remembered_and_a_receipt_outlives_it() {
    let desk = Desk::new();
    let (outbox, parcel) = (desk.outbox(), desk.parcel());
    outbox.put(&parcel).unwrap();
    let refused = Refused {
        time: Timestamp::from_secs(1_790_812_800),
        code: "state_conflict".to_owned(),
        title: "t".to_owned(),
        detail: "d".to_owned(),
        violations: vec![ProblemRow { field: "sub".to_owned(), rule: "in_use".to_owned(), class: None }],
    };
    outbox.refused(&parcel.jti(), &refused).unwrap();
    assert_eq!(outbox.get(&parcel.jti()).unwrap().fate, Fate::Refused(refused));
    outbox.delivered(&parcel.jti(), b"{}").unwrap();
    assert_eq!(outbox.get(&parcel.jti()).unwrap().fate, Fate::Delivered);
    assert_eq!(outbox.list().unwrap().items.len(), 1, "receipts and refusals are no parcels");
}

#[test]
fn a_damaged_file_hides_no_other_and_is_named_without_its_content() {
    let desk = Desk::new();
    let (outbox, good, bad, noted) = (desk.outbox(), desk.parcel(), desk.parcel(), desk.parcel());
    for parcel in [&good, &bad, &noted] {
        outbox.put(parcel).unwrap();
    }
    fs::write(outbox.file(&bad.jti(), PARCEL), "{\"family_name\":\"小波\"}").unwrap();
    outbox.write(&outbox.file(&noted.jti(), REFUSAL), "小波".as_bytes()).unwrap();
    let Listing { items, damaged } = outbox.list().unwrap();
    assert_eq!(items.iter().map(|item| item.parcel.jti()).collect::<Vec<_>>(), [good.jti()]);
    let mut named = [outbox.file(&bad.jti(), PARCEL), outbox.file(&noted.jti(), REFUSAL)];
    named.sort();
    let mut told: Vec<_> =
        damaged.iter().map(|error| if let OutboxError::Damaged(file) = error { file.clone() } else { panic!("{error}") }).collect();
    told.sort();
    assert_eq!(told, named);
    assert!(damaged.iter().all(|error| !format!("{error} {error:?} {}", error.ja()).contains("小波")));
}

#[test]
fn what_was_refused_is_put_away_and_taken_back_and_nothing_else_is() {
    let desk = Desk::new();
    let (outbox, parcel) = (desk.outbox(), desk.parcel());
    let jti = parcel.jti();
    outbox.put(&parcel).unwrap();
    assert!(matches!(outbox.drop_refused(&jti, false), Err(OutboxError::NotRefused(_))), "it may have arrived");
    let (code, title, detail) = ("not_found".to_owned(), "t".to_owned(), "d".to_owned());
    outbox.refused(&jti, &Refused { time: Timestamp::from_secs(1_790_812_800), code, title, detail, violations: Vec::new() }).unwrap();
    outbox.drop_refused(&jti, false).unwrap();
    assert!(outbox.list().unwrap().items.is_empty() && matches!(outbox.get(&jti), Err(OutboxError::Unknown(_))));
    assert_eq!(outbox.dropped().unwrap(), [jti]);
    assert!(outbox.take_back(&jti).unwrap() && !outbox.take_back(&jti).unwrap());
    let item = outbox.get(&jti).unwrap();
    assert!(item.parcel == parcel && matches!(item.fate, Fate::Refused(refused) if refused.code == "not_found"), "as it was");
    outbox.delivered(&jti, b"{}").unwrap();
    assert!(matches!(outbox.drop_refused(&jti, false), Err(OutboxError::NotRefused(_))), "a receipt is evidence");
}

#[test]
fn only_what_judges_the_object_ends_the_waiting() {
    let desk = Desk::new();
    let outbox = desk.outbox();
    let told = |code: &str, status: u16| {
        let document = json!({
            "type": format!("urn:tsunagi:problem:{code}"), "title": "t", "status": status, "code": code, "detail": "d", "instance": "i",
            "violations": [{"field": "sub", "rule": "in_use"}],
        });
        Problem::read(status, document.to_string().as_bytes()).unwrap()
    };
    for code in RefusalCode::ALL.iter().copied() {
        let parcel = desk.parcel();
        outbox.put(&parcel).unwrap();
        desk.client.note(&outbox, &parcel.jti(), &told(code.as_str(), code.status())).unwrap();
        let about_the_call = match code.status() {
            401 | 405 | 406 | 411 | 415 | 429 | 431 | 503 => true,
            403 => matches!(code, RefusalCode::UnknownParty | RefusalCode::BadIdentity | RefusalCode::PartySuspended),
            400 => matches!(code, RefusalCode::BadRequest | RefusalCode::BadEnvelope | RefusalCode::DecryptFailed),
            _ => false,
        };
        match outbox.get(&parcel.jti()).unwrap().fate {
            Fate::Refused(refused) => assert_eq!((about_the_call, refused.violations.len()), (false, 1), "{code}"),
            fate => assert_eq!((about_the_call, fate), (true, Fate::Waiting), "{code}"),
        }
    }
    let parcel = desk.parcel();
    outbox.put(&parcel).unwrap();
    desk.client.note(&outbox, &parcel.jti(), &told("of_a_later_version", 403)).unwrap();
    assert_eq!(outbox.get(&parcel.jti()).unwrap().fate, Fate::Waiting);
}

#[tokio::test]
async fn a_stored_answer_that_does_not_verify_is_not_believed_and_a_foreign_parcel_is_not_sent() {
    let desk = Desk::new();
    let (outbox, parcel) = (desk.outbox(), desk.parcel());
    outbox.put(&parcel).unwrap();
    outbox.delivered(&parcel.jti(), b"{}").unwrap();
    assert!(matches!(desk.client.deliver(&outbox, &parcel.jti()).await, Err(ClientError::Unverified(_))));

    let foreign = Parcel { jti: desk.client.ids().jti().unwrap(), gateway: "https://elsewhere.example".to_owned(), ..parcel };
    outbox.put(&foreign).unwrap();
    let outcome = desk.client.deliver(&outbox, &foreign.jti()).await;
    assert!(matches!(outcome, Err(ClientError::Outbox(OutboxError::Foreign(_)))));
}
