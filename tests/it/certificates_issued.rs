//! Certificates of a coordination over a gateway: issued by who coordinated, judged by the case's own ledger, passed on, read with what was revoked, and
//! verified from the file alone.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tsunagi::{
    domain::{
        addon::{AddOn, Days, RevocationReason, Statement},
        codes::MessageKind as Kind,
        digest::Digest,
        ids::Jti,
    },
    message::{
        certificate::{Anchor, CertificateFile, Person, ProvenCertificate},
        jws,
        keys::{KeyUse, PublicKey},
        objects::{Certificate, CertificateRef, Revocation, Signed, SignedObject as _},
        profile::CERTIFICATE_CTY,
    },
};

use crate::{
    certificate_fixture::person,
    exchange_stage::{
        CENTRE, MUNICIPALITY as CITY,
        party::{Problem, now},
    },
    life_stage::{ADDON, DAY, HOME, Letter, Life, PLACEMENT, letter},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_goes_from_the_centre_to_the_provider_and_outlives_the_case() {
    let mut life = Life::in_use().await;
    let (token, _) = issue(&life, CENTRE, |_| ()).await;
    life.goes(certifying(CENTRE, CITY, &token, &person())).await;
    assert_eq!(certificates(&life, HOME).await.unwrap(), [], "what is addressed to others is not there");
    assert_eq!(certificates(&life, CENTRE).await.unwrap().len(), 1, "the issuer finds it");
    let [at_city] = certificates(&life, CITY).await.unwrap().try_into().unwrap();
    let proven = verify(&life, &at_city);
    assert_eq!((proven.person(), proven.holds()), (Some(&person()), Some(window())));
    let entries = proven.countersignature().ent.clone();
    assert_eq!(entries.len(), 3, "referral, its acceptance, the placement: no more than show it");

    life.goes(certifying(CITY, HOME, &token, &person())).await;
    let [at_home] = certificates(&life, HOME).await.unwrap().try_into().unwrap();
    assert_eq!(verify(&life, &at_home).countersignature(), proven.countersignature(), "one countersignature, whoever asks");
    assert_eq!(certificates(&life, CITY).await.unwrap().len(), 2, "as it came and as it went");
    says_nothing_it_must_not(&at_home);
    released(&life, &at_home).await;

    let revocation = revoke(&life, CENTRE, &token, |revocation| revocation.from = Some("2027-04-01".parse().unwrap()));
    life.goes(revoking(CENTRE, CITY, &token, &revocation)).await;
    let [at_home] = certificates(&life, HOME).await.unwrap().try_into().unwrap();
    let until = |days: Option<Days>| days.unwrap().until.to_string();
    assert_eq!(until(verify(&life, &at_home).holds()), "2027-03-31", "shown with it from then on, whoever was told");
    let again = life.refused(certifying(CITY, HOME, &token, &person())).await;
    assert_eq!(refusal(&again), (409, "certificate:revoked".to_owned()));

    life.goes(letter(Kind::ClosingNotice, CITY, HOME)).await;
    let [kept] = certificates(&life, HOME).await.unwrap().try_into().unwrap();
    assert_eq!((kept.person.is_none(), &kept.certificate), (true, &at_home.certificate), "behind the end: the proof, and no name");
    assert_eq!(until(verify(&life, &kept).holds()), "2027-03-31");
    assert_eq!(certificates(&life, CENTRE).await.unwrap().len(), 1);
    let late = revoke(&life, CENTRE, &token, |_| ());
    life.goes(revoking(CENTRE, CITY, &token, &late)).await;
    let [dead] = certificates(&life, CITY).await.unwrap().into_iter().take(1).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(verify(&life, &dead).holds(), None, "revoked even then");

    let end = life.story.sign_end(&life.consent, None);
    life.story.register_end(&life.consent, &end).await.unwrap();
    let problem = certificates(&life, HOME).await.unwrap_err();
    assert_eq!((problem.status, problem.code.as_str()), (403, "consent_ended"), "a withdrawal ends this too, at once");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gateway_does_not_vouch_for_is_refused_by_name() {
    let mut life = Life::in_use().await;
    // A provider that was asked and never took the person on.
    life.goes(letter(Kind::Enquiry, CITY, DAY)).await;
    let (good, _) = issue(&life, CENTRE, |_| ()).await;
    let other = Person { given_name: "別人".to_owned(), ..person() };
    let spoilt = spoil(&good);
    let longer = Days { until: "2029-09-01".parse().unwrap(), ..window() };
    let foreign = |certificate: &mut Certificate| certificate.issued.iss = CITY.parse().unwrap();
    let cases: Vec<(Letter, &str)> = vec![
        (certifying(CENTRE, CITY, &good, &other), "certificate:person"),
        (certifying(CENTRE, CITY, &spoilt, &person()), "certificate:signature"),
        (certifying(CENTRE, CITY, "a.b.c", &person()), "certificate:jws"),
        (certifying(CENTRE, CITY, &said(&life, CENTRE, "coordinated_by_probation_office"), &person()), "statement:issuer"),
        (certifying(CENTRE, CITY, &lasting(&life, longer), &person()), "window:within_three_years"),
        (with(&life, |c| c.provider = "1310100019".to_owned()).await, "provider:serves_the_person"),
        (with(&life, |c| c.addons = vec![AddOn::SocialLifeSupport]).await, "addons:addon_rules"),
        (with(&life, |c| c.pol = Digest([7; 32])).await, "pol:in_force"),
        (with(&life, |c| c.issued.aud = "https://elsewhere.example".parse().unwrap()).await, "aud:gateway"),
        (with(&life, |c| c.issued.iat = now().plus_secs(-90_000)).await, "certificate:too_old"),
        (with(&life, |c| c.issued.iat = now().plus_secs(600)).await, "iat:future"),
        (
            with(&life, |c| (c.statement, c.issued.iss) = (Statement::CoordinatedByMunicipalityWithCenter, CITY.parse().unwrap())).await,
            "certificate:issuer",
        ),
        (certifying(CENTRE, CITY, &good, &person()).with("countersignature", good.as_str()), "countersignature:gateway"),
    ];
    for (letter, told) in cases {
        assert_eq!(refusal(&life.refused(letter).await).1, told);
    }
    assert_eq!(certificates(&life, CITY).await.unwrap(), [], "nothing of it came in");
    // Signed by the city, and never taken by the gateway: the city's word of itself is missing the centre's key.
    let (of_city, _) = issue(&life, CITY, foreign).await;
    assert_eq!(refusal(&life.refused(certifying(CENTRE, CITY, &of_city, &person())).await).1, "certificate:issuer");

    let first = life.sign(&certifying(CENTRE, CITY, &good, &person()));
    let accepted = life.post(CENTRE, &first).await.unwrap();
    let [file] = certificates(&life, CITY).await.unwrap().try_into().unwrap();
    let again = life.post(CENTRE, &first).await.unwrap();
    let claims = |token: &Value| {
        Signed::<tsunagi::message::objects::Countersignature>::read(token.as_str().unwrap().as_bytes()).unwrap().unproven().clone()
    };
    let (one, two) = (claims(&accepted.subject["countersignature"]), claims(&again.subject["countersignature"]));
    assert_eq!((&one, &one), (&two, verify(&life, &file).countersignature()), "the same message again, the same countersignature");
    assert_eq!((one.log.idx, accepted.index), (accepted.index, again.index));

    let same_id = with(&life, |c| (c.issued.jti, c.no) = (jti_of(&good), "TC13-0002".parse().unwrap())).await;
    assert_eq!(life.refused(same_id).await.code, "replay_conflict");
    let by_city = revoke(&life, CITY, &good, |_| ());
    let problem = life.refused(revoking(CITY, HOME, &good, &by_city)).await;
    assert_eq!((problem.status, problem.code.as_str()), (409, "state_conflict"), "the city sent the home no certificate");
    let token = revoke(&life, CENTRE, &good, |revocation| revocation.why = RevocationReason::Replaced);
    assert_eq!(refusal(&life.refused(revoking(CENTRE, CITY, &good, &token)).await).1, "revocation:revocation_token");
    let token = revoke(&life, CENTRE, &good, |revocation| revocation.crt.sha256 = Digest([7; 32]));
    assert_eq!(refusal(&life.refused(revoking(CENTRE, CITY, &good, &token)).await).1, "revocation:not_issued");
    let token = spoil(&revoke(&life, CENTRE, &good, |_| ()));
    assert_eq!(refusal(&life.refused(revoking(CENTRE, CITY, &good, &token)).await).1, "revocation_token:signature");

    let target = format!("/v1/cases/{}/certificates", life.case(CITY));
    let stranger = life.party(crate::exchange_stage::agreement::CORE).json(&target, PLACEMENT).await.unwrap_err().problem();
    assert_eq!(stranger.code, "purpose_not_allowed");
    let stranger = life.party(DAY).json(&target, ADDON).await.unwrap_err().problem();
    assert_eq!((stranger.status, stranger.code.as_str()), (404, "not_found"));
    assert_eq!(certificates(&life, DAY).await.unwrap(), [], "who was only asked is told nothing");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_did_not_coordinate_certifies_nothing() {
    let mut life = Life::referred().await;
    life.another_person(CITY).await;
    life.goes(letter(Kind::Referral, CITY, crate::exchange_stage::agreement::CORE)).await;
    life.goes(letter(Kind::ReferralDecision, crate::exchange_stage::agreement::CORE, CITY).with("decision", "accepted")).await;
    life.goes(letter(Kind::PlacementRequest, CITY, HOME)).await;
    life.goes(letter(Kind::PlacementDecision, HOME, CITY).with("decision", "accepted")).await;
    life.goes(letter(Kind::CenterShare, CITY, CENTRE)).await;
    let (token, _) = issue(&life, CENTRE, |_| ()).await;
    let problem = life.refused(certifying(CENTRE, CITY, &token, &person())).await;
    assert_eq!(refusal(&problem), (409, "statement:coordination_in_the_case".to_owned()), "it was told, and did nothing");
    let (token, _) = issue(&life, CITY, |_| ()).await;
    let problem = life.refused(certifying(CITY, HOME, &token, &person())).await;
    assert_eq!(refusal(&problem), (409, "statement:coordination_in_the_case".to_owned()), "not with the centre");
    life.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_issues_passes_on_fetches_revokes_and_verifies() {
    let life = Life::in_use().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (named, consent) = (at("person.json"), life.consent.jti.to_string());
    std::fs::write(&named, json!({"family_name": "小波", "given_name": "健太", "birth_date": "1984-05-17"}).to_string()).unwrap();
    let cases = [CENTRE, CITY, HOME].map(|party| life.case(party).to_owned());
    let [at_centre, at_city, at_home] = cases.each_ref().map(String::as_str);
    let issue = |no: &str, provider: &str| {
        let words = [
            "certificate",
            "issue",
            "--case",
            at_centre,
            "--to",
            CITY,
            "--no",
            no,
            "--provider",
            provider,
            "--addon",
            "community_life_transition",
        ];
        let window = ["--from", "2026-09-01", "--until", "2029-08-31"];
        let rest = ["--eligibility", "correctional_release", "--person", &named, "--consent", &consent];
        life.tsunagi(CENTRE, &[&words[..], &window, &rest].concat())
    };
    let (code, told) = issue("TC13-0001", "1310100019").unwrap_err();
    assert!(code == 1 && told.contains("serves_the_person"), "{told}");
    let sent = issue("TC13-0001", "1320100017").unwrap();
    assert_eq!(sent[0]["window"], json!({"from": "2026-09-01", "until": "2029-08-31"}));
    let listed = life.tsunagi(CITY, &["certificate", "list", "--case", at_city]).unwrap();
    assert_eq!((&listed[0]["no"], &listed[0]["jti"]), (&json!("TC13-0001"), &sent[0]["certificate"]));
    life.tsunagi(CITY, &["certificate", "forward", "--case", at_city, "--to", HOME, "--consent", &consent]).unwrap();
    let file = at("certificate.json");
    let fetch = |file: &str| life.tsunagi(HOME, &["certificate", "fetch", "--case", at_home, "--number", "TC13-0001", "--out", file]);
    assert_eq!(fetch(&file).unwrap()[0]["person"], json!(true));
    let keys = life.sandbox.identity(&HOME.parse().unwrap()).to_str().unwrap().to_owned();
    let verify = |file: &str| life.tsunagi(HOME, &["certificate", "verify", file, "--keys", &keys]);
    assert_eq!(verify(&file).unwrap()[0]["person"]["family_name"], "小波");
    let page = at("page.html");
    life.tsunagi(HOME, &["certificate", "print", &file, "--keys", &keys, "--out", &page]).unwrap();
    assert_eq!(verify(&page).unwrap()[0]["code"], listed[0]["code"]);

    life.tsunagi(CENTRE, &["certificate", "revoke", "--case", at_centre, "--to", CITY, "--why", "facts_changed", "--basis", "consent_27"])
        .unwrap();
    let revoked = at("revoked.json");
    assert_eq!(fetch(&revoked).unwrap()[0]["revoked"], json!(true));
    let (code, told) = verify(&revoked).unwrap_err();
    assert!(code == 3 && told.contains("revoked"), "{told}");
    assert!(verify(&file).is_ok(), "a file cannot show that a revocation was left out");
    let (code, told) = life
        .tsunagi(CITY, &["certificate", "revoke", "--case", at_city, "--to", HOME, "--why", "replaced", "--basis", "consent_27"])
        .unwrap_err();
    assert!(code == 1 && told.contains("not_issued"), "{told}");
    life.server.stop().await;
}

/// A certificate for the home, signed by a party.
async fn issue(life: &Life, by: &str, change: impl FnOnce(&mut Certificate)) -> (String, Certificate) {
    let party = life.party(by);
    let shown: Value = serde_json::from_slice(&party.open_data("/.well-known/tsunagi").await.unwrap().body).unwrap();
    let statement = if by == CENTRE { Statement::CoordinatedByCenter } else { Statement::CoordinatedByMunicipalityWithCenter };
    let mut certificate = Certificate {
        issued: party.issued(),
        statement,
        window: window(),
        pol: serde_json::from_value(shown["policy"]["sha256"].clone()).unwrap(),
        ..crate::certificate_fixture::certificate()
    };
    change(&mut certificate);
    (certificate.sign(&party.signing).unwrap(), certificate)
}

/// The centre's message with a certificate of which something is changed.
async fn with(life: &Life, change: impl FnOnce(&mut Certificate)) -> Letter {
    certifying(CENTRE, CITY, &issue(life, CENTRE, change).await.0, &person())
}

/// A certificate with another statement than its issuer may make: no program of this house signs it.
fn said(life: &Life, by: &str, statement: &str) -> String {
    let mut claims = sample(life, by);
    claims["statement"] = json!(statement);
    jws::sign(&life.party(by).signing, Certificate::TYP, &claims).unwrap()
}

fn lasting(life: &Life, days: Days) -> String {
    let mut claims = sample(life, CENTRE);
    claims["window"] = json!(days);
    jws::sign(&life.party(CENTRE).signing, Certificate::TYP, &claims).unwrap()
}

fn sample(life: &Life, by: &str) -> Value {
    Certificate { issued: life.party(by).issued(), window: window(), ..crate::certificate_fixture::certificate() }.to_claims().unwrap()
}

fn certifying(from: &'static str, to: &'static str, token: &str, person: &Person) -> Letter {
    let letter = letter(Kind::CoordinationCertificate, from, to).with("certificate", token).with("certificate_salt", person.salt.as_str());
    let letter = letter.with("family_name", person.family_name.as_str()).with("given_name", person.given_name.as_str());
    let letter = letter.with("birth_date", person.birth_date.to_string());
    letter.with("recipient_cert_number", person.recipient_cert_number.clone().unwrap())
}

fn revoke(life: &Life, by: &str, certificate: &str, change: impl FnOnce(&mut Revocation)) -> String {
    let signed = Signed::<Certificate>::read(certificate.as_bytes()).unwrap();
    let mut revocation = Revocation {
        issued: life.party(by).issued(),
        crt: CertificateRef { jti: signed.unproven().issued.jti, sha256: signed.signed_digest() },
        why: RevocationReason::FactsChanged,
        from: None,
    };
    change(&mut revocation);
    revocation.sign(&life.party(by).signing).unwrap()
}

fn revoking(from: &'static str, to: &'static str, certificate: &str, token: &str) -> Letter {
    let row = json!({"certificate": jti_of(certificate), "reason": "facts_changed"});
    letter(Kind::CertificateRevocation, from, to).with("revocation", row).with("revocation_token", token)
}

fn jti_of(certificate: &str) -> Jti {
    Signed::<Certificate>::read(certificate.as_bytes()).unwrap().unproven().issued.jti
}

/// Every certificate that a party is shown, page by page.
async fn certificates(life: &Life, party: &str) -> Result<Vec<CertificateFile>, Problem> {
    let (mut files, mut cursor) = (Vec::new(), String::new());
    loop {
        let target = format!("/v1/cases/{}/certificates{cursor}", life.case(party));
        let page = life.party(party).json(&target, ADDON).await.map_err(crate::exchange_stage::party::Setback::problem)?;
        let shown = page["certificates"].as_array().unwrap();
        assert_eq!((shown.len() <= 1, page.get("ledger").is_some()), (true, !shown.is_empty()), "what discloses has its entry");
        for sealed in shown {
            let bytes = life.party(party).unseal(sealed.as_str().unwrap().as_bytes(), CERTIFICATE_CTY);
            let leaf = URL_SAFE_NO_PAD.decode(page["ledger"]["leaf"].as_str().unwrap()).unwrap();
            let entry: Value = serde_json::from_slice(&leaf).unwrap();
            assert_eq!(entry["sd_hash"], json!(Digest::of(&bytes)), "a copy found anywhere leads to its entry");
            files.push(CertificateFile::read(&bytes).unwrap());
        }
        let Some(next) = page["cursor"].as_str() else { return Ok(files) };
        cursor = format!("?cursor={next}");
    }
}

/// As anybody verifies it, years later: with what is pinned of the gateway alone.
fn verify(life: &Life, file: &CertificateFile) -> ProvenCertificate {
    let folder = life.sandbox.identity(&CITY.parse().unwrap());
    let pinned: Value = serde_json::from_slice(&std::fs::read(folder.join("gateway-keys.json")).unwrap()).unwrap();
    let receipt = PublicKey::from_jwk(&pinned["keys"]["receipt"], KeyUse::Sig).unwrap();
    let gateway = pinned["gateway"].as_str().unwrap().parse().unwrap();
    file.verify(&Anchor { gateway: &gateway, receipt_key: &|kid| (receipt.thumbprint() == *kid).then(|| receipt.clone()) }).unwrap()
}

/// Neither an offence nor a facility, a sentence or the day of a release stands anywhere in the file.
fn says_nothing_it_must_not(file: &CertificateFile) {
    let told = serde_json::to_string(file).unwrap();
    let claims = Signed::<Certificate>::read(file.certificate.as_bytes()).unwrap().unproven().to_claims().unwrap().to_string();
    for word in ["offence", "facility", "sentence", "released", "release_date", "刑", "罪"] {
        assert!(!told.contains(word) && !claims.contains(word), "{word}");
    }
}

/// The look at a certificate is a release of exactly its rows, under the agreement and the consent of its message.
async fn released(life: &Life, file: &CertificateFile) {
    let page =
        life.story.auditor.json("/v1/audit/events?operation=certificate.list&limit=100", tsunagi::domain::codes::Purpose::AuditReview);
    let page = page.await.unwrap();
    let events = page["events"].as_array().unwrap();
    let of_home = |event: &&Value| event["entry"]["recipient"] == HOME || event["entry"]["actor"]["party"] == HOME;
    let mine: Vec<&Value> = events.iter().filter(of_home).collect();
    let [event] = mine.as_slice() else { panic!("an empty page is no entry: {mine:?}") };
    let entry = &event["entry"];
    assert_eq!(
        (&entry["type"], &entry["kind"], &entry["decision"]),
        (&json!("release"), &json!("coordination_certificate"), &json!("permit"))
    );
    assert_eq!((&entry["purpose"], &entry["shown"]), (&json!("addon_certification"), &json!(6)));
    assert_eq!(entry["agreement"]["id"], json!(life.agreement().id));
    assert!(file.person.is_some());
}

/// Where it was wrong, and by which rule.
fn refusal(problem: &Problem) -> (u16, String) {
    let document: Value = serde_json::from_str(&problem.text).unwrap();
    let first = &document["violations"][0];
    (problem.status, format!("{}:{}", first["field"].as_str().unwrap_or(&problem.code), first["rule"].as_str().unwrap_or_default()))
}

/// The same token with a signature of something else.
fn spoil(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let flipped: String = signature.chars().map(|letter| if letter == 'A' { 'B' } else { 'A' }).take(20).collect();
    format!("{signed}.{flipped}{}", &signature[20..])
}

fn window() -> Days {
    Days { from: "2026-09-01".parse().unwrap(), until: "2029-08-31".parse().unwrap() }
}
