//! Certificates of a coordination: what verifies, what does not and why, and the sheet that is printed.

use serde_json::json;
use tsunagi::{
    domain::{digest::Digest, party::PartyId},
    form::{Labels, Sheet, SheetError},
    message::{
        certificate::{CertificateError, CertificateFile, Person},
        keys::SigningKey,
        objects::{Certificate, Countersignature, Countersigned, Issued, Signed, SignedObject as _},
    },
};

use crate::certificate_fixture::{GATEWAY, Signers, certificate, jti, person};

#[test]
fn a_certificate_is_verified_from_its_file_and_the_gateways_key_alone() {
    let signers = Signers::new();
    let file = signers.file(&certificate());
    let kept = CertificateFile::read(serde_json::to_string(&file).unwrap().as_bytes()).unwrap();
    assert_eq!(kept, file);
    let proven = signers.verify(&kept).unwrap();
    assert_eq!((proven.certificate(), proven.person()), (&certificate(), Some(&person())));
    assert_eq!(proven.holds(), Some(certificate().window));
    let without = CertificateFile { person: None, ..kept };
    assert_eq!(signers.verify(&without).unwrap().person(), None);
}

#[test]
fn nobody_else_can_have_signed_or_countersigned_it() {
    let (signers, others) = (Signers::new(), Signers::new());
    let (file, foreign) = (signers.file(&certificate()), others.file(&certificate()));
    let refused = |file: &CertificateFile| signers.verify(file).unwrap_err();
    assert_eq!(refused(&foreign), CertificateError::Countersigner("certificate"));
    // Signed by another key than the one shown; by another key that is shown, but was never countersigned.
    assert_eq!(
        refused(&CertificateFile { issuer_key: foreign.issuer_key.clone(), ..file.clone() }),
        CertificateError::Issuer("certificate")
    );
    let stolen = CertificateFile { certificate: foreign.certificate.clone(), issuer_key: foreign.issuer_key.clone(), ..file.clone() };
    assert_eq!(refused(&stolen), CertificateError::About("certificate"));
    let other = Certificate {
        window: tsunagi::domain::addon::Days { until: "2029-08-30".parse().unwrap(), ..certificate().window },
        ..certificate()
    };
    let swapped = CertificateFile { certificate: other.sign(&signers.centre).unwrap(), ..file.clone() };
    assert_eq!(refused(&swapped), CertificateError::About("certificate"));
    let (signed, _) = file.certificate.rsplit_once('.').unwrap();
    let (_, foreign_signature) = foreign.certificate.rsplit_once('.').unwrap();
    let forged = CertificateFile { certificate: format!("{signed}.{foreign_signature}"), ..file.clone() };
    assert_eq!(refused(&forged), CertificateError::Issuer("certificate"));
    let private = serde_json::from_slice(&SigningKey::generate().unwrap().to_jwk()).unwrap();
    assert_eq!(refused(&CertificateFile { issuer_key: private, ..file }), CertificateError::Form("issuer_key"));
}

/// What is done to a good countersignature.
type Change = fn(&mut Countersignature);

#[test]
fn a_countersignature_is_of_this_gateway_for_this_certificate_and_of_its_time() {
    let signers = Signers::new();
    let made = certificate();
    let token = made.sign(&signers.centre).unwrap();
    let cases: [(Change, Option<CertificateError>); 8] = [
        (|_| (), None),
        (|made| made.iss = "https://elsewhere.example".parse().unwrap(), Some(CertificateError::Gateway("certificate"))),
        (|made| made.obj.typ = Countersigned::Revocation, Some(CertificateError::About("certificate"))),
        (|made| made.obj.jti = jti(2), Some(CertificateError::About("certificate"))),
        (|made| made.obj.sha256 = Digest([0; 32]), Some(CertificateError::About("certificate"))),
        (
            |made| {
                let other: PartyId = "settlement_center:13-2".parse().unwrap();
                (made.aud, made.obj.iss) = (other.clone(), other);
            },
            Some(CertificateError::About("certificate")),
        ),
        (|made| made.iat = made.iat.plus_secs(86_400), Some(CertificateError::Time("certificate"))),
        (|made| made.iat = made.iat.plus_secs(-12), Some(CertificateError::Time("certificate"))),
    ];
    for (at, (change, expected)) in cases.into_iter().enumerate() {
        let named = Signed::<Certificate>::read(token.as_bytes()).unwrap().named();
        let countersignature = signers.countersign(named, made.issued.iat, change);
        let file = CertificateFile { countersignature, ..signers.file(&made) };
        assert_eq!(signers.verify(&file).err(), expected, "{at}");
    }
    let abroad =
        Certificate { issued: Issued { aud: "https://elsewhere.example".parse().unwrap(), ..certificate().issued }, ..certificate() };
    assert_eq!(signers.verify(&signers.file(&abroad)).err(), Some(CertificateError::Gateway("certificate")));
    assert_ne!(GATEWAY, "https://elsewhere.example");
}

