"""What the gateway must refuse, with which code, and what a refusal may say. Each case differs from an accepted request in one thing."""

import json
import secrets
import time

import pytest

import tsunagi_client as client
from story import ADMINISTRATION, AUDIT, BENEFIT, ONLY_TICKED, PLACEMENT
from tsunagi_client import JWK, b64u, digest, new_jti, public_members, seal, sign, thumbprint, unb64u


@pytest.fixture(scope="module")
def consent(world):
    return world.consent()


@pytest.fixture(scope="module")
def referral(world):
    return world.refer()


def refused(response, code: str | set[str], status: int | None = None) -> dict:
    """Checks the problem document (RFC 9457) and gives it."""
    codes = {code} if isinstance(code, str) else code
    assert response.headers.get("Content-Type", "").split(";")[0] == "application/problem+json", f"{response.status_code} {response.text[:400]}"
    problem = response.json()
    assert problem["code"] in codes, problem
    assert problem["type"] == f"urn:tsunagi:problem:{problem['code']}" and problem["status"] == response.status_code
    assert problem["title"] and problem["detail"] and problem["instance"]
    if status is not None:
        assert response.status_code == status
    for violation in problem.get("violations", []):
        assert {"field", "rule"} <= set(violation) <= {"field", "rule", "class"}
    return problem


def submit(world, token, purpose=PLACEMENT, by=None, envelope=None):
    party = by or world.centre
    body = envelope or seal(token if isinstance(token, str) else token.token, world.well_known["keys"]["enc"])
    return party.request("POST", "/v1/referrals", purpose, body, "application/jose")


# ---- the envelope -----------------------------------------------------------------------------------------------------------------------


def test_bad_media_type(world, consent):
    body = seal(world.message(consent).token, world.well_known["keys"]["enc"])
    refused(world.centre.request("POST", "/v1/referrals", PLACEMENT, body, "text/plain"), "bad_media_type", 415)


@pytest.mark.parametrize("body", ["", "not a token", "a.b.c", "a.b.c.d.e.f", "....", "ey J.a.b.c.d", "=.=.=.=.="])
def test_bad_envelope(world, body):
    refused(submit(world, None, envelope=body or " "), {"bad_envelope", "bad_request"}, 400)


def test_decrypt_failed_is_uniform(world, consent):
    token = world.message(consent).token
    good = seal(token, world.well_known["keys"]["enc"])
    parts = good.split(".")
    other = JWK.generate(kty="EC", crv="P-256").export_public(as_dict=True)
    wrong_key = seal(token, other, kid=thumbprint(public_members(world.well_known["keys"]["enc"])))
    flipped = bytearray(unb64u(parts[4]))
    flipped[0] ^= 1
    wrong_tag = ".".join([*parts[:4], b64u(bytes(flipped))])
    details = {refused(submit(world, None, envelope=e), "decrypt_failed", 400)["detail"] for e in (wrong_key, wrong_tag)}
    assert len(details) == 1


@pytest.mark.parametrize("extra", [{"zip": "DEF"}, {"crit": ["exp"], "exp": 1}, {"apu": "QQ"}, {"typ": "JWE"}, {"cty": "JWT"}])
def test_an_envelope_header_with_anything_else_is_refused(world, consent, extra):
    key = world.well_known["keys"]["enc"]
    if "crit" in extra:
        parts = seal(world.message(consent).token, key).split(".")
        header = json.loads(unb64u(parts[0])) | extra
        envelope = ".".join([b64u(json.dumps(header).encode()), *parts[1:]])
    else:
        envelope = seal(world.message(consent).token, key, **extra)
    refused(submit(world, None, envelope=envelope), {"bad_envelope", "decrypt_failed"}, 400)


@pytest.mark.parametrize("part,cut", [(1, 8), (1, 1), (2, 0), (2, 11), (4, 1), (4, 12)])
def test_a_cut_key_iv_or_tag_is_refused(world, consent, part, cut):
    parts = seal(world.message(consent).token, world.well_known["keys"]["enc"]).split(".")
    parts[part] = b64u(unb64u(parts[part])[:cut])
    refused(submit(world, None, envelope=".".join(parts)), {"bad_envelope", "decrypt_failed"}, 400)


def test_too_large(world):
    answer = world.centre.request("POST", "/v1/referrals", PLACEMENT, b"a" * (512 * 1024 + 1), "application/jose")
    refused(answer, "too_large", 413)


# ---- the message ------------------------------------------------------------------------------------------------------------------------


def test_issuer_mismatch(world, consent):
    refused(submit(world, world.message(consent), by=world.municipality), "issuer_mismatch", 403)


