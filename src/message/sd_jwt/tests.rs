use serde_json::json;

use super::*;

fn hidden(value: &mut Value, hide: &dyn Fn(&[String]) -> bool) -> Vec<Disclosure> {
    let mut made = Vec::new();
    conceal(value, hide, &mut made).unwrap();
    made
}

#[test]
fn the_disclosure_of_rfc_9901_section_4_2_3_has_its_digest() {
    let claim = Disclosure::read("WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0").unwrap();
    assert_eq!(claim.digest().to_string(), "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
    assert_eq!((claim.name(), claim.value()), (Some("family_name"), &json!("Möbius")));
    let element = Disclosure::read("WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0").unwrap();
    assert_eq!(element.digest().to_string(), "w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs");
    assert_eq!((element.name(), element.value()), (None, &json!("FR")));
}

#[test]
fn what_was_concealed_comes_back_with_all_disclosures_and_stays_away_without() {
    let original = json!({"iss": "a", "sub": "b", "list": [1, {"deep": 2}, 3], "object": {"x": 1, "y": {"z": 2}}});
    let mut payload = original.clone();
    let made = hidden(&mut payload, &|path| matches!(path.last().map(String::as_str), Some("sub" | "1" | "deep" | "y" | "z")));
    assert_eq!(made.len(), 5);
    let all = process(&payload, made.clone()).unwrap();
    assert_eq!(all.claims, original);
    assert_eq!(all.places.len(), 5);
    assert_eq!(process(&payload, Vec::new()).unwrap().claims, json!({"iss": "a", "list": [1, 3], "object": {"x": 1}}));
    // A nested disclosure whose parent is withheld is referenced by nothing.
    let orphan: Vec<_> = made.iter().filter(|d| d.name() == Some("z")).cloned().collect();
    assert_eq!(process(&payload, orphan.clone()).err(), Some(SdJwtError::Unreferenced));
}

#[test]
fn a_reserved_name_is_not_concealed_or_left_standing() {
    for mut bad in [json!({"_sd": []}), json!({"a": {"...": 1}}), json!({"a": [{"_sd_alg": "sha-256"}]})] {
        assert_eq!(conceal(&mut bad, &|_| false, &mut Vec::new()), Err(SdJwtError::Reserved), "{bad}");
    }
    assert_eq!(conceal(&mut json!({"_sd_alg": "sha-256", "a": 1}), &|path| path == ["a"], &mut Vec::new()), Ok(()));
}

#[test]
fn each_rule_of_section_7_1_refuses() {
    let claim = Disclosure::make(Some("a"), &json!(1)).unwrap();
    let element = Disclosure::make(None, &json!(1)).unwrap();
    let (c, e) = (claim.digest(), element.digest());
    let one = [claim.clone()];
    let (claims, elements) = (&one[..], &[element.clone()][..]);
    for (payload, disclosures, error) in [
        (json!([]), claims, SdJwtError::Form),
        (json!({"_sd": [c], "_sd_alg": "sha-512"}), claims, SdJwtError::Algorithm),
        (json!({"_sd": [c], "_sd_alg": null}), claims, SdJwtError::Algorithm),
        (json!({"_sd": [c], "x": {"_sd_alg": "sha-256"}}), claims, SdJwtError::Reserved),
        (json!({"_sd": [c, c]}), claims, SdJwtError::DuplicateDigest),
        (json!({"_sd": [c], "x": {"_sd": [c]}}), claims, SdJwtError::DuplicateDigest),
        (json!({"_sd": [e], "x": [{"...": e}]}), &[], SdJwtError::DuplicateDigest),
        (json!({"_sd": [c], "a": 2}), claims, SdJwtError::Collision),
        (json!({"x": 1}), claims, SdJwtError::Unreferenced),
        (json!({"_sd": "x"}), &[], SdJwtError::Digest),
        (json!({"_sd": [1]}), &[], SdJwtError::Digest),
        (json!({"_sd": ["x"]}), &[], SdJwtError::Digest),
        (json!({"_sd": [c], "...": c}), claims, SdJwtError::Reserved),
        (json!({"x": [{"...": e, "y": 1}]}), elements, SdJwtError::Digest),
        (json!({"x": [{"...": 1}]}), &[], SdJwtError::Digest),
        (json!({"x": [{"...": c}]}), claims, SdJwtError::Place),
        (json!({"_sd": [e]}), elements, SdJwtError::Place),
        (json!({"_sd": [c]}), &[claim.clone(), claim.clone()], SdJwtError::Repeated),
    ] {
        assert_eq!(process(&payload, disclosures.to_vec()).err(), Some(error), "{payload}");
    }
}

#[test]
fn a_text_that_is_not_a_disclosure_is_refused() {
    for (text, error) in [
        ("{}", SdJwtError::Disclosure),
        ("[]", SdJwtError::Disclosure),
        (r#"["salt"]"#, SdJwtError::Disclosure),
        (r#"[1,"a",2]"#, SdJwtError::Disclosure),
        (r#"["salt",1,2]"#, SdJwtError::Disclosure),
        (r#"["salt","a",2,3]"#, SdJwtError::Disclosure),
        (r#"["salt","a",1.5]"#, SdJwtError::Disclosure),
        (r#"["salt","a",{"b":1,"b":2}]"#, SdJwtError::Disclosure),
        (r#"["salt","_sd",[]]"#, SdJwtError::Reserved),
        (r#"["salt","...",1]"#, SdJwtError::Reserved),
        (r#"["salt","_sd_alg","sha-256"]"#, SdJwtError::Reserved),
    ] {
        assert_eq!(Disclosure::read(&base64url::encode(text)), Err(error), "{text}");
    }
    assert_eq!(Disclosure::read("WyJh=="), Err(SdJwtError::Disclosure));
    assert_eq!(Disclosure::make(Some("a"), &json!("x".repeat(8193))).err(), Some(SdJwtError::Limit));
}

#[test]
fn disclosures_inside_disclosures_end_at_the_depth_limit() {
    let mut value = json!({"end": 1});
    let mut made = Vec::new();
    for _ in 0..40 {
        let disclosure = Disclosure::make(Some("n"), &value).unwrap();
        value = json!({"_sd": [disclosure.digest()]});
        made.push(disclosure);
    }
    assert_eq!(process(&value, made).err(), Some(SdJwtError::Limit));
}

#[test]
fn the_parts_are_split_and_joined() {
    assert_eq!(split("j~"), Ok(Parts { jwt: "j", disclosures: vec![], key_binding: None }));
    assert_eq!(split("j~a~b~k"), Ok(Parts { jwt: "j", disclosures: vec!["a", "b"], key_binding: Some("k") }));
    for bad in ["", "j", "~", "~a~"] {
        assert_eq!(split(bad), Err(SdJwtError::Form), "{bad}");
    }
    for bad in ["j~~", "j~a~~", "j~~a~"] {
        assert_eq!(split(bad), Err(SdJwtError::Disclosure), "{bad}");
    }
    assert_eq!(join("j", ["a", "b"]), "j~a~b~");
}

#[test]
fn digests_are_sorted_so_that_order_says_nothing() {
    let mut object = Map::new();
    add_digests(&mut object, (0..8).map(|_| decoy().unwrap()));
    add_digests(&mut object, [decoy().unwrap()]);
    let list: Vec<_> = object["_sd"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    assert!(list.len() == 9 && list.is_sorted());
}
