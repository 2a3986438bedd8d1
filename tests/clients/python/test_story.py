"""The whole story, told by strangers: open documents, consent, referral, two views, evidence, withdrawal, audit."""

import json
import os
import secrets
import ssl
import subprocess
import time
import urllib.parse
import uuid
from pathlib import Path

import httpx
import pytest
from sd_jwt.verifier import SDJWTVerifier

import tlog
import tsunagi_client as client
import verify_export
from story import AUDIT, BENEFIT, CRIMINAL, PLACEMENT, row_names
from tsunagi_client import b64u, digest, new_jti, opening_commitment, public_members, thumbprint


@pytest.fixture(scope="session")
def referral(world):
    return world.refer()


# ---- open documents ---------------------------------------------------------------------------------------------------------------------


def test_the_well_known_document_is_the_one_every_identity_pinned(world):
    served = world.well_known
    assert served["protocol"] == "tsunagi/1" and served["gateway"].startswith("https://")
    for party in world.by_kind.values():
        assert party.me.pinned["gateway"] == served["gateway"] and party.me.pinned["ledger"] == served["ledger"]
        for use in ("enc", "kb", "receipt"):
            assert thumbprint(public_members(party.me.pinned["keys"][use])) == thumbprint(public_members(served["keys"][use]))
            assert "d" not in served["keys"][use]
    assert tlog.Verifier.parse(served["ledger"]["vkey"]).name == served["ledger"]["origin"]


def test_the_directory_gives_every_party_its_own_keys(world):
    for party in world.by_kind.values():
        given = world.ok(world.centre.get(f"/v1/parties/{party.me.party}")).json()
        assert given["party"] == party.me.party and given["state"] == "active" and set(given["name"]) == {"ja", "en"}
        for use, own in (("sig", party.me.signing_key), ("enc", party.me.encryption_key)):
            named = [k for k in given["keys"] if k["use"] == use]
            if use == "sig" or named:
                assert thumbprint(own) in [k["kid"] for k in named]
            for key in named:
                assert key["kid"] == thumbprint(public_members(key["jwk"])) and "d" not in key["jwk"]
                assert isinstance(key["log"]["idx"], int) and key["log"]["leaf"]
    assert {PLACEMENT, BENEFIT} <= set(world.ok(world.centre.get(f"/v1/parties/{world.municipality.me.party}")).json()["purposes"])


def test_the_agreement_is_given_with_the_exact_bytes_that_were_signed(world):
    assert digest(world.agreement_document) == world.agr["sha256"]
    assert {world.centre.me.party, world.municipality.me.party} <= set(world.agreement["parties"])
    given = world.ok(world.centre.get(f"/v1/agreements/{world.agr['id']}/{world.agr['ver']}")).json()
    accepted = set()
    for token in given["signatures"]:
        iss = json.loads(client.unb64u(token.split(".")[1]))["iss"]
        claims = client.read_jws(token, "tsunagi-agreement-sig+jwt", world.centre.party_keys(iss))
        if claims["act"] == "accept":
            assert claims["agr"] == world.agr
            accepted.add(iss)
    assert set(world.agreement["parties"]) <= accepted


def test_the_schema_is_served_byte_exact_and_names_a_class_for_every_row(world):
    assert digest(world.schema_bytes) == world.sch["sha256"]
    assert all(isinstance(row["x-tsunagi-class"], str) for row in world.catalogue.values())
    assert world.rows(*CRIMINAL) and world.rows("identity") and world.rows("disability")


# ---- consent and referral ---------------------------------------------------------------------------------------------------------------


