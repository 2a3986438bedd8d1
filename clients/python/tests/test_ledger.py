"""Entries, receipts, proofs and heads that must not be believed."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from forge import CENTRE, CITY, GATEWAY, ORIGIN, Forge
from tsunagi_client import Checkpoint, Doubt
from tsunagi_client.encoding import b64u, canonical, digest
from tsunagi_client.keys import PrivateKey, new_id
from tsunagi_client.ledger import Receipt, check_accepted, check_opening, entry_of_answer
from tsunagi_client.tlog import VerifierKey, leaf_hash, node_hash, open_checkpoint, open_proof, verify_consistency

LEAF = canonical({"v": 1, "type": "consent"})


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


def accept(forge: Forge, answer: dict[str, Any], jti: str, sha256: str) -> None:
    check_accepted(answer, CENTRE, jti, sha256, forge.pinned)


def test_an_answer_whose_parts_fit_is_taken(forge: Forge) -> None:
    jti, sha256 = new_id(), digest("object")
    entry, receipt = check_accepted(forge.answer(CENTRE, jti, sha256), CENTRE, jti, sha256, forge.pinned)
    assert (entry.index, entry.actor, entry.checkpoint.size, receipt.status) == (1, CENTRE, 3, "accepted")


@pytest.mark.parametrize(
    ("change", "what"),
    [({"decision": "deny"}, "decision"), ({"actor": {"party": CITY}}, "party"), ({"request": digest("other")}, "object"), ({"actor": None}, "party")],
)  # fmt: skip
def test_an_entry_about_something_else_is_refused(forge: Forge, change: dict[str, Any], what: str) -> None:
    jti, sha256 = new_id(), digest("object")
    with pytest.raises(Doubt, match=f"entry: another {what}"):
        accept(forge, forge.answer(CENTRE, jti, sha256, **change), jti, sha256)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://elsewhere.example"}, {"aud": CITY}, {"st": "refused"}, {"msg": {"iss": CENTRE, "jti": "x", "sha256": "x"}},
        {"log": {"origin": "elsewhere/ledger", "idx": 1, "leaf": "x"}}, {"log": {"origin": ORIGIN, "idx": 2, "leaf": digest("leaf")}},
    ],
)  # fmt: skip
def test_a_receipt_about_something_else_is_refused(forge: Forge, change: dict[str, Any]) -> None:
    jti, sha256 = new_id(), digest("object")
    answer = forge.answer(CENTRE, jti, sha256)
    answer["receipt"] = forge.receipt_for(CENTRE, jti, sha256, LEAF, **change)
    with pytest.raises(Doubt, match="receipt"):
        accept(forge, answer, jti, sha256)


def test_a_receipt_by_another_key_is_refused(forge: Forge) -> None:
    for key in (PrivateKey.generate(), forge.kb):
        token = forge.receipt_for(CENTRE, new_id(), digest("object"), LEAF, key=key)
        with pytest.raises(Doubt, match="receipt: signed by a key"):
            Receipt.read(token, CENTRE, forge.pinned)
    token = forge.receipt_for(CENTRE, new_id(), digest("object"), LEAF)
    for at in range(0, len(token), 11):
        with pytest.raises(Doubt):
            Receipt.read(token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :], CENTRE, forge.pinned)


def test_a_changed_leaf_index_or_origin_is_refused(forge: Forge) -> None:
    good = forge.answer(CENTRE, new_id(), digest("object"))
    for change in ({"leaf": b64u(LEAF)}, {"index": 0}, {"origin": "elsewhere/ledger"}, {"index": True}, {"proof": "x"}):
        with pytest.raises(Doubt):
            entry_of_answer(good | {"ledger": good["ledger"] | change}, forge.pinned)


def test_a_leaf_that_is_not_canonical_is_refused(forge: Forge) -> None:
    leaf = b'{"type": "consent"}'
    part = {"origin": ORIGIN, "index": 1, "leaf": b64u(leaf), "proof": forge.proof(leaf)}
    with pytest.raises(Doubt, match="not canonical"):
        entry_of_answer({"ledger": part}, forge.pinned)


def test_a_changed_proof_is_refused(forge: Forge) -> None:
    key, good = forge.pinned.vkey, forge.proof(LEAF)
    assert open_proof(good, LEAF, key)[0] == 1
    for at in range(0, len(good), 3):
        with pytest.raises(Doubt):
            open_proof(good[:at] + chr(ord(good[at]) ^ 1) + good[at + 1 :], LEAF, key)


def test_a_head_by_another_key_or_of_another_ledger_is_refused(forge: Forge) -> None:
    root = leaf_hash(b"x")
    for note in (forge.note(1, root, key=Ed25519PrivateKey.generate()), forge.note(1, root, origin="elsewhere/ledger")):
        with pytest.raises(Doubt):
            open_checkpoint(note, forge.pinned.vkey)
    twice = forge.note(1, root)
    with pytest.raises(Doubt):
        open_checkpoint(twice + twice.split("\n\n")[1], forge.pinned.vkey)


def test_a_witness_beside_the_ledgers_own_signature_is_none_of_our_business(forge: Forge) -> None:
    note = forge.note(1, leaf_hash(b"x"))
    line = f"\u2014 witness.example {base64.b64encode(bytes(72)).decode()}\n"
    assert open_checkpoint(note + line, forge.pinned.vkey).size == 1


@pytest.mark.parametrize("vkey", ["", "a+b", "name+00000000+AAAA", "na me+00000000+" + "A" * 44])
def test_a_ledger_key_of_another_form_is_refused(vkey: str) -> None:
    with pytest.raises(Doubt):
        VerifierKey.parse(vkey)


def heads() -> tuple[list[Checkpoint], list[bytes]]:
    leaves = [leaf_hash(bytes([at])) for at in range(4)]
    pairs = [node_hash(leaves[0], leaves[1]), node_hash(leaves[2], leaves[3])]
    roots = [leaves[0], pairs[0], node_hash(pairs[0], leaves[2]), node_hash(*pairs)]
    return [Checkpoint(ORIGIN, at + 1, root, "") for at, root in enumerate(roots)], [*leaves, *pairs]


def test_a_head_that_continues_is_told_from_one_that_does_not() -> None:
    made, (first, second, third, fourth, pair, other) = heads()
    one, two, three, four = made
    verify_consistency(one, four, [second, other])
    verify_consistency(two, four, [other])
    verify_consistency(three, four, [third, fourth, pair])
    verify_consistency(four, four, [])
    for older, newer, path in (
        (three, four, [third, fourth]), (three, four, [third, fourth, pair, first]), (two, four, []), (four, two, [other]), (four, four, [first]),
        (Checkpoint(ORIGIN, 2, first, ""), four, [other]), (Checkpoint("elsewhere", 2, two.root, ""), four, [other]),
    ):  # fmt: skip
        with pytest.raises(Doubt):
            verify_consistency(older, newer, path)


def test_an_opening_is_the_one_that_was_committed_to() -> None:
    salt = bytes(range(32))
    opening = {"staff": "staff-0001", "disclosed": ["sex"]}
    entry = {"open_c": digest(b"tsunagi/opening/v1" + salt + canonical(opening))}
    check_opening(entry, opening | {"salt": b64u(salt)})
    for bad in (opening | {"salt": b64u(salt[:31])}, opening | {"salt": b64u(salt), "staff": "x"}, opening, {"unreadable": True}):
        with pytest.raises(Doubt):
            check_opening(entry, bad)


def test_the_gateway_of_the_tests_is_the_pinned_one(forge: Forge) -> None:
    assert forge.pinned.gateway == GATEWAY
    forge.pinned.agrees_with(forge.pinned)
    for other in (Forge(forge.enc, forge.kb), Forge(forge.enc, receipt=forge.receipt, ledger=forge.ledger)):
        with pytest.raises(Doubt, match="another"):
            forge.pinned.agrees_with(other.pinned)