def test_key_not_allowed(world, consent):
    stranger = JWK.generate(kty="EC", crv="P-256")
    refused(submit(world, client.issue(stranger, world.claims(consent))), "key_not_allowed", 403)
    refused(submit(world, client.issue(world.municipality.me.signing_key, world.claims(consent))), "key_not_allowed", 403)
    opener = {name: value for name, value in world.centre.me.encryption_key.export(as_dict=True).items() if name in ("kty", "crv", "x", "y", "d")}
    refused(submit(world, client.issue(JWK(**opener), world.claims(consent))), "key_not_allowed", 403)


def test_bad_token(world, consent):
    first, rest = world.message(consent).token.split("~", 1)
    head, payload, signature = first.split(".")
    spoiled = bytearray(unb64u(signature))
    spoiled[40] ^= 1
    refused(submit(world, f"{head}.{payload}.{b64u(bytes(spoiled))}~{rest}"), "bad_token", 400)
    stranger = client.issue(JWK.generate(kty="EC", crv="P-256"), world.claims(consent), kid=thumbprint(world.centre.me.signing_key))
    refused(submit(world, stranger), "bad_token", 400)


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": "dc+sd-jwt"}, {"x": 1}, {"jwk": {}}, {"crit": ["b64"], "b64": True}])
def test_a_message_header_is_exact(world, consent, header):
    refused(submit(world, client.issue(world.centre.me.signing_key, world.claims(consent), **header)), "bad_token", 400)


def test_bad_disclosure(world, consent):
    message = world.message(consent)
    first, *disclosures, _ = message.token.split("~")
    foreign = world.message(consent).token.split("~")[1]
    for given in ([*disclosures, foreign], [*disclosures, disclosures[0]], [*disclosures, "e30"]):
        refused(submit(world, "~".join([first, *given, ""])), "bad_disclosure", 400)


def test_a_message_without_all_its_disclosures_is_refused(world, consent):
    first, *disclosures, _ = world.message(consent).token.split("~")
    required = next(row for row in world.schema.get("required", []) if row in world.body)
    kept = [d for d in disclosures if json.loads(unb64u(d))[1] != required]
    refused(submit(world, "~".join([first, *kept, ""])), {"bad_disclosure", "schema_invalid"})


def test_replay_conflict(world, consent, referral):
    other = world.message(consent, jti=referral.message.jti)
    refused(submit(world, other), "replay_conflict", 409)


def test_a_refused_message_is_processed_anew(world):
    message = world.message(world.consent(), jti=new_jti())
    broken = message.token.split("~", 1)
    refused(submit(world, "~".join([broken[0], broken[1].rpartition("~")[0], "e30", ""])), {"bad_disclosure"}, 400)
    world.ok(submit(world, message), 201)


def test_message_too_old(world, consent):
    refused(submit(world, world.message(consent, iat=int(time.time()) - 25 * 3600)), "message_too_old", 410)


def test_a_message_from_the_future_is_refused(world, consent):
    refused(submit(world, world.message(consent, iat=int(time.time()) + 600)), {"bad_token", "message_too_old"})


def test_binding_mismatch(world, consent):
    other = JWK.generate(kty="EC", crv="P-256").export_public(as_dict=True)
    refused(submit(world, world.message(consent, cnf={"jwk": public_members(other)})), "binding_mismatch", 403)


def test_schema_unknown(world, consent):
    refused(submit(world, world.message(consent, sch=world.sch | {"ver": "9.9.9"})), "schema_unknown", 422)


def test_schema_mismatch(world, consent):
    refused(submit(world, world.message(consent, sch=world.sch | {"sha256": digest("other")})), "schema_mismatch", 422)


def test_schema_invalid_counts_what_the_catalogue_does_not_know(world, consent):
    invented = {"name_of_the_victim": "秘密の値"}
    answer = submit(world, world.message(consent, body=world.body | invented))
    refused(answer, "schema_invalid", 422)
    assert "victim" not in answer.text and "秘密" not in answer.text


def test_schema_invalid_names_the_row(world, consent):
    row = next(row for row in world.schema["required"] if isinstance(world.body[row], str))
    answer = submit(world, world.message(consent, body=world.body | {row: {"no_such_member": "no-such-value"}}))
    assert row in [v["field"] for v in refused(answer, "schema_invalid", 422)["violations"]]
    assert "no-such-value" not in answer.text and "no_such_member" not in answer.text


def test_prohibited_my_number(world, consent):
    row = "assessment_summary"
    answer = submit(world, world.message(consent, body=world.body | {row: "番号は983205673214です"}))
    problem = refused(answer, "prohibited_my_number", 422)
    assert row in [v["field"] for v in problem["violations"]] and "983205673214" not in answer.text


# ---- may it be sent ---------------------------------------------------------------------------------------------------------------------


def test_no_agreement(world, consent):
    refused(submit(world, world.message(consent, agr=world.agr | {"id": "AG-47-9999"})), "no_agreement", 403)