def test_a_consent_is_registered_with_receipt_and_proof_and_only_once(world):
    token, claims = world.sign_consent()
    first = world.ok(world.centre.post_jwt("/v1/consents", PLACEMENT, token), 201).json()
    recorded = world.centre.recorded(first)
    assert recorded.entry["type"] == "consent" and recorded.entry["operation"] == "consent.register"
    assert first["consent"] == claims["jti"] and world.centre.receipt(first["receipt"])["log"]["idx"] == recorded.index
    again = world.ok(world.centre.post_jwt("/v1/consents", PLACEMENT, token), 200, 201).json()
    assert again["ledger"]["index"] == first["ledger"]["index"] and again["ledger"]["leaf"] == first["ledger"]["leaf"]
    state = world.ok(world.centre.get(f"/v1/consents/{claims['jti']}", PLACEMENT)).json()
    assert claims["sub"] in json.dumps(state)


def test_a_referral_opens_a_case_with_receipt_and_proof(world):
    message = world.message(world.consent())
    response = world.ok(world.centre.post_message("/v1/referrals", PLACEMENT, message), 201)
    answer = response.json()
    assert response.headers["Location"] == f"/v1/cases/{answer['case']}" and uuid.UUID(answer["case"])
    assert answer["message"] == message.jti
    recorded = world.centre.recorded(answer)
    entry = recorded.entry
    assert (entry["type"], entry["operation"], entry["decision"]) == ("submission", "referral.submit", "permit")
    assert entry["actor"]["party"] == world.centre.me.party and entry["recipient"] == world.municipality.me.party
    assert entry["actor"]["cert"] == world.centre.me.certificate_digest and entry["agreement"] == world.agr
    assert entry["request"] == message.digest
    receipt = world.centre.receipt(answer["receipt"])
    assert receipt["msg"] == {"iss": world.centre.me.party, "jti": message.jti, "sha256": message.digest}
    assert receipt["log"] == {"origin": world.centre.origin, "idx": recorded.index, "leaf": b64u(recorded.leaf_hash)}


def test_nothing_erasable_stands_in_a_leaf(world, referral):
    leaf = client.unb64u(referral.answer["ledger"]["leaf"]).decode()
    personal = [v for v in world.body.values() if isinstance(v, str) and len(v) > 3 and not v.isascii()]
    for secret in [referral.case_at_sender, referral.case_at_reader, referral.consent.jti, referral.consent.sub, world.centre.staff, *personal]:
        assert secret not in leaf


def test_the_same_message_again_gives_the_same_result(world, referral):
    size = world.checkpoint().size
    response = world.ok(world.centre.post_message("/v1/referrals", PLACEMENT, referral.message), 200, 201)
    again, first = response.json(), referral.answer
    assert again["case"] == first["case"] and again["message"] == first["message"]
    assert again["ledger"]["index"] == first["ledger"]["index"] and again["ledger"]["leaf"] == first["ledger"]["leaf"]
    old, new = world.centre.receipt(first["receipt"]), world.centre.receipt(again["receipt"])
    assert (old["jti"], old["iat"]) == (new["jti"], new["iat"])
    world.centre.recorded(again)
    assert world.checkpoint().size == size, "a repeat is no new entry"


def test_the_recipient_finds_the_case_under_an_id_of_its_own(world, referral):
    mine = next(c for c in world.cases(world.municipality) if c["case"] == referral.case_at_reader)
    theirs = next(c for c in world.cases(world.centre) if c["case"] == referral.case_at_sender)
    assert mine["case"] != theirs["case"]
    assert mine["state"] == theirs["state"] == "open" and mine["kind"] == "referral"
    assert referral.case_at_sender not in {c["case"] for c in world.cases(world.municipality)}


def test_a_list_beyond_the_cursor_waits_and_comes_back_empty(world, referral):
    cursor, page = None, None
    while page is None or page["cases"]:
        target = "/v1/cases" + (f"?cursor={cursor}" if cursor else "")
        page = world.ok(world.municipality.get(target, PLACEMENT)).json()
        cursor = page["cursor"] or cursor
    size, began = world.checkpoint().size, time.monotonic()
    page = world.ok(world.municipality.get(f"/v1/cases?cursor={cursor}&wait=1", PLACEMENT)).json()
    assert page["cases"] == [] and 0.5 < time.monotonic() - began < 10
    assert world.checkpoint().size == size, "an empty page is no entry"


