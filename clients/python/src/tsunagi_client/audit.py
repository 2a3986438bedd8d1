"""The auditor's side and the ledger's public side: events with their openings, proofs, heads that continue each other."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .cases import checked_id
from .codes import Purpose
from .directory import Directory, query
from .encoding import Object, canonical, member, number, text
from .errors import Doubt, SetupError
from .identity import Pinned
from .ledger import Entry, check_opening
from .tlog import Checkpoint, open_checkpoint, open_proof, std_b64, verify_consistency
from .transport import Transport

FILTERS = frozenset(
    "from to actor recipient case staff class operation type decision reason agreement consent limit".split()
)
_LONGEST_PAGE = 200


@dataclass(frozen=True)
class Event:
    """An entry with its opening: names of rows, never values. The opening fits the entry; whether the ledger has it, `Audit.prove` says."""

    index: int
    content: Object = field(repr=False)
    # None where there is nothing to open, or where it was erased.
    opened: Object | None = field(repr=False)
    # The gateway could not open what it had stored: somebody changed it. It must not hide the other events of its page.
    unreadable: bool = False

    @property
    def type(self) -> str:
        """What kind of entry it is."""
        return text(self.content, "type", "event")


@dataclass(frozen=True)
class EventPage:
    """A page that never changes, with a head that covers its query."""

    events: tuple[Event, ...]
    cursor: str | None
    checkpoint: Checkpoint
    # The question is about a case that was erased: its search tags are gone, and a page without events says nothing.
    case_erased: bool = False


@dataclass(frozen=True)
class Received:
    """One release in which rows of a class were shown. Its entry is proven."""

    recipient: str
    # For whom it was read, under a delegation.
    acting_for: str | None
    time: str
    kind: str
    purpose: str
    staff: str | None
    # The rows of the class.
    rows: tuple[str, ...]
    entry: Entry


class Audit:
    """What an auditor asks."""

    def __init__(self, transport: Transport, directory: Directory) -> None:
        self._transport, self._directory = transport, directory

    @property
    def _pinned(self) -> Pinned:
        return self._transport.identity.pinned

    def page(self, cursor: str | None = None, **filters: str | int) -> EventPage:
        """A page of events. Filters as in docs/ledger.md section 6; `from` and `class` are written `from_` and `class_`."""
        named = {name.rstrip("_"): value for name, value in filters.items()}
        if not set(named) <= FILTERS:
            raise SetupError(f"no such filter: {', '.join(sorted(set(named) - FILTERS))}")
        document = self._transport.read(f"/v1/audit/events{query(cursor=cursor, **named)}", Purpose.AUDIT).document("events")
        events = tuple(read_event(one) for one in member(document, "events", list, "events"))
        following = document.get("cursor")
        head = open_checkpoint(text(document, "checkpoint", "events"), self._pinned.vkey)
        erased = document.get("case_erased") is True
        return EventPage(events, str(following) if following is not None else None, head, erased)

    def events(self, **filters: str | int) -> Iterator[Event]:
        """Every event, page by page."""
        cursor: str | None = None
        while True:
            page = self.page(cursor, **filters)
            yield from page.events
            if not page.events or page.cursor in (None, cursor):
                return
            cursor = page.cursor

    def who_received(self, case: str, field_class: str) -> list[Received]:
        """Everybody who was shown rows of a class of a case, oldest first: what a leak makes somebody ask.

        The case is named by the id that any party knows it under. What was erased is not nobody: then there is no answer, but `Doubt`.
        """
        found: list[Received] = []
        cursor: str | None = None
        while True:
            filters: dict[str, str | int] = {"type": "release", "decision": "permit", "limit": _LONGEST_PAGE}
            page = self.page(cursor, case=checked_id(case), class_=field_class, **filters)
            if page.case_erased:
                raise Doubt("who received: the case was erased, and the ledger can no longer tell")
            found += [self._received(event, field_class) for event in page.events]
            if not page.events or page.cursor in (None, cursor):
                return found
            cursor = page.cursor

    def _received(self, event: Event, field_class: str) -> Received:
        entry = self.prove(event)
        content = entry.content
        if event.opened is None:
            raise Doubt(f"who received: entry {event.index} cannot be opened")
        kind = text(content, "kind", "event")
        classes = self._directory.form(kind).classes
        rows = tuple(str(row) for row in member(event.opened, "disclosed", list, "event") if classes.get(str(row)) == field_class)
        actor, staff = member(content, "actor", dict, "event"), event.opened.get("staff")
        return Received(
            recipient=text(content, "recipient", "event"),
            acting_for=str(actor["for"]) if actor.get("for") is not None else None,
            time=text(content, "time", "event"),
            kind=kind,
            purpose=text(content, "purpose", "event"),
            staff=str(staff) if staff is not None else None,
            rows=rows,
            entry=entry,
        )

    def event(self, index: int) -> Event:
        """One event."""
        event = read_event(self._transport.read(f"/v1/audit/events/{index}", Purpose.AUDIT).document("event"))
        if event.index != index:
            raise Doubt("event: another one")
        return event

    def prove(self, event: Event) -> Entry:
        """The event's entry, after its inclusion in the pinned ledger was proven."""
        proof = self._transport.read(f"/v1/audit/events/{event.index}/proof", Purpose.AUDIT).body.decode("utf-8", "replace")
        leaf = canonical(event.content)
        index, checkpoint = open_proof(proof, leaf, self._pinned.vkey)
        if index != event.index:
            raise Doubt("event: another index than its proof")
        return Entry(index, event.content, leaf, checkpoint)

    def checkpoint(self) -> Checkpoint:
        """The newest signed head. Open to every party; keep its note."""
        return open_checkpoint(self._transport.open("/v1/ledger/checkpoint").body.decode("utf-8", "replace"), self._pinned.vkey)

    def kept(self, note: str) -> Checkpoint:
        """A head that was kept, verified again."""
        return open_checkpoint(note, self._pinned.vkey)

    def continues(self, kept: Checkpoint) -> Checkpoint:
        """The newest head, after it was proven to continue one that was kept."""
        head = self.checkpoint()
        target = f"/v1/ledger/consistency{query(from_=kept.size, to=head.size)}"
        document = self._transport.open(target).document("consistency")
        if (document.get("from"), document.get("to")) != (kept.size, head.size):
            raise Doubt("consistency: other sizes")
        verify_consistency(kept, head, [std_b64(str(one)) for one in member(document, "hashes", list, "consistency")])
        return head


def read_event(document: Object) -> Event:
    """An event whose opening is the one that its entry commits to."""
    content, opened = member(document, "entry", dict, "event"), document.get("opened")
    if opened == {"unreadable": True}:
        return Event(number(document, "index", "event"), content, None, unreadable=True)
    if opened is not None:
        if not isinstance(opened, dict):
            raise Doubt("event: opening")
        check_opening(content, opened)
    return Event(number(document, "index", "event"), content, opened)