def test_no_consent(world, consent):
    refused(submit(world, world.message(None)), "no_consent", 403)
    unknown = {"jti": new_jti(), "sha256": consent.reference["sha256"]}
    refused(submit(world, world.message(consent, con=unknown)), "no_consent", 403)
    refused(submit(world, world.message(consent, con=consent.reference | {"sha256": digest("other")})), "no_consent", 403)
    refused(submit(world, world.message(consent, sub="somebody-else-entirely")), "no_consent", 403)


def test_consent_scope(world):
    named = sorted(set(world.classes.values()))
    elsewhere = [{"rcp": [world.core.me.party], "pur": [PLACEMENT, BENEFIT], "cls": [c for c in named if c not in ("routing", "task")], "tick": []}]
    refused(submit(world, world.message(world.consent(items=elsewhere))), "consent_scope", 403)


def test_a_class_the_person_did_not_consent_to_is_refused_by_name(world):
    everything = world.consent_claims()["items"][0]
    some = "disability"
    without = [{**everything, **{m: [c for c in everything[m] if c != some] for m in ("cls", "tick")}}]
    problem = refused(submit(world, world.message(world.consent(items=without))), {"over_disclosure", "consent_scope"})
    assert some in {v.get("class") for v in problem["violations"]}


def test_consent_ended(world):
    consent = world.consent()
    world.ok(world.end_consent(consent.jti), 200, 201)
    refused(submit(world, world.message(consent)), "consent_ended", 403)


def test_a_consent_binds_to_the_first_case_that_uses_it(world, referral):
    refused(submit(world, world.message(referral.consent)), {"no_consent", "consent_scope", "state_conflict"})


def test_over_disclosure_names_rows_and_classes_and_no_value(world):
    answer = submit(world, world.message(world.unticked_consent()))
    problem = refused(answer, "over_disclosure", 422)
    named = {v["field"]: v["class"] for v in problem["violations"]}
    assert world.rows(*ONLY_TICKED) <= set(named) and all(world.classes[row] == name for row, name in named.items())
    assert not world.rows("identity", "criminal_status", "disability") & set(named)
    for value in world.body.values():
        if isinstance(value, str) and not value.isascii() and len(value) > 2:
            assert value not in answer.text


def test_a_centre_never_writes_to_a_provider(world, consent):
    message = world.message(consent, aud=world.group_home.me.party)
    refused(submit(world, message), {"recipient_not_allowed", "no_agreement", "consent_scope", "operation_not_allowed"}, 403)


def test_purpose_not_allowed(world, referral):
    target = f"/v1/cases/{referral.case_at_reader}"
    refused(world.municipality.get(target, "service_provision"), "purpose_not_allowed", 403)
    refused(world.municipality.get(target, AUDIT), "purpose_not_allowed", 403)


def test_operation_not_allowed(world):
    items = [{"rcp": [world.municipality.me.party], "pur": [PLACEMENT], "cls": ["identity"], "tick": []}]
    token, _ = world.sign_consent(by=world.group_home, items=items)
    purpose = world.ok(world.group_home.get(f"/v1/parties/{world.group_home.me.party}")).json()["purposes"][0]
    refused(world.group_home.post_jwt("/v1/consents", purpose, token), "operation_not_allowed", 403)
    token = world.municipality.sign("tsunagi-party+jwt", act="suspend", party={"party": world.centre.me.party})
    refused(world.municipality.post_jwt("/v1/parties", ADMINISTRATION, token), "operation_not_allowed", 403)


@pytest.mark.parametrize(
    "items",
    [
        [{"rcp": ["group_home"], "pur": [PLACEMENT], "cls": ["identity"], "tick": []}],
        [{"rcp": ["municipality"], "pur": [PLACEMENT], "cls": ["prohibited"], "tick": []}],
        [{"rcp": ["municipality"], "pur": [PLACEMENT], "cls": ["consent_scan"], "tick": []}],
        [{"rcp": ["municipality"], "pur": [PLACEMENT], "cls": ["no_such_class"], "tick": []}],
    ],
)
def test_a_consent_that_may_not_be_given_is_refused(world, items):
    token, _ = world.sign_consent(items=items)
    answer = world.centre.post_jwt("/v1/consents", PLACEMENT, token)
    assert 400 <= answer.status_code < 500
    assert refused(answer, {"bad_token", "bad_request", "consent_scope", "schema_invalid", "recipient_not_allowed", "operation_not_allowed"})


def test_only_who_may_ends_a_consent(world, consent):
    token = world.group_home.sign("tsunagi-consent-end+jwt", con=consent.jti, by="self", why="nothing to do with it")
    purpose = world.ok(world.group_home.get(f"/v1/parties/{world.group_home.me.party}")).json()["purposes"][0]
    refused(world.group_home.post_jwt(f"/v1/consents/{consent.jti}/end", purpose, token), {"not_found", "operation_not_allowed"})