# ---- views ------------------------------------------------------------------------------------------------------------------------------


def read_and_keep(world, referral, purpose) -> client.Release:
    """Reads a case; keeps the envelope for the other strangers when `TSUNAGI_RELEASES` names a folder."""
    nonce = secrets.token_urlsafe(24)
    response = world.ok(world.municipality.get(f"/v1/cases/{referral.case_at_reader}", purpose, nonce=nonce))
    release = world.municipality.open(response.text, nonce)
    folder = os.environ.get("TSUNAGI_RELEASES")
    if folder:
        kept = {
            "identity": str(world.municipality.me.folder), "reader": world.municipality.me.party, "envelope": response.text, "nonce": nonce,
            "reader_key": json.loads(world.municipality.me.encryption_key.export_private()), "gateway": world.municipality.me.pinned,
            "sender": world.ok(world.municipality.get(f"/v1/parties/{release.claims['iss']}")).json(), "body": release.body,
        }
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{purpose}.json").write_text(json.dumps(kept, ensure_ascii=False))
    return release


def test_two_purposes_give_two_views_of_one_signed_message(world, referral):
    placement, benefit = (read_and_keep(world, referral, p) for p in (PLACEMENT, BENEFIT))
    for view in (placement, benefit):
        assert view.issuer_jwt == referral.message.issuer_jwt
        assert view.claims["jti"] == referral.message.jti and view.claims["aud"] == world.municipality.me.party
        assert all(world.body[row] == value for row, value in view.body.items())
        assert not {"case", "thr", "drv"} & set(view.claims)
    assert set(benefit.body) < set(placement.body)
    assert world.rows("identity", "disability") <= set(benefit.body)
    assert not world.rows(*CRIMINAL) & set(benefit.body), "who decides on benefits learns nothing of a criminal past"
    assert not {"sub", "con"} & set(benefit.claims)
    assert world.rows("criminal_status", "criminal_summary") <= set(placement.body)
    assert placement.kb["jti"] != benefit.kb["jti"] and placement.kb["tsn"]["idx"] < benefit.kb["tsn"]["idx"]
    assert placement.kb["tsn"]["terms"] == benefit.kb["tsn"]["terms"] == world.agreement["terms"]
    assert placement.kb["tsn"]["pol"] == world.well_known["policy"]["sha256"]


def test_a_release_is_bound_to_reader_and_nonce(world, referral):
    view = world.read(referral, PLACEMENT)
    keys = world.municipality.party_keys(world.centre.me.party)

    def issuer(_iss, header):
        return client.JWK(**public_members(next(k for k in keys if thumbprint(public_members(k)) == header["kid"])))

    for aud, nonce in ((world.group_home.me.party, view.kb["nonce"]), (world.municipality.me.party, "another-nonce-of-length")):
        with pytest.raises(ValueError):
            SDJWTVerifier(view.presentation, issuer, aud, nonce)
    with pytest.raises(ValueError):
        SDJWTVerifier("~".join(view.presentation.split("~")[:1] + view.presentation.split("~")[2:]), issuer, world.municipality.me.party, view.kb["nonce"])


def test_each_release_is_exactly_one_entry_and_stands_before_the_bytes(world, referral):
    size = world.checkpoint().size
    view = world.read(referral, BENEFIT)
    after = world.checkpoint()
    assert after.size == size + 1 and view.kb["tsn"]["idx"] == size


def test_the_message_list_and_the_message_itself(world, referral):
    base = f"/v1/cases/{referral.case_at_reader}/messages"
    listed = world.ok(world.municipality.get(base, PLACEMENT)).json()["messages"]
    assert [(m["message"], m["kind"], m["direction"]) for m in listed] == [(referral.message.jti, "referral", "in")]
    view = world.municipality.read(f"{base}/{referral.message.jti}", PLACEMENT)
    assert view.issuer_jwt == referral.message.issuer_jwt
    own = world.centre.read(f"/v1/cases/{referral.case_at_sender}/messages/{referral.message.jti}", PLACEMENT)
    assert own.issuer_jwt == referral.message.issuer_jwt


