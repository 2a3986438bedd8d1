"""What is signed waits until its receipt is there, and is sent again as it was."""

import dataclasses
import json
import os
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from forge import CENTRE, Forge
from tsunagi_client import (
    Client,
    Doubt,
    Fate,
    Identity,
    Message,
    OutboxError,
    Patience,
    Purpose,
    Refused,
    StateConflict,
    Unavailable,
    Unreachable,
)
from tsunagi_client.encoding import b64u
from tsunagi_client.envelope import MESSAGE_CTY, unseal

PROBLEM = {"Content-Type": "application/problem+json"}


class Line:
    """A gateway at the end of a line that can be cut, and what arrived there."""

    def __init__(self, forge: Forge) -> None:
        self.forge = forge
        self.tokens: list[str] = []
        self.cut: type[httpx.TransportError] | None = None
        self.refusal: dict[str, Any] | None = None
        self.answer: dict[str, Any] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.tokens.append(unseal(request.content.decode(), self.forge.enc, MESSAGE_CTY))
        if self.cut:
            raise self.cut("the line was cut")
        if self.refusal:
            return httpx.Response(self.refusal["status"], json=self.refusal, headers=PROBLEM)
        return httpx.Response(201, json=self.answer)


@pytest.fixture
def forge() -> Forge:
    return Forge()


@pytest.fixture
def identity(forge: Forge, tmp_path: Path) -> Identity:
    return forge.identity(tmp_path / "party")


def client(identity: Identity, line: Line, attempts: int = 1) -> Client:
    made = Client(identity, patience=Patience(attempts=attempts, sleep=lambda _seconds: None))
    made._transport._http = httpx.Client(base_url=identity.gateway, transport=httpx.MockTransport(line))
    return made


def problem(status: int, code: str) -> dict[str, Any]:
    return {"type": f"urn:tsunagi:problem:{code}", "title": "No", "status": status, "detail": "Wait.", "instance": "urn:uuid:x", "code": code}


def prepared(forge: Forge, line: Line) -> Message:
    message = forge.message()
    line.answer = forge.answer(CENTRE, message.jti, message.sha256)
    return message


def post(sender: Client, message: Message) -> None:
    accepted = sender.cases.post(message, None, Purpose.PLACEMENT)
    assert accepted.jti == message.jti and accepted.entry.index == 1


