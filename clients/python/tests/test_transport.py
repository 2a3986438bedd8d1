"""Asking: what is bound into an actor token, what is asked again and when, and what a refusal becomes."""

import email.utils
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from forge import Forge
from tsunagi_client import (
    BadRequest,
    Client,
    Doubt,
    Forbidden,
    Gone,
    Identity,
    NotAuthenticated,
    NotFound,
    Patience,
    Purpose,
    RateLimited,
    Refused,
    ReplayConflict,
    StateConflict,
    TsunagiError,
    Unacceptable,
    Unavailable,
    Unreachable,
)
from tsunagi_client.encoding import digest
from tsunagi_client.keys import verify
from tsunagi_client.transport import ACTOR_TYP, JWT

CASES: dict[str, Any] = {"cases": [], "cursor": None}


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge()


@pytest.fixture(scope="module")
def identity(forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return forge.identity(tmp_path_factory.mktemp("identity") / "party")


class Asked:
    """A client whose gateway answers from a list, and what it did."""

    def __init__(self, identity: Identity, answers: list[httpx.Response | type[httpx.TransportError]], **patience: Any) -> None:
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self.answers = list(answers)
        self.client = Client(identity, patience=Patience(sleep=self.waits.append, **patience))
        self.client._transport._http = httpx.Client(base_url=identity.gateway, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("秘密")

    def actors(self, forge: Forge) -> list[dict[str, Any]]:
        return [verify(one.headers["Tsunagi-Actor"], ACTOR_TYP, [forge.sender.public], "actor") for one in self.requests]


def no(http_status: int, code: str, rows: Any = (), headers: dict[str, str] | None = None, **change: Any) -> httpx.Response:
    document = {
        "type": f"urn:tsunagi:problem:{code}", "title": "It is refused", "status": http_status, "detail": "Do this next.",
        "instance": "urn:uuid:x", "code": code, "violations": list(rows),
    } | change  # fmt: skip
    return httpx.Response(http_status, json=document, headers={"Content-Type": "application/problem+json"} | (headers or {}))


def yes() -> httpx.Response:
    return httpx.Response(200, json=CASES)


def test_an_actor_token_is_bound_to_its_request(forge: Forge, identity: Identity) -> None:
    asked = Asked(identity, [yes()])
    asked.client.cases.page(Purpose.PLACEMENT, "abc", wait=1)
    [actor] = asked.actors(forge)
    assert (actor["htm"], actor["htu"], actor["pur"]) == ("GET", "/v1/cases?cursor=abc&wait=1", "placement_coordination")
    assert actor["cnf"] == {"x5t#S256": identity.certificate} and 0 < actor["exp"] - actor["iat"] <= 300
    assert (actor["iss"], actor["aud"], actor["sub"]) == (identity.party, identity.gateway, "unnamed")
    assert 16 <= len(actor["nonce"]) <= 64 and "req" not in actor
    asked = Asked(identity, [no(403, "no_consent")])
    with pytest.raises(Forbidden):
        asked.client._transport.post("/v1/consents", Purpose.PLACEMENT, JWT, lambda: b"a.b.c", repeatable=True)
    [actor] = asked.actors(forge)
    assert actor["req"] == digest("a.b.c") and actor["htm"] == "POST" and "nonce" not in actor


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_with_a_new_actor_token(forge: Forge, identity: Identity, status: int) -> None:
    code = {429: "rate_limited", 503: "overloaded"}[status]
    later = email.utils.formatdate(time.time() + 7, usegmt=True)
    asked = Asked(identity, [no(status, code, headers={"Retry-After": "3"}), no(status, code, headers={"Retry-After": later}), yes()])
    asked.client.cases.page(Purpose.PLACEMENT)
    assert asked.waits[0] == 3 and 4 < asked.waits[1] <= 7
    assert len({actor["jti"] for actor in asked.actors(forge)}) == 3 == len({actor["nonce"] for actor in asked.actors(forge)})


def test_a_longer_wait_is_the_callers_to_decide(identity: Identity) -> None:
    asked = Asked(identity, [no(429, "rate_limited", headers={"Retry-After": "600"})], longest=30.0)
    with pytest.raises(RateLimited) as limited:
        asked.client.cases.page(Purpose.PLACEMENT)
    assert limited.value.retry_after == 600 and asked.waits == []


def test_it_is_not_asked_for_ever(identity: Identity) -> None:
    asked = Asked(identity, [no(503, "crl_stale")] * 5, attempts=3)
    with pytest.raises(Unavailable):
        asked.client.cases.page(Purpose.PLACEMENT)
    assert len(asked.requests) == 3 and asked.waits == sorted(asked.waits) and len(asked.waits) == 2


@pytest.mark.parametrize("lost", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError])
def test_what_may_have_been_answered_is_asked_again_only_where_that_is_the_same(identity: Identity, lost: type[httpx.TransportError]) -> None:
    asked = Asked(identity, [lost, yes()])
    with pytest.raises(Unreachable):
        asked.client.cases.page(Purpose.PLACEMENT)
    assert len(asked.requests) == 1, "a read that was answered is an entry"
    asked = Asked(identity, [lost, httpx.Response(200, json={"agreements": [], "cursor": None})])
    assert asked.client.agreements.all() == [] and len(asked.requests) == 2


def test_what_was_never_sent_is_asked_again(identity: Identity) -> None:
    asked = Asked(identity, [httpx.ConnectError, httpx.ConnectTimeout, yes()])
    assert asked.client.cases.page(Purpose.PLACEMENT).cases == ()
    assert len(asked.requests) == 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "decrypt_failed", BadRequest), (401, "actor_replayed", NotAuthenticated), (403, "consent_ended", Forbidden),
        (404, "not_found", NotFound), (409, "replay_conflict", ReplayConflict), (409, "state_conflict", StateConflict), (410, "erased", Gone),
        (413, "too_large", BadRequest), (422, "over_disclosure", Unacceptable), (431, "headers_too_large", BadRequest),
    ],
)  # fmt: skip
def test_each_refusal_has_its_type_and_says_what_to_do_next(identity: Identity, status: int, code: str, kind: type[Refused]) -> None:
    rows = [{"field": "offence_name", "rule": "C-06", "class": "criminal_detail"}, {"field": "pur", "rule": "unit"}]
    with pytest.raises(kind) as refused:
        Asked(identity, [no(status, code, rows)]).client.cases.page(Purpose.PLACEMENT)
    error = refused.value
    assert type(error) is kind and (error.status, error.code, error.next_step) == (status, code, "Do this next.")
    assert [(one.field, one.rule, one.field_class) for one in error.violations] == [
        ("offence_name", "C-06", "criminal_detail"),
        ("pur", "unit", None),
    ]
    assert str(error) == f"{status} {code}: It is refused. Do this next. [offence_name: C-06; pur: unit]"