# ---- the actor --------------------------------------------------------------------------------------------------------------------------


def test_actor_missing(world, referral):
    refused(world.municipality.get(f"/v1/cases/{referral.case_at_reader}"), "actor_missing", 401)


def _read(world, referral, **changes):
    target = f"/v1/cases/{referral.case_at_reader}"
    claims = {"nonce": secrets.token_urlsafe(24)} | changes
    return world.municipality.get(target, actor=world.municipality.actor("GET", target, PLACEMENT, **claims))


@pytest.mark.parametrize(
    "changes",
    [
        {"htu": "/v1/cases"}, {"htm": "POST"}, {"cnf": {"x5t#S256": digest("another certificate")}}, {"cnf": None},
        {"req": digest("a body that is not there")},
    ],
)
def test_actor_binding(world, referral, changes):
    refused(_read(world, referral, **changes), {"actor_binding", "actor_invalid"} if changes.get("cnf", 0) is None else "actor_binding", 401)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 30, "iat": int(time.time()) - 200}, {"exp": int(time.time()) + 4000}, {"iat": int(time.time()) + 600},
        {"aud": "https://elsewhere.example"}, {"sub": None}, {"pur": None}, {"jti": "1"}, {"nonce": "short"},
        {"nonce": None}, {"pur": ["placement_coordination"]},
    ],
)
def test_actor_invalid(world, referral, changes):
    refused(_read(world, referral, **changes), "actor_invalid", 401)


def test_an_actor_token_in_the_name_of_another_party_is_refused(world, referral):
    refused(_read(world, referral, iss=world.group_home.me.party), {"actor_invalid", "actor_binding"}, 401)


def test_an_actor_token_of_another_type_or_key_is_refused(world, referral):
    target, party = f"/v1/cases/{referral.case_at_reader}", world.municipality
    claims = json.loads(unb64u(party.actor("GET", target, PLACEMENT, nonce=secrets.token_urlsafe(24)).split(".")[1]))
    for token in (
        sign(party.me.signing_key, "JWT", claims), sign(JWK.generate(kty="EC", crv="P-256"), "tsunagi-actor+jwt", claims),
        sign(world.centre.me.signing_key, "tsunagi-actor+jwt", claims), "not.a.token", "",
    ):
        refused(party.get(target, actor=token), {"actor_invalid", "actor_missing"} if not token else "actor_invalid", 401)


def test_actor_binding_of_the_body(world, consent):
    body = seal(world.message(consent).token, world.well_known["keys"]["enc"])
    token = world.centre.actor("POST", "/v1/referrals", PLACEMENT, b"another body")
    refused(world.centre.request("POST", "/v1/referrals", body=body, media="application/jose", actor=token), "actor_binding", 401)
    token = world.centre.actor("POST", "/v1/referrals", PLACEMENT)
    answer = world.centre.request("POST", "/v1/referrals", body=body, media="application/jose", actor=token)
    refused(answer, {"actor_binding", "actor_invalid"}, 401)


def test_actor_replayed(world, referral):
    target = f"/v1/cases/{referral.case_at_reader}"
    token = world.municipality.actor("GET", target, PLACEMENT, nonce=secrets.token_urlsafe(24))
    world.ok(world.municipality.get(target, actor=token))
    refused(world.municipality.get(target, actor=token), "actor_replayed", 401)


# ---- HTTP -------------------------------------------------------------------------------------------------------------------------------


def test_not_found(world):
    for target in ("/v1/nothing", "/", "/v1/cases/not-a-uuid", "/v1/parties/municipality:000000-1", "/v1/../etc/passwd"):
        refused(world.centre.get(target, PLACEMENT if "cases" in target else None), {"not_found", "bad_request"})


def test_method_not_allowed(world):
    answer = world.centre.request("DELETE", "/.well-known/tsunagi")
    refused(answer, "method_not_allowed", 405)


def test_bad_request(world):
    for body in ("{", '{"document":1}', '{"a":1,"a":2}', "[]"):
        answer = world.centre.request("POST", "/v1/agreements", ADMINISTRATION, body, "application/json")
        refused(answer, {"bad_request", "schema_invalid"})


def test_headers_too_large(world):
    answer = world.centre.get("/.well-known/tsunagi", headers={"X-Filler": "a" * 40_000})
    assert answer.status_code == 431


def test_problems_speak_the_language_asked_for_and_name_the_request(world):
    seen = []
    for language in ("ja", "en"):
        answer = world.municipality.get(f"/v1/cases/{new_jti()}", PLACEMENT, headers={"Accept-Language": language})
        seen.append(refused(answer, "not_found", 404))
    assert not seen[0]["title"].isascii() and seen[1]["title"].isascii()
    assert seen[0]["instance"] != seen[1]["instance"]