def test_what_was_lost_on_the_way_waits_and_is_sent_again_as_it_was(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    message = prepared(forge, line)
    line.cut = httpx.ReadTimeout
    with pytest.raises(Unreachable):
        post(client(identity, line), message)
    # Another process, later.
    later = client(identity, line)
    assert [(parcel.jti, fate) for parcel, fate in later.outbox.entries()] == [(message.jti, Fate.WAITING)]
    line.cut = None
    [accepted] = later.deliver_waiting().accepted
    assert accepted.jti == message.jti and line.tokens == [message.token, message.token]
    assert later.outbox.fate(message.jti) is Fate.DELIVERED and later.deliver_waiting().accepted == ()


def test_within_one_call_a_message_is_sent_again_and_not_signed_again(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    message = prepared(forge, line)
    answer, line.answer, line.refusal = line.answer, None, problem(503, "ledger_unavailable")
    waits: list[float] = []

    def arrive(_seconds: float) -> None:
        waits.append(_seconds)
        line.answer, line.refusal = answer, None

    sender = Client(identity, patience=Patience(sleep=arrive))
    sender._transport._http = httpx.Client(base_url=identity.gateway, transport=httpx.MockTransport(line))
    post(sender, message)
    assert line.tokens == [message.token] * 2 and len(waits) == 1


def test_what_was_delivered_is_not_sent_again_and_verified_again(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    message = prepared(forge, line)
    sender = client(identity, line)
    post(sender, message)
    post(sender, message)
    assert line.tokens == [message.token]
    stored = sender.outbox.folder / f"{message.jti}.answer"
    answer = json.loads(stored.read_text())
    answer["ledger"]["leaf"] = b64u(b"{}")
    stored.write_text(json.dumps(answer))
    with pytest.raises(Doubt):
        sender.deliver(message.jti)


def test_an_answer_that_cannot_be_believed_is_not_a_delivery(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    message, other = prepared(forge, line), Forge(enc=forge.enc)
    line.answer = other.answer(CENTRE, message.jti, message.sha256)
    sender = client(identity, line)
    with pytest.raises(Doubt):
        post(sender, message)
    assert sender.outbox.fate(message.jti) is Fate.WAITING


def test_a_judgement_is_noted_and_a_not_now_is_not(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    message = prepared(forge, line)
    sender = client(identity, line)
    line.refusal = problem(503, "ledger_unavailable")
    with pytest.raises(Unavailable):
        post(sender, message)
    assert sender.outbox.fate(message.jti) is Fate.WAITING
    line.refusal = problem(409, "state_conflict")
    with pytest.raises(StateConflict):
        sender.deliver(message.jti)
    assert sender.outbox.fate(message.jti) is Fate.REFUSED and not sender.deliver_waiting().refused
    line.refusal = None
    assert sender.deliver(message.jti).jti == message.jti, "what was refused is judged anew when it is sent again"
    assert sender.outbox.fate(message.jti) is Fate.DELIVERED


def test_what_is_refused_does_not_hold_back_the_others(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    first, second = forge.message(), forge.message()
    line.cut = httpx.ReadTimeout
    sender = client(identity, line)
    for message in (first, second):
        with pytest.raises(Unreachable):
            post(sender, message)
    line.cut, line.refusal = None, problem(503, "overloaded")
    with pytest.raises(Unavailable):
        sender.deliver_waiting()
    line.refusal = problem(403, "party_suspended")
    told = sender.deliver_waiting()
    assert told.accepted == () and set(told.refused) == {first.jti, second.jti}
    assert [fate for _, fate in sender.outbox.entries()] == [Fate.WAITING] * 2


def test_what_is_not_there_for_this_party_does_not_go_on_waiting(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    message, sender = prepared(forge, line), client(identity, line)
    line.refusal = problem(404, "not_found")
    with pytest.raises(Refused):
        post(sender, message)
    assert sender.outbox.fate(message.jti) is Fate.REFUSED and not sender.deliver_waiting().refused
    line.refusal = None
    assert sender.deliver(message.jti).jti == message.jti, "it is kept, and sent again when it is named"


def test_a_damaged_file_is_named_and_holds_back_no_other(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    good, bad, open_to_all = prepared(forge, line), forge.message(), forge.message()
    line.cut = httpx.ConnectError
    sender = client(identity, line)
    for message in (bad, open_to_all, good):
        with pytest.raises(Unreachable):
            post(sender, message)
    (sender.outbox.folder / f"{bad.jti}.json").write_text('{"family_name": "小波"}')
    (sender.outbox.folder / f"{open_to_all.jti}.json").chmod(0o644)
    line.cut = None
    told = sender.deliver_waiting()
    assert [accepted.jti for accepted in told.accepted] == [good.jti] and not told.refused
    named = sorted((bad.jti, open_to_all.jti))
    assert len(told.damaged) == 2 and all(jti in str(error) and "小波" not in str(error) for jti, error in zip(named, told.damaged))
    assert [parcel.jti for parcel, _ in sender.outbox.entries()] == [good.jti]


def test_what_waits_is_for_its_owner_only_and_whole_or_not_there(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    line.cut = httpx.ConnectError
    sender, message = client(identity, line), forge.message()
    with pytest.raises(Unreachable):
        post(sender, message)
    folder = sender.outbox.folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (folder / ".new").write_text("half a par")
    second = forge.message()
    with pytest.raises(Unreachable):
        post(sender, second)
    assert {parcel.jti for parcel, _ in sender.outbox.entries()} == {message.jti, second.jti}
    (folder / f"{message.jti}.json").write_text("{")
    with pytest.raises(OutboxError):
        sender.deliver(message.jti)


def test_one_id_holds_one_content(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    message = prepared(forge, line)
    sender = client(identity, line)
    post(sender, message)
    sender.outbox.put(dataclasses.replace(sender.outbox.get(message.jti), kept=0))
    other = Message(message.jti, message.kind, message.to, forge.message().token)
    with pytest.raises(OutboxError):
        post(sender, other)
    with pytest.raises(OutboxError):
        sender.deliver("0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4")
    with pytest.raises(OutboxError):
        sender.deliver("../../etc/passwd")


def test_a_parcel_of_another_party_is_not_sent(forge: Forge, identity: Identity, tmp_path: Path) -> None:
    line = Line(forge)
    message = prepared(forge, line)
    line.cut = httpx.ReadError
    with pytest.raises(Unreachable):
        post(client(identity, line), message)
    other = Client(forge.identity(tmp_path / "other", "municipality:131016-1"), outbox=identity.folder / "outbox-python")
    with pytest.raises(OutboxError):
        other.deliver(message.jti)


def test_nothing_of_a_parcel_is_printed(forge: Forge, identity: Identity) -> None:
    line = Line(forge)
    line.refusal = problem(422, "schema_invalid")
    sender, message = client(identity, line), forge.message()
    with pytest.raises(Refused) as refused:
        post(sender, message)
    [(parcel, _)] = sender.outbox.entries()
    for shown in (repr(parcel), repr(refused.value), repr(sender), repr(message)):
        assert message.token[:20] not in shown and "eyJ" not in shown
    assert os.path.commonpath([sender.outbox.folder, identity.folder]) == str(identity.folder)