def test_a_case_of_others_is_not_there(world, referral):
    for stranger in ("group_home", "day_service", "consultation_office", "core_center", "probation_office"):
        party = world.by_kind[stranger]
        purpose = next(p for p in world.ok(party.get(f"/v1/parties/{party.me.party}")).json()["purposes"])
        seen = []
        for case in (referral.case_at_reader, referral.case_at_sender, new_jti()):
            answer = party.get(f"/v1/cases/{case}", purpose)
            assert answer.status_code == 404 and answer.json()["code"] == "not_found"
            own = answer.json()["instance"]
            headers = {n: v for n, v in answer.headers.items() if n != "date" and own not in v}
            seen.append((answer.text.replace(own, "-"), headers))
        assert seen[0] == seen[1] == seen[2], stranger
    assert world.municipality.get(f"/v1/cases/{referral.case_at_sender}", PLACEMENT).status_code == 404


def test_an_identity_in_a_header_is_not_believed(world, referral):
    mine = world.municipality.me
    claimed = {
        "X-Forwarded-Client-Cert": f"URI=urn:tsunagi:party:{mine.party}", "X-Client-Cert": urllib.parse.quote(mine.tls_cert.read_text()),
        "Client-Cert": f":{''.join(mine.tls_cert.read_text().splitlines()[1:-1])}:", "X-SSL-Client-S-DN": f"CN={mine.party}", "X-Forwarded-User": mine.party,
        "Tsunagi-Party": mine.party, "Forwarded": f"for={mine.party}", "X-Real-IP": "127.0.0.1",
    }
    target = f"/v1/cases/{referral.case_at_reader}"
    purpose = next(p for p in world.ok(world.group_home.get(f"/v1/parties/{world.group_home.me.party}")).json()["purposes"])
    assert world.group_home.get(target, purpose, headers=claimed).status_code == 404
    stolen = world.municipality.actor("GET", target, PLACEMENT, nonce=secrets.token_urlsafe(24))
    answer = world.group_home.get(target, actor=stolen, headers=claimed)
    assert answer.status_code == 401 and answer.json()["code"] in ("actor_binding", "actor_invalid")


# ---- evidence ---------------------------------------------------------------------------------------------------------------------------


def test_an_acknowledgement_becomes_a_receipt_of_the_sender(world):
    referral = world.refer()
    view = world.read(referral, PLACEMENT)
    msg = {"iss": referral.message.claims["iss"], "jti": referral.message.jti}
    token = world.municipality.sign("tsunagi-ack+jwt", msg=msg, rel=view.kb["jti"], sd_hash=view.sd_hash, st="received")
    answer = world.ok(world.municipality.post_jwt(f"/v1/cases/{referral.case_at_reader}/acknowledgements", PLACEMENT, token), 200, 201).json()
    recorded = world.municipality.recorded(answer)
    assert recorded.entry["type"] == "acknowledgement" and recorded.index > view.kb["tsn"]["idx"]
    given = world.ok(world.centre.get(f"/v1/cases/{referral.case_at_sender}/receipts", PLACEMENT)).json()["receipts"]
    receipts = [world.centre.receipt(token) for token in given]
    assert all(r["msg"]["jti"] == referral.message.jti for r in receipts)
    assert {referral.answer["ledger"]["index"], view.kb["tsn"]["idx"], recorded.index} <= {r["log"]["idx"] for r in receipts}
    assert len({r["st"] for r in receipts}) >= 3


def test_an_acknowledgement_of_what_was_not_released_is_refused(world):
    referral = world.refer()
    msg = {"iss": referral.message.claims["iss"], "jti": referral.message.jti}
    token = world.municipality.sign("tsunagi-ack+jwt", msg=msg, rel=new_jti(), sd_hash=digest("other"), st="received")
    answer = world.municipality.post_jwt(f"/v1/cases/{referral.case_at_reader}/acknowledgements", PLACEMENT, token)
    assert 400 <= answer.status_code < 500 and answer.headers["Content-Type"].startswith("application/problem+json")


