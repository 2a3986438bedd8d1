"""What was disclosed from a case to whom (開示の一覧): the list that a body makes for the person.

Promises: the list is the answer to what was asked, and the entry that recorded its making is proven. It names rows, classes and bodies, never a
value. The list itself is the gateway's word: who doubts it compares it with an export of the ledger.
"""

from dataclasses import dataclass, field, replace

from .cases import checked_id
from .codes import Purpose
from .directory import query
from .encoding import Object, member, number, objects, text
from .errors import Doubt
from .ledger import Entry, check_asked, entry_of_answer
from .transport import Transport

_LONGEST_PAGE = 200


@dataclass(frozen=True)
class Named:
    """A code, a party, a class or a row, with its names."""

    code: str
    ja: str
    en: str


@dataclass(frozen=True)
class DisclosedItem:
    """A row that was shown, by its names."""

    field: str
    field_class: str
    ja: str
    en: str


@dataclass(frozen=True)
class Disclosure:
    """One message that was shown to one body."""

    # The ledger entry that recorded it.
    index: int
    time: str
    recipient: Named
    # In whose place it was read, under a delegation.
    acting_for: Named | None
    sender: Named
    kind: Named
    purpose: Named
    basis: Named | None
    # The consent and the agreement (id, version) that it rested on.
    consent: str | None
    agreement: tuple[str, int] | None
    items: tuple[DisclosedItem, ...]


@dataclass(frozen=True)
class ConsentSummary:
    """A consent that the list names, without its content."""

    consent: str
    collector: Named
    since: str
    until: str
    ended: bool


@dataclass(frozen=True)
class DisclosureList:
    """The list, or a page of it."""

    case: str
    made_by: Named
    purpose: Named
    # `case`: of all its messages; `own`: of those that this body sent or received.
    scope: str
    # The one class that was asked for.
    field_class: str | None
    disclosures: tuple[Disclosure, ...]
    consents: tuple[ConsentSummary, ...]
    classes: tuple[Named, ...]
    # Classes that this body may not be told of, whatever was disclosed, and whether messages between others and providers are left out.
    left_out: tuple[str, ...]
    left_out_providers: bool
    cursor: str | None
    # The proven entry that recorded the making of this page; of several pages, of the first.
    entry: Entry
    document: Object = field(repr=False)


class Disclosures:
    """Who received what. Making a list is recorded."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(
        self,
        case: str,
        purpose: Purpose,
        cursor: str | None = None,
        *,
        field_class: str | None = None,
        limit: int | None = None,
    ) -> DisclosureList:
        """A page beyond the cursor; perhaps of one class only."""
        asked = query(class_=field_class, cursor=cursor, limit=limit)
        document = self._transport.read(f"/v1/cases/{checked_id(case)}/disclosures{asked}", purpose).document("disclosures")
        identity = self._transport.identity
        page = read_list(document, entry_of_answer(document, identity.pinned))
        check_asked(page.entry, "disclosure.list", identity.party, str(purpose))
        if (page.case, page.field_class, page.made_by.code) != (case, field_class, identity.party):
            raise Doubt("disclosures: the answer to another question")
        if any(one.index >= page.entry.index for one in page.disclosures):
            raise Doubt("disclosures: out of order")
        return page

    def all(self, case: str, purpose: Purpose, *, field_class: str | None = None) -> DisclosureList:
        """The whole list. Each page is recorded."""
        while True:
            whole = self._whole(case, purpose, field_class)
            if whole is not None:
                return whole

    def _whole(self, case: str, purpose: Purpose, field_class: str | None) -> DisclosureList | None:
        """The whole list; none when this body's place in the case changed between two pages: half a list of each would be none."""
        whole = self.page(case, purpose, field_class=field_class, limit=_LONGEST_PAGE)
        while whole.cursor is not None:
            page = self.page(case, purpose, whole.cursor, field_class=field_class, limit=_LONGEST_PAGE)
            if (page.scope, page.left_out, page.left_out_providers) != (whole.scope, whole.left_out, whole.left_out_providers):
                return None
            whole = replace(
                whole,
                disclosures=whole.disclosures + page.disclosures,
                consents=tuple(dict.fromkeys(whole.consents + page.consents)),
                classes=tuple(dict.fromkeys(whole.classes + page.classes)),
                cursor=page.cursor,
            )
        return whole


def read_list(document: Object, entry: Entry) -> DisclosureList:
    """The list of an answer."""
    what = "disclosures"
    left_out = member(document, "left_out", dict, what)
    cursor = document.get("cursor")
    return DisclosureList(
        case=text(document, "case", what),
        made_by=_unit(document, "made_by"),
        purpose=_coded(document, "purpose"),
        scope=text(document, "scope", what),
        field_class=_optional(document, "class"),
        disclosures=tuple(_disclosure(one) for one in objects(document, "disclosures", "disclosures")),
        consents=tuple(_consent(one) for one in objects(document, "consents", "disclosures")),
        classes=tuple(_named(one, text(one, "class", what)) for one in objects(document, "classes", "disclosures")),
        left_out=tuple(str(one) for one in member(left_out, "classes", list, what)),
        left_out_providers=bool(member(left_out, "providers", bool, what)),
        cursor=str(cursor) if cursor is not None else None,
        entry=entry,
        document=document,
    )


def _disclosure(document: Object) -> Disclosure:
    what = "disclosures"
    agreement = document.get("agreement")
    return Disclosure(
        index=number(document, "index", what),
        time=text(document, "time", what),
        recipient=_unit(document, "recipient"),
        acting_for=_unit(document, "for") if document.get("for") is not None else None,
        sender=_unit(document, "sender"),
        kind=_coded(document, "kind"),
        purpose=_coded(document, "purpose"),
        basis=_coded(document, "basis") if document.get("basis") is not None else None,
        consent=_optional(document, "consent"),
        agreement=(text(agreement, "id", what), number(agreement, "ver", what)) if isinstance(agreement, dict) else None,
        items=tuple(
            DisclosedItem(text(one, "field", what), text(one, "class", what), text(one, "ja", what), text(one, "en", what))
            for one in objects(document, "items", "disclosures")
        ),
    )


def _consent(document: Object) -> ConsentSummary:
    what = "disclosures"
    return ConsentSummary(
        consent=text(document, "consent", what),
        collector=_unit(document, "collector"),
        since=text(document, "from", what),
        until=text(document, "until", what),
        ended=bool(member(document, "ended", bool, what)),
    )


def _unit(document: Object, name: str) -> Named:
    unit = member(document, name, dict, "disclosures")
    return _named(member(unit, "name", dict, "disclosures"), text(unit, "party", "disclosures"))


def _coded(document: Object, name: str) -> Named:
    coded = member(document, name, dict, "disclosures")
    return _named(coded, text(coded, "code", "disclosures"))


def _named(names: Object, code: str) -> Named:
    return Named(code, text(names, "ja", "disclosures"), text(names, "en", "disclosures"))


def _optional(document: Object, name: str) -> str | None:
    return text(document, name, "disclosures") if document.get(name) is not None else None
