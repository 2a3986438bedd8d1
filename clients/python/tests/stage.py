"""A gateway of the test's own, the parties of its sandbox, and a case that they work on.

Without the binary (`TSUNAGI_BIN`) the tests fail; they are never skipped.
"""

import contextlib
import csv
import functools
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tsunagi_client import Accepted, Client, Consent, ConsentDraft, ConsentReference, Item, Message, Purpose, Reading, TsunagiError
from tsunagi_client.codes import kind_of
from tsunagi_client.encoding import digest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "schemas" / "examples"
MATRIX = ROOT / "policies" / "matrix.golden.csv"

CENTRE, CITY, CORE = "settlement_center:13-1", "municipality:131016-1", "core_center:131016-1"
OFFICE, HOME, OTHER_HOME, DAY = "consultation_office:1330100015", "group_home:1320100017", "group_home:1320100025", "day_service:1310100019"
PROBATION, BAR = "probation_office:13-1", "bar_association:13-1"
OTHER_CITY, OTHER_CENTRE = "municipality:131024-1", "settlement_center:14-1"
AUDITOR = "auditor:tokyo"

# Six purposes that say something about a person; the others are of offices.
PURPOSES = (Purpose.PLACEMENT, Purpose.PLANNING, Purpose.PROVISION, Purpose.BACKUP, Purpose.ADDON, Purpose.BENEFIT)
# Protocol section 2: these may name no consent, and then hold three classes only.
BARE = frozenset(
    "referral_ack referral_decision enquiry_reply placement_decision meeting_notice status_notice handover_proposal handover_agreed "
    "certificate_revocation consent_event erasure_request erasure_report incident_notice closing_notice resource_info training_notice "
    "periodic_consultation council_notice provider_notice".split()
)
WITHOUT_CONSENT = frozenset({"routing", "task", "consent_meta"})
NO_MESSAGES = frozenset({"agreement", "catalogue", "codes", "common", "consent"})
NEVER_IN_A_CONSENT = frozenset({"prohibited", "consent_scan"})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(folder: Path, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    with Client(folder / "parties" / "municipality-131016-1", outbox=folder / "probe") as probe:
        while time.monotonic() < deadline:
            if server.poll() is not None:
                pytest.exit(f"the gateway ended with {server.returncode}:\n{log.read_text()[-4000:]}", returncode=3)
            try:
                probe.directory.well_known()
                return
            except TsunagiError:
                time.sleep(0.1)
    pytest.exit(f"the gateway was not ready within 60 s:\n{log.read_text()[-4000:]}", returncode=3)


@contextlib.contextmanager
def served() -> Iterator[Path]:
    """A fresh sandbox that is being served."""
    binary = os.environ.get("TSUNAGI_BIN")
    if not binary:
        pytest.exit("no gateway to test: set TSUNAGI_BIN to the binary", returncode=3)
    with tempfile.TemporaryDirectory(prefix="tsunagi-client-") as scratch:
        folder, log = Path(scratch) / "sandbox", Path(scratch) / "serve.log"
        words = [binary, "init", str(folder), "--port", str(_free_port())]
        made = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        if made.returncode != 0:
            pytest.exit(f"tsunagi init ended with {made.returncode}:\n{made.stderr.decode()}", returncode=3)
        with log.open("wb") as out:
            words = [binary, "serve", "-c", str(folder / "tsunagi.toml")]
            server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait_until_ready(folder, server, log)
            yield folder
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(timeout=20)


@functools.cache
def matrix() -> dict[tuple[str, str, str, bool, bool], frozenset[str]]:
    """The decided table: classes shown to (reader kind, purpose, relation, of an enquiry, named in the consent), everything being ticked."""
    found: dict[tuple[str, str, str, bool, bool], frozenset[str]] = {}
    with MATRIX.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            places = [line.pop(name) for name in ("reader", "purpose", "relation", "enquiry", "named")]
            shown = frozenset(name for name, cell in line.items() if cell in ("●", "○"))
            assert set(line.values()) <= {"●", "○", "－"}
            for enquiry in (True, False):
                for named in (True, False):
                    if places[3] in ("any", "yes" if enquiry else "no") and places[4] in ("any", "yes" if named else "no"):
                        found[places[0], places[1], places[2], enquiry, named] = shown
    return found


@dataclass
class Stage:
    """The parties."""

    folder: Path
    parties: dict[str, Client] = field(default_factory=dict)
    purposes: dict[str, tuple[Purpose, ...]] = field(default_factory=dict)
    classes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, folder: Path) -> "Stage":
        stage = cls(folder)
        for found in sorted(folder.glob("parties/*/identity.toml")):
            client = Client(found.parent, staff="staff-0001")
            stage.parties[client.party] = client
        for party in stage[CENTRE].directory.parties():
            stage.purposes[party.party] = tuple(purpose for purpose in PURPOSES if purpose in party.purposes)
        forms = [stage[CENTRE].directory.form(kind) for kind in stage.kinds]
        held = {name for form in forms for name in form.classes.values()} | {"consent_detail"}
        stage.classes = frozenset(held - NEVER_IN_A_CONSENT - WITHOUT_CONSENT)
        return stage

    def __getitem__(self, party: str) -> Client:
        return self.parties[party]

    @property
    def kinds(self) -> list[str]:
        """Every kind of message that the gateway publishes a form of."""
        return [kind for kind, _ in self[CENTRE].pinned.schemas if kind not in NO_MESSAGES]

    def close(self) -> None:
        for client in self.parties.values():
            client.close()

    def item(self, *parties: str) -> Item:
        """Everything, ticked one by one."""
        classes = sorted(self.classes)
        return Item(parties, PURPOSES, classes, classes)

    def consent(self, collector: str, *parties: str, supersedes: ConsentReference | None = None) -> Consent:
        """A consent that names these parties, for everything."""
        items = [self.item(party) for party in parties]
        draft = ConsentDraft(items, digest(os.urandom(32)), explained_by="staff-0001", supersedes=supersedes)
        return self[collector].consents.register(draft, self.purposes[collector][0])

    def between(self, sender: str, to: str) -> tuple[Purpose, ...]:
        """What both work for, the sender's own first: it acts for one of them."""
        return tuple(dict.fromkeys((*self.purposes[sender], *self.purposes[to])))

    def body(self, kind: str, classes: frozenset[str], **rows: Any) -> dict[str, Any]:
        """The example's rows that the form demands or that are of these classes, and some in their place; days that must lie ahead are moved."""
        form = self[CENTRE].directory.form(kind)
        example: dict[str, Any] = json.loads((EXAMPLES / f"{kind}.json").read_text(encoding="utf-8"))
        body = {row: value for row, value in example.items() if row in form.required or form.classes[row] in classes} | rows
        ahead = [row for row in body if "not_before_sending" in form.rows[row].get("x-tsunagi-rules", [])]
        # An answer is due before the detention ends.
        ahead += [row for row in ("detention_deadline",) if row in body]
        return body | {row: coming_day() for row in ahead if row not in rows}