def test_a_withdrawal_bites_at_once(world):
    referral = world.refer()
    assert world.read(referral, PLACEMENT).body
    answer = world.ok(world.end_consent(referral.consent.jti), 200, 201).json()
    ended = world.centre.recorded(answer)
    assert ended.entry["type"] == "consent_end" and answer["consent"] == referral.consent.jti
    for purpose in (PLACEMENT, BENEFIT):
        refused = world.municipality.get(f"/v1/cases/{referral.case_at_reader}", purpose)
        assert (refused.status_code, refused.json()["code"]) == (403, "consent_ended")
        assert "~" not in refused.text and referral.message.jti not in refused.text
    for event in world.events():
        if event["index"] > ended.index and (event["opened"] or {}).get("message") == referral.message.jti:
            assert event["entry"]["type"] != "release", "a release after the withdrawal"
    again = world.ok(world.centre.post_message("/v1/referrals", PLACEMENT, referral.message), 200, 201).json()
    assert again["ledger"]["index"] == referral.answer["ledger"]["index"], "the repeat of what was accepted before stays the same"
    late = world.centre.post_message("/v1/referrals", PLACEMENT, world.message(referral.consent))
    assert (late.status_code, late.json()["code"]) == (403, "consent_ended")


# ---- audit ------------------------------------------------------------------------------------------------------------------------------


def test_the_auditor_sees_which_rows_went_where_and_no_value(world):
    referral = world.refer()
    for purpose in (PLACEMENT, BENEFIT):
        view = world.read(referral, purpose)
        index = view.kb["tsn"]["idx"]
        event = world.event(index)
        entry, opened = event["entry"], event["opened"]
        assert event["index"] == index and entry["type"] == "release" and entry["purpose"] == purpose
        assert entry["sd_hash"] == view.sd_hash and entry["rel"] == view.kb["jti"]
        assert entry["actor"]["party"] == world.municipality.me.party
        shown, withheld = row_names(opened["disclosed"]), row_names(opened["withheld"])
        assert shown - {"sub", "con"} == set(view.body)
        assert withheld - {"sub", "con", "case", "thr", "drv"} == set(world.body) - set(view.body)
        assert opened["staff"] == world.municipality.staff
        assert opening_commitment(opened) == entry["open_c"]
        assert opening_commitment(opened | {"staff": "somebody"}) != entry["open_c"]
        for value in world.body.values():
            if isinstance(value, str) and not value.isascii() and len(value) > 3:
                assert value not in json.dumps(event, ensure_ascii=False)
        leaf = tlog.leaf_hash(client.rfc8785.dumps(entry))
        proof = world.ok(world.auditor.get(f"/v1/audit/events/{index}/proof", AUDIT))
        assert proof.headers["Content-Type"].startswith("text/plain")
        assert tlog.open_proof(proof.text, leaf, world.auditor.ledger_key, world.auditor.origin)[0] == index


def test_refusals_are_entries_too(world):
    message = world.message(world.unticked_consent())
    refused = world.centre.post_message("/v1/referrals", PLACEMENT, message)
    assert refused.json()["code"] == "over_disclosure"
    last = world.event(world.checkpoint().size - 1)
    assert (last["entry"]["type"], last["entry"]["decision"], last["entry"]["reason"]) == ("refusal", "deny", "over_disclosure")
    assert last["entry"]["actor"]["party"] == world.centre.me.party


def test_events_are_filtered_and_each_query_is_an_entry(world, referral):
    releases = world.events(type="release", actor=world.municipality.me.party)
    assert releases and all(e["entry"]["type"] == "release" and e["entry"]["actor"]["party"] == world.municipality.me.party for e in releases)
    queries = world.events(type="audit_query")
    assert queries and all(e["entry"]["actor"]["party"] == world.auditor.me.party for e in queries)


