"""What a reader refuses: every part of a release that is not what the sender signed, or not bound to this reader by the pinned gateway."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from forge import AGREEMENT, BODY, CENTRE, CITY, NONCE, ORIGIN, Forge, raw_jws
from tsunagi_client import Doubt, Release
from tsunagi_client.encoding import b64u, digest, unb64u
from tsunagi_client.keys import PrivateKey, PublicKey, parts
from tsunagi_client.message import MESSAGE_TYP
from tsunagi_client.release import verify_release


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


def presented(forge: Forge, *rows: str) -> str:
    """Some rows of a signed message, without a key binding."""
    first, *disclosures, _ = forge.message().token.split("~")
    kept = [one for one in disclosures if named(one) in rows]
    return "~".join([first, *kept, ""])


def named(disclosure: str) -> str:
    return str(json.loads(unb64u(disclosure))[1])


def verify(forge: Forge, release: str, reader: str = CITY, nonce: str = NONCE) -> Release:
    def key(iss: str, kid: str, iat: int) -> PublicKey:
        if iss != CENTRE or not kid or not iat:
            raise Doubt("message: no such sender")
        return forge.sender.public

    return verify_release(release, reader, nonce, key, forge.pinned.binding_keys, ORIGIN)


def refused(forge: Forge, release: str, what: str, **asked: str) -> None:
    with pytest.raises(Doubt) as doubt:
        verify(forge, release, **asked)
    assert what in doubt.value.what
    assert not any(value in str(doubt.value) for value in BODY.values() if isinstance(value, str))


def resigned(forge: Forge, release: str, change: Callable[[dict[str, Any]], None], **header: Any) -> str:
    """The same presentation under another payload that the sender signed."""
    first, rest = release.split("~", 1)
    _, payload, _ = parts(first, "message")
    change(payload)
    made = raw_jws(forge.sender, {"alg": "ES256", "kid": forge.sender.kid, "typ": MESSAGE_TYP} | header, payload)
    return f"{made}~{rest}"


def test_a_view_holds_the_rows_that_were_shown_and_no_other(forge: Forge) -> None:
    release = verify(forge, forge.bind(presented(forge, "family_name", "birth_date")))
    assert release.body == {"family_name": "小波", "birth_date": "1984-05-17"}
    assert (release.iss, release.aud, release.kind, release.agreement) == (CENTRE, CITY, "referral", AGREEMENT)
    assert release.index == 1 and release.terms == ("目的外に使わない",) and release.acting_for is None
    assert verify(forge, forge.bind(presented(forge))).body == {}


def test_a_view_is_printed_without_its_content(forge: Forge) -> None:
    shown = repr(verify(forge, forge.bind(presented(forge, *BODY))))
    assert "小波" not in shown and "1984" not in shown and "~" not in shown


def test_an_altered_disclosure_is_refused(forge: Forge) -> None:
    first, one, _ = presented(forge, "family_name").split("~")
    salt, name, _value = json.loads(unb64u(one))
    other = b64u(json.dumps([salt, name, "大波"]).encode())
    refused(forge, forge.bind(f"{first}~{other}~"), "belongs to nothing")


def test_a_disclosure_of_another_message_is_refused(forge: Forge) -> None:
    other = presented(forge, "given_name").split("~")[1]
    first, one, _ = presented(forge, "family_name").split("~")
    refused(forge, forge.bind(f"{first}~{one}~{other}~"), "belongs to nothing")


def test_a_disclosure_that_stands_twice_is_refused(forge: Forge) -> None:
    first, one, _ = presented(forge, "family_name").split("~")
    refused(forge, forge.bind(f"{first}~{one}~{one}~"), "twice")


def test_a_row_among_the_hidden_claims_is_refused(forge: Forge) -> None:
    release = presented(forge, "family_name")

    def move(payload: dict[str, Any]) -> None:
        payload["_sd"] = payload["body"].pop("_sd")

    refused(forge, forge.bind(resigned(forge, release, move)), "belongs to nothing")


@pytest.mark.parametrize(
    "content",
    [["short", "family_name", "x"], ["s" * 22, "_sd", "x"], ["s" * 22, "row", {"...": "x"}], ["s" * 22, "row"], ["s" * 22, 1, 2], {}],
)  # fmt: skip
def test_a_disclosure_of_another_form_is_refused(forge: Forge, content: Any) -> None:
    first = presented(forge).split("~")[0]
    refused(forge, forge.bind(f"{first}~{b64u(json.dumps(content).encode())}~"), "disclosure")


def test_a_row_that_is_plain_or_listed_twice_is_refused(forge: Forge) -> None:
    release = presented(forge, "family_name")
    refused(forge, forge.bind(resigned(forge, release, lambda payload: payload["body"].update(sex="male"))), "plain")
    refused(forge, forge.bind(resigned(forge, release, lambda payload: payload["body"]["_sd"].append(payload["body"]["_sd"][0]))), "twice")


def test_a_release_bound_by_a_key_that_is_not_pinned_is_refused(forge: Forge) -> None:
    stranger = PrivateKey.generate()
    release = presented(forge, "family_name")
    other = resigned(forge, release, lambda payload: payload.update(cnf={"jwk": dict(stranger.public.members)}))
    refused(forge, forge.bind(other, key=stranger), "not pinned")
    # `cnf` is right, but another key signed.
    refused(forge, forge.bind(release, key=stranger, header={"alg": "ES256", "kid": forge.kb.kid, "typ": "kb+jwt"}), "signature")


def test_a_release_for_another_reader_or_nonce_is_refused(forge: Forge) -> None:
    release = forge.bind(presented(forge, "family_name"))
    refused(forge, release, "reader or nonce", reader="core_center:131016-1")
    refused(forge, release, "reader or nonce", nonce="another-nonce-of-a-reader")
    refused(forge, forge.bind(presented(forge, "family_name"), aud=CENTRE), "reader or nonce")


def test_a_release_with_a_row_more_or_less_than_was_bound_is_refused(forge: Forge) -> None:
    bound = forge.bind(presented(forge, "family_name", "given_name"))
    first, one, two, binding = bound.split("~")
    refused(forge, "~".join([first, one, binding]), "digest")
    refused(forge, "~".join([first, two, one, binding]), "digest")


def test_a_message_signed_by_another_key_is_refused(forge: Forge) -> None:
    stranger = Forge(kb=forge.kb)
    refused(forge, forge.bind(presented(stranger, "family_name")), "key of the sender")


@pytest.mark.parametrize("header", [{"typ": "jwt"}, {"x5u": "https://elsewhere.example"}, {"jku": "https://elsewhere.example"}])
def test_a_message_with_another_header_is_refused(forge: Forge, header: dict[str, Any]) -> None:
    refused(forge, forge.bind(resigned(forge, presented(forge), lambda _payload: None, **header)), "header")


def test_an_algorithm_of_the_tokens_own_choice_is_refused(forge: Forge) -> None:
    first, rest = presented(forge, "family_name").split("~", 1)
    payload = first.split(".")[1]
    header = b64u(json.dumps({"alg": "none", "kid": forge.sender.kid, "typ": MESSAGE_TYP}).encode())
    refused(forge, forge.bind(f"{header}.{payload}.{first.split('.')[2]}~{rest}"), "header")


@pytest.mark.parametrize(
    "change",
    [{"jti": "1"}, {"tsn": None}, {"extra": 1}, {"sd_hash": digest("x")}, {"tsn": {"origin": "elsewhere/ledger"}}, {"iat": None}],
)  # fmt: skip
def test_a_key_binding_with_other_claims_is_refused(forge: Forge, change: dict[str, Any]) -> None:
    with pytest.raises(Doubt):
        verify(forge, forge.bind(presented(forge, "family_name"), **change))


def test_a_release_without_a_key_binding_is_refused(forge: Forge) -> None:
    refused(forge, presented(forge, "family_name"), "key binding")
    refused(forge, "no-release", "form")


def test_any_changed_byte_is_refused(forge: Forge) -> None:
    release = forge.bind(presented(forge, "family_name"))
    for at in range(0, len(release), 17):
        changed = release[:at] + ("A" if release[at] != "A" else "B") + release[at + 1 :]
        with pytest.raises(Doubt):
            verify(forge, changed)
