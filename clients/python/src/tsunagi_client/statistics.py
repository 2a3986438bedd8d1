"""The yearly numbers of a municipality: counted by the gateway, small ones hidden.

Promises: the numbers are those of the year and the place that were asked for, and the entry that recorded the question is proven. A hidden number is
None, and is not nought.
"""

from dataclasses import dataclass, field

from .codes import Purpose
from .directory import query
from .encoding import Object, number, objects, text
from .errors import Doubt
from .ledger import Entry, check_asked, entry_of_answer
from .transport import Transport


@dataclass(frozen=True)
class StatisticsTable:
    """One subject, divided."""

    by: str
    # Count of each row in the order of the gateway; None where it is hidden.
    rows: dict[str, int | None]


@dataclass(frozen=True)
class StatisticsSubject:
    """What was counted."""

    subject: str
    # None where it is hidden.
    total: int | None
    tables: tuple[StatisticsTable, ...]
    # Median of the days from the referral; None where there are too few, or where it is the referral.
    median_days: int | None

    def table(self, by: str) -> StatisticsTable:
        """One division."""
        for one in self.tables:
            if one.by == by:
                return one
        raise Doubt(f"statistics: {by}")


@dataclass(frozen=True)
class YearlyStatistics:
    """The numbers of one place and one fiscal year (April to March, Japan)."""

    municipality: str
    year: int
    since: str
    until: str
    # The smallest number that is given.
    min_cell: int
    numbers: tuple[StatisticsSubject, ...]
    # The proven entry that recorded the question.
    entry: Entry
    document: Object = field(repr=False)

    def subject(self, subject: str) -> StatisticsSubject:
        """What was counted, by its code."""
        for one in self.numbers:
            if one.subject == subject:
                return one
        raise Doubt(f"statistics: {subject}")


class Statistics:
    """Yearly numbers: a municipality's own, or those of one within an auditor's jurisdiction."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def of_year(self, year: int, purpose: Purpose, municipality: str | None = None) -> YearlyStatistics:
        """The numbers of a fiscal year that is over. Asking is recorded. A municipality names none for itself."""
        answer = self._transport.read(f"/v1/statistics{query(year=year, municipality=municipality)}", purpose)
        document = answer.document("statistics")
        identity = self._transport.identity
        entry = entry_of_answer(document, identity.pinned)
        check_asked(entry, "statistics.read", identity.party, str(purpose))
        made = read_statistics(document, entry)
        if made.year != year or municipality not in (None, made.municipality):
            raise Doubt("statistics: the answer to another question")
        return made


def read_statistics(document: Object, entry: Entry) -> YearlyStatistics:
    """The numbers of an answer."""
    what = "statistics"
    return YearlyStatistics(
        municipality=text(document, "municipality", what),
        year=number(document, "year", what),
        since=text(document, "from", what),
        until=text(document, "until", what),
        min_cell=number(document, "min_cell", what),
        numbers=tuple(_subject(one) for one in objects(document, "numbers", "statistics")),
        entry=entry,
        document=document,
    )


def _subject(document: Object) -> StatisticsSubject:
    tables = tuple(
        StatisticsTable(
            text(table, "by", "statistics"),
            {text(row, "code", "statistics"): _count(row, "count") for row in objects(table, "rows", "statistics")},
        )
        for table in objects(document, "tables", "statistics")
    )
    return StatisticsSubject(text(document, "subject", "statistics"), _count(document, "total"), tables, _count(document, "median_days"))


def _count(document: Object, name: str) -> int | None:
    return number(document, name, "statistics") if document.get(name) is not None else None