def test_a_page_once_read_never_changes(world, referral):
    first = world.ok(world.auditor.get("/v1/audit/events?limit=3", AUDIT)).json()
    assert len(first["events"]) == 3 and first["cursor"]
    tlog.open_checkpoint(first["checkpoint"], world.auditor.ledger_key, world.auditor.origin)
    pages = [world.ok(world.auditor.get(f"/v1/audit/events?limit=3&cursor={first['cursor']}", AUDIT)).json()["events"] for _ in range(2)]
    assert pages[0] == pages[1] and pages[0][0]["index"] == first["events"][-1]["index"] + 1


def test_only_auditors_read_events(world):
    for party in (world.municipality, world.centre, world.group_home):
        answer = party.get("/v1/audit/events", AUDIT)
        assert answer.status_code in (403, 404), party.me.party


def test_two_checkpoints_are_consistent(world):
    before = world.checkpoint()
    world.consent()
    after = world.checkpoint()
    assert after.size > before.size
    given = world.ok(world.centre.get(f"/v1/ledger/consistency?from={before.size}&to={after.size}")).json()
    assert (given["from"], given["to"]) == (before.size, after.size)
    path = [tlog.std_b64(h) for h in given["hashes"]]
    tlog.verify_consistency(before.size, after.size, before.root, after.root, path)
    with pytest.raises(tlog.Refused):
        tlog.verify_consistency(before.size, after.size, after.root, before.root, path)


def test_a_ledger_rebuilt_by_a_stranger_verifies(world, referral, tmp_path):
    world.read(referral, PLACEMENT)
    folder = tmp_path / "export"
    assert world.export(folder) > 3
    for engine in ("pymerkle", "sigstore"):
        verify_export.verify(folder, world.auditor.me.pinned["ledger"]["vkey"], verify_export.ENGINES[engine]())


def test_the_gateways_own_export_verifies_and_continues_a_checkpoint_kept_before(world, referral, tmp_path):
    """`TSUNAGI_EXPORT` keeps it for the other strangers, with `.vkey` and `.kept` beside it."""
    binary = os.environ.get("TSUNAGI_BIN")
    assert binary, "the gateway's own export needs its binary: set TSUNAGI_BIN"
    kept = world.ok(world.auditor.get("/v1/ledger/checkpoint")).text
    world.read(referral, PLACEMENT)
    folder = Path(os.environ.get("TSUNAGI_EXPORT", tmp_path / "own"))
    words = [binary, "audit", "export", "--format", "tiles", "--as", str(world.auditor.me.folder), str(folder)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    vkey = world.auditor.me.pinned["ledger"]["vkey"]
    Path(f"{folder}.vkey").write_text(f"{vkey}\n")
    Path(f"{folder}.kept").write_text(kept, encoding="utf-8")
    for engine in ("pymerkle", "sigstore"):
        verify_export.verify(folder, vkey, verify_export.ENGINES[engine](), kept)


# ---- transport --------------------------------------------------------------------------------------------------------------------------


def test_without_a_certificate_there_is_no_answer(world):
    me = world.municipality.me
    with httpx.Client(base_url=me.gateway, verify=me.tls(with_certificate=False), trust_env=False) as http:
        with pytest.raises(httpx.TransportError):
            http.get("/.well-known/tsunagi")


def test_tls_before_1_3_is_refused(world):
    me = world.municipality.me
    context = me.tls()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx.Client(base_url=me.gateway, verify=context, trust_env=False) as http:
        with pytest.raises(httpx.TransportError):
            http.get("/.well-known/tsunagi")


def test_no_session_ticket_is_given(world):
    import socket

    me = world.municipality.me
    url = httpx.URL(me.gateway)
    with socket.create_connection((url.host, url.port), timeout=10) as raw:
        with me.tls().wrap_socket(raw, server_hostname=url.host) as tls:
            tls.sendall(f"GET /.well-known/tsunagi HTTP/1.1\r\nHost: {url.host}\r\nConnection: close\r\n\r\n".encode())
            while tls.recv(4096):
                pass
            assert tls.version() == "TLSv1.3" and (tls.session is None or not tls.session.has_ticket)
