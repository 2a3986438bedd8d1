"""Messages as they are signed: what is hidden, what is padded, what is refused before it is signed."""

import json
from typing import Any

import pytest

from forge import BODY, CENTRE, Forge
from tsunagi_client import ConsentReference, Message, SetupError
from tsunagi_client.encoding import digest, unb64u
from tsunagi_client.keys import PublicKey, parts, verify_by
from tsunagi_client.message import HIDDEN, message_digest

PROVIDER = "group_home:1320100017"


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


def payload(message: Message, key: PublicKey) -> dict[str, Any]:
    verify_by(message.issuer_jwt, key, "message")
    return parts(message.issuer_jwt, "message")[1]


def disclosed(message: Message) -> dict[str, Any]:
    return {name: value for _, name, value in (json.loads(unb64u(one)) for one in message.token.split("~")[1:-1])}


def test_every_row_and_hidden_claim_is_a_disclosure_and_nothing_else_is(forge: Forge) -> None:
    consent = ConsentReference("5d0f3a52-1c8e-4b7a-9a44-3f3b6f0f7c11", digest("consent"), "pseudonym")
    message = forge.message(consent=consent, case="0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4", thread="t-1", source=(CENTRE, consent.jti))
    signed = payload(message, forge.sender.public)
    hidden = {
        "sub": "pseudonym", "con": {"jti": consent.jti, "sha256": consent.sha256}, "case": "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4",
        "thr": "t-1", "drv": {"iss": CENTRE, "jti": consent.jti},
    }  # fmt: skip
    assert disclosed(message) == BODY | hidden
    assert set(signed["body"]) == {"_sd"} and len(signed["body"]["_sd"]) == len(BODY) and len(signed["_sd"]) == len(HIDDEN)
    assert not {"小波", "pseudonym"} & {str(value) for value in signed.values()}
    assert signed["cnf"] == {"jwk": forge.kb.public.members} and signed["_sd_alg"] == "sha-256"
    assert signed["_sd"] == sorted(signed["_sd"]) and signed["body"]["_sd"] == sorted(signed["body"]["_sd"])


@pytest.mark.parametrize(("rows", "length"), [(0, 32), (1, 32), (32, 32), (33, 64), (129, 256)])
def test_towards_a_provider_neither_rows_nor_time_can_be_counted(forge: Forge, rows: int, length: int) -> None:
    message = forge.message(PROVIDER, body={f"row_{at}": "x" for at in range(rows)})
    signed = payload(message, forge.sender.public)
    assert len(signed["body"]["_sd"]) == length and len(signed["_sd"]) == len(HIDDEN)
    assert signed["iat"] % 3600 == 0
    assert len(disclosed(message)) == rows


def test_more_rows_than_can_be_padded_are_refused(forge: Forge) -> None:
    with pytest.raises(SetupError):
        forge.message(PROVIDER, body={f"row_{at}": "x" for at in range(257)})


def test_the_digest_names_the_message_whatever_order_its_disclosures_have(forge: Forge) -> None:
    message = forge.message()
    first, *disclosures, _ = message.token.split("~")
    assert message_digest("~".join([first, *reversed(disclosures), ""])) == message.sha256
    other_signature = first.rpartition(".")[0] + "." + "A" * 86
    assert message_digest("~".join([other_signature, *disclosures, ""])) == message.sha256
    assert message_digest("~".join([first, *disclosures[1:], ""])) != message.sha256


def test_two_messages_of_one_draft_share_neither_id_nor_salt(forge: Forge) -> None:
    one, two = forge.message(), forge.message()
    assert one.jti != two.jti and not set(one.token.split("~")[:-1]) & set(two.token.split("~")[:-1])


@pytest.mark.parametrize("body", [{"row": 1.5}, {"row": {"_sd": []}}, {"...": "秘密"}, {"row": 2**60}, {"row": "秘密\u0000"}, {"row": {1, 2}}])
def test_what_is_no_strict_json_is_refused_and_not_quoted(forge: Forge, body: Any) -> None:
    with pytest.raises(SetupError) as refused:
        forge.message(body=body)
    assert "秘密" not in str(refused.value) and refused.value.__cause__ is None


def test_names_keep_their_characters(forge: Forge) -> None:
    body = {"family_name": "髙\ufa19", "given_name": "葛\U000e0100"}
    assert disclosed(forge.message(body=body)) == body


def test_drafts_and_messages_are_printed_without_their_content(forge: Forge) -> None:
    consent = ConsentReference("5d0f3a52-1c8e-4b7a-9a44-3f3b6f0f7c11", digest("consent"), "pseudonym")
    for shown in (repr(forge.draft(consent=consent)), repr(forge.message(consent=consent)), repr(forge.sender)):
        assert not any(word in shown for word in ("小波", "健太", "1984", "pseudonym", str(forge.sender.jwk.export(as_dict=True)["d"])))