def test_a_state_conflict_says_what_is_possible(identity: Identity) -> None:
    rows = [{"field": "kind", "rule": "referral_ack"}, {"field": "kind", "rule": "referral_decision"}]
    with pytest.raises(StateConflict) as conflict:
        Asked(identity, [no(409, "state_conflict", rows)]).client.cases.page(Purpose.PLACEMENT)
    assert conflict.value.possible == ("referral_ack", "referral_decision")
    with pytest.raises(StateConflict) as conflict:
        Asked(identity, [no(409, "state_conflict", [{"field": "kind", "rule": "nothing_possible"}])]).client.cases.page(Purpose.PLACEMENT)
    assert conflict.value.possible == ()


@pytest.mark.parametrize(
    "answer",
    [
        lambda: no(403, "no_consent", status=422), lambda: no(403, "no_consent", type="urn:tsunagi:problem:other"),
        lambda: no(403, "no_consent", title="a\x1b[2J"), lambda: no(403, "no_consent", detail="two\nlines"),
        lambda: no(403, "no_consent", violations={}), lambda: no(403, "no_consent", violations=[{"field": 1}]),
        lambda: httpx.Response(403, text="<html>秘密"), lambda: httpx.Response(200, text="秘密"), lambda: httpx.Response(302, headers={"Location": "/"}),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_doubted_and_not_quoted(identity: Identity, answer: Callable[[], httpx.Response]) -> None:
    with pytest.raises(Doubt) as doubt:
        Asked(identity, [answer()]).client.cases.page(Purpose.PLACEMENT)
    assert "秘密" not in "".join(traceback.format_exception(doubt.value))


def test_nothing_secret_is_logged_or_told(forge: Forge, identity: Identity, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    message = forge.message()
    asked = Asked(identity, [httpx.ConnectError] * 4)
    with pytest.raises(TsunagiError) as error:
        asked.client.cases.post(message, None, Purpose.PLACEMENT)
    told = "".join(traceback.format_exception(error.value)) + caplog.text
    sent = [part for request in asked.requests for part in (request.headers["Tsunagi-Actor"], request.content.decode())]
    assert len(sent) == 8 and not any(part in told for part in sent)
    assert "小波" not in told and "秘密" not in told and message.issuer_jwt not in told


def test_an_endless_answer_is_cut_off(identity: Identity) -> None:
    with pytest.raises(Doubt, match="16 MiB"):
        Asked(identity, [httpx.Response(200, content=b"[" * (17 * 1024 * 1024))]).client.cases.page(Purpose.PLACEMENT)


def test_an_id_never_leads_to_another_path(identity: Identity) -> None:
    client = Asked(identity, []).client
    for wrong in ("../parties", "", "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4/../x", "0B0E5F6A-5C7E-4F0E-8D57-2F6F0AC1B1A4"):
        with pytest.raises(TsunagiError):
            client.cases.read_first(wrong, Purpose.PLACEMENT)


def test_an_identity_folder_is_read_and_its_secrets_are_not_shown(forge: Forge, tmp_path: Path) -> None:
    identity = forge.identity(tmp_path / "party")
    private = str(forge.sender.jwk.export(as_dict=True)["d"])
    assert identity.party == "settlement_center:13-1" and private not in repr(identity) + repr(identity.signing) + repr(Client(identity))
    assert identity.tls.minimum_version.name == "TLSv1_3" and identity.tls.check_hostname


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("identity.toml", "party = "), ("identity.toml", 'party = "x"'), ("signing.jwk", '{"kty":"EC","d":"秘密"}'), ("signing.jwk", "{"),
        ("gateway-keys.json", "{}"), ("tls.pem", "no certificate"), ("tls.key", "秘密"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_used_is_named_and_not_quoted(forge: Forge, tmp_path: Path, name: str, content: str) -> None:
    folder = forge.folder(tmp_path / "party")
    (folder / name).write_text(content)
    with pytest.raises(TsunagiError) as error:
        Identity.load(folder)
    told = "".join(traceback.format_exception(error.value))
    assert name in str(error.value) and "秘密" not in told


@pytest.mark.parametrize("name", ["signing.jwk", "encryption.jwk", "tls.key"])
def test_a_private_file_that_others_may_read_is_refused(forge: Forge, tmp_path: Path, name: str) -> None:
    folder = forge.folder(tmp_path / "party")
    (folder / name).chmod(0o640)
    with pytest.raises(TsunagiError, match="0600"):
        Identity.load(folder)


def test_a_folder_of_another_gateway_or_without_a_file_is_refused(forge: Forge, tmp_path: Path) -> None:
    folder = forge.folder(tmp_path / "party")
    toml = folder / "identity.toml"
    toml.write_text(toml.read_text().replace("localhost", "elsewhere.example"))
    with pytest.raises(TsunagiError, match="another gateway"):
        Identity.load(folder)
    with pytest.raises(TsunagiError):
        Identity.load(tmp_path / "nowhere")