def coming_day() -> str:
    """Two weeks from now, in Japan."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + 9 * 3600 + 14 * 86400))


@dataclass
class Case:
    """A case as each party knows it."""

    stage: Stage
    consent: ConsentReference | None
    ids: dict[str, str] = field(default_factory=dict)
    # Kind and body of each signed message, and the digests of those that were accepted.
    sent: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)

    def _listed(self, party: str) -> set[str]:
        return {head.case for head in self.stage[party].cases.all(self.stage.purposes[party][0])}

    def learn(self, delegate: str) -> None:
        """Finds the case in the list of a party that acts for another: its first message is one of this case."""
        cases, purpose = self.stage[delegate].cases, self.stage.purposes[delegate][0]
        for head in cases.all(purpose):
            if head.acting_for and head.state == "accepted" and cases.read_first(head.case, purpose).release.jti in self.sent:
                self.ids[delegate] = head.case

    def message(self, kind: str, sender: str, to: str, *, as_: str | None = None, **rows: Any) -> Message:
        """A signed message of this case: what its form demands, or all that its example holds and a recipient that stands so may see."""
        client = self.stage[sender]
        body = self.stage.body(kind, self.may_see(to, as_, kind) if as_ else frozenset(), **rows)
        classes = client.directory.form(kind).classes
        bare = kind in BARE and all(classes[row] in WITHOUT_CONSENT for row in body)
        consent = None if bare else self.consent
        draft = client.cases.draft(
            kind, to, self.stage.between(sender, to), body, case=self.ids.get(sender), consent=consent
        )  # fmt: skip
        message = client.cases.sign(draft)
        self.sent[message.jti] = (kind, body)
        return message

    def post(self, message: Message, sender: str) -> Accepted:
        """Sends it, and learns under which id the recipient knows the case."""
        before = self._listed(message.to) if message.to not in self.ids else set()
        accepted = self.stage[sender].cases.post(message, self.ids.get(sender), self.stage.purposes[sender][0])
        assert accepted.case is not None
        self.accepted.append(message.sha256)
        self.ids.setdefault(sender, accepted.case)
        assert self.ids[sender] == accepted.case
        if message.to not in self.ids:
            fresh = self._listed(message.to) - before
            assert len(fresh) == 1, f"{message.to} knows {len(fresh)} new cases"
            self.ids[message.to] = fresh.pop()
        return accepted

    def may_see(self, reader: str, relation: str, kind: str) -> frozenset[str]:
        """The classes that the decided table gives to a reader who stands so to the case, for any of its purposes."""
        table = matrix()
        purposes = self.stage.purposes[reader]
        return frozenset().union(*(table.get((kind_of(reader), purpose, relation, kind == "enquiry", True), ()) for purpose in purposes))

    def send(self, kind: str, sender: str, to: str, *, as_: str | None = None, **rows: Any) -> str:
        """Signs and sends. Gives the id of the message."""
        message = self.message(kind, sender, to, as_=as_, **rows)
        self.post(message, sender)
        return message.jti

    def told(self, party: str) -> tuple[str, str, str]:
        """State, relation and kind, as a party's list has them."""
        heads = self.stage[party].cases.all(self.stage.purposes[party][0])
        head = next(head for head in heads if head.case == self.ids[party])
        return head.state, head.relation, head.kind

    def read(self, reader: str, jti: str, purpose: Purpose) -> Reading:
        """A verified view."""
        return self.stage[reader].cases.read(self.ids[reader], jti, purpose)

    def shown(self, reader: str, jti: str, purpose: Purpose) -> set[str]:
        """The rows that a reader is shown; what is shown is what was sent."""
        reading = self.read(reader, jti, purpose)
        _, body = self.sent[jti]
        assert all(body[row] == value for row, value in reading.body.items())
        return set(reading.body)

    def expected(self, reader: str, jti: str, purpose: Purpose, relation: str, named: bool = True) -> set[str]:
        """The rows that the decided table gives to a reader who stands so to the case."""
        kind, body = self.sent[jti]
        classes = self.stage[CENTRE].directory.form(kind).classes
        shown = matrix().get((kind_of(reader), str(purpose), relation, kind == "enquiry", named), frozenset())
        return {row for row in body if classes[row] in shown}