#[test]
fn the_person_shown_is_the_person_certified() {
    let signers = Signers::new();
    let file = signers.file(&certificate());
    let with = |change: &dyn Fn(&mut Person)| {
        let mut shown = person();
        change(&mut shown);
        signers.verify(&CertificateFile { person: Some(shown), ..file.clone() }).err()
    };
    assert_eq!(with(&|_| ()), None);
    for change in [
        &(|shown: &mut Person| shown.family_name = "大波".to_owned()) as &dyn Fn(&mut Person),
        &|shown| shown.given_name = "健太\u{3000}".to_owned(),
        &|shown| shown.birth_date = "1984-05-18".parse().unwrap(),
        &|shown| shown.recipient_cert_number = None,
        &|shown| shown.recipient_cert_number = Some("0131001233".to_owned()),
        &|shown| shown.salt = "p3Zk2oQ1bW8xJ5dS7mT4cB".to_owned(),
    ] {
        assert_eq!(with(change), Some(CertificateError::Person));
    }
    for change in [
        &(|shown: &mut Person| shown.salt = "short".to_owned()) as &dyn Fn(&mut Person),
        &|shown| shown.salt = "p3Zk2oQ1bW8xJ5dS7mT4c=".to_owned(),
        &|shown| shown.family_name = String::new(),
        &|shown| shown.given_name = "x".repeat(51),
        &|shown| shown.given_name = "983205673214".to_owned(),
        &|shown| shown.recipient_cert_number = Some("13".to_owned()),
    ] {
        assert_eq!(with(change), Some(CertificateError::Form("person")));
    }
    assert!(!format!("{file:?}").contains("小波"), "nobody's name is printed by accident");
}

#[test]
fn a_revocation_takes_days_away_and_none_that_follows_gives_them_back() {
    let signers = Signers::new();
    let file = signers.file(&certificate());
    let window = certificate().window;
    let after = |days: &[Option<&str>]| {
        let revocations = days.iter().map(|from| signers.revoke(&file, *from)).collect();
        signers.verify(&CertificateFile { revocations, ..file.clone() }).unwrap().holds().map(|days| days.until.to_string())
    };
    assert_eq!(after(&[]), Some("2029-08-31".to_owned()));
    assert_eq!(after(&[None]), None);
    assert_eq!(after(&[Some("2027-04-01")]), Some("2027-03-31".to_owned()));
    assert_eq!(after(&[Some("2027-04-01"), Some("2028-04-01")]), Some("2027-03-31".to_owned()));
    assert_eq!(after(&[Some("2028-04-01"), Some("2027-04-01")]), Some("2027-03-31".to_owned()));
    assert_eq!(after(&[None, Some("2027-04-01")]), None);
    assert_eq!(after(&[Some("2027-04-01"), None]), None);
    assert_eq!(after(&[Some(&window.from.to_string())]), None);
    assert_eq!(after(&[Some("2030-01-01")]), Some("2029-08-31".to_owned()));
}

#[test]
fn only_the_issuers_revocation_of_this_certificate_counts() {
    let (signers, others) = (Signers::new(), Signers::new());
    let file = signers.file(&certificate());
    let refused = |revocation| signers.verify(&CertificateFile { revocations: vec![revocation], ..file.clone() }).unwrap_err();
    let good = signers.revoke(&file, None);
    let mut forged = good.clone();
    forged.issuer_key = others.centre.public().jwk();
    assert_eq!(refused(forged), CertificateError::Issuer("revocation"));
    assert_eq!(refused(others.revoke(&file, None)), CertificateError::Countersigner("revocation"));
    let mut silent = good.clone();
    silent.countersignature = file.countersignature.clone();
    assert_eq!(refused(silent), CertificateError::About("revocation"));
    let another = signers.file(&Certificate { no: "TC13-0002".parse().unwrap(), ..certificate() });
    assert_eq!(refused(signers.revoke(&another, None)), CertificateError::Revocation);
    // A certificate is no revocation.
    let mut confused = good;
    confused.revocation = file.certificate.clone();
    assert_eq!(refused(confused), CertificateError::Form("revocation"));
}

#[test]
fn a_file_has_exactly_the_members_of_a_certificate_file() {
    let signers = Signers::new();
    let good = serde_json::to_value(signers.file(&certificate())).unwrap();
    assert!(CertificateFile::read(good.to_string().as_bytes()).is_ok());
    let members = good.as_object().unwrap();
    for name in members.keys() {
        let mut less = good.clone();
        less.as_object_mut().unwrap().remove(name);
        assert_eq!(CertificateFile::read(less.to_string().as_bytes()).is_ok(), name == "person", "{name}");
    }
    let mut more = good.clone();
    more["offence"] = json!("theft");
    assert_eq!(CertificateFile::read(more.to_string().as_bytes()), Err(CertificateError::Form("members")));
    let mut more = good;
    more["person"]["facility"] = json!("prison");
    assert!(CertificateFile::read(more.to_string().as_bytes()).is_err());
    for bad in ["", "{}", "[]", "{\"certificate\":\"a\",\"certificate\":\"b\"}", "\u{0}"] {
        assert!(CertificateFile::read(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn the_sheet_shows_what_is_certified_and_is_read_back_from_its_page() {
    let signers = Signers::new();
    let labels = Labels::builtin().unwrap();
    let file = signers.file(&certificate());
    let proven = signers.verify(&file).unwrap();
    let sheet = Sheet { file: file.clone(), issuer: Some("<b>センター</b>".to_owned()), provider: None };
    let page = sheet.render(&proven, &labels).unwrap();
    for shown in [
        "調整証明書",
        "TC13-0001",
        "小波　健太",
        "1984年5月17日",
        "0131001232",
        "1320100017",
        "地域生活移行個別支援特別加算",
        "地域生活定着支援センターが調整した",
        "矯正施設等の退所",
        "2026年9月1日から　2029年8月31日まで",
        "2026年10月1日",
        "settlement_center:13-1",
        "&lt;b&gt;センター&lt;/b&gt;",
        &proven.code(),
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert_eq!(page.matches("</script>").count(), 1, "what others wrote does not end the data");
    assert_eq!(sheet.render(&proven, &labels).unwrap(), page, "the same each time");
    let back = Sheet::read(page.as_bytes()).unwrap();
    assert!(back == sheet && back.is(page.as_bytes(), &proven, &labels));
    let altered = page.replace("2029年8月31日", "2030年8月31日");
    assert!(!Sheet::read(altered.as_bytes()).unwrap().is(altered.as_bytes(), &proven, &labels));
    assert!(matches!(Sheet::read(b"<html></html>"), Err(SheetError::NoSheet)));

    let cut = CertificateFile { revocations: vec![signers.revoke(&file, Some("2027-04-01"))], ..file.clone() };
    let proven = signers.verify(&cut).unwrap();
    let page = Sheet { file: cut, issuer: None, provider: None }.render(&proven, &labels).unwrap();
    assert!(page.contains("2027年3月31日まで") && page.contains("一部が取り消されています"));
    let revoked = CertificateFile { revocations: vec![signers.revoke(&file, None)], ..file };
    let proven = signers.verify(&revoked).unwrap();
    assert!(matches!(Sheet { file: revoked, issuer: None, provider: None }.render(&proven, &labels), Err(SheetError::Revoked)));
}

#[test]
fn the_code_is_the_beginning_of_the_digest_in_letters_that_are_not_mistaken() {
    let signers = Signers::new();
    let file = signers.file(&certificate());
    let code = signers.verify(&file).unwrap().code();
    let (signed, _) = file.certificate.rsplit_once('.').unwrap();
    let digest = tsunagi::message::sha256(signed.as_bytes());
    let letters: String = code.chars().filter(|letter| *letter != '-').collect();
    assert_eq!((letters.len(), code.len()), (16, 19));
    let bits = letters.chars().fold(0u128, |bits, letter| (bits << 5) | "0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(letter).unwrap() as u128);
    assert_eq!(bits.to_be_bytes()[6..], digest.as_bytes()[..10]);
}
