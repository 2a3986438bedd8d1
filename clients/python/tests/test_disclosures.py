"""Who received what, and the yearly numbers: asked of the gateway, and every way in which an answer must not be believed."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from forge import CITY as FORGED_CITY
from forge import GATEWAY, Forge
from stage import AUDITOR, CENTRE, CITY, DAY, Case, Stage
from tsunagi_client import Client, Doubt, Forbidden, NotFound, Purpose, Refused, SetupError
from tsunagi_client.encoding import digest
from tsunagi_client.keys import new_id
from tsunagi_client.tlog import leaf_hash

PLACEMENT = Purpose.PLACEMENT
CASE = "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4"


@pytest.fixture(scope="module")
def case(stage: Stage) -> Case:
    """A referral that the municipality read."""
    case = Case(stage, stage.consent(CENTRE, CENTRE, CITY).reference)
    referral = case.send("referral", CENTRE, CITY, as_="assigned")
    case.read(CITY, referral, PLACEMENT)
    case.send("referral_decision", CITY, CENTRE, decision="accepted")
    return case


def test_a_list_names_who_received_which_items_under_which_consent(stage: Stage, case: Case) -> None:
    [referral] = [jti for jti, (kind, _) in case.sent.items() if kind == "referral"]
    shown = case.read(CITY, referral, PLACEMENT)
    made = stage[CITY].disclosures.all(case.ids[CITY], PLACEMENT)
    assert (made.case, made.made_by.code, made.scope, made.cursor, made.entry.operation) == (case.ids[CITY], CITY, "case", None, "disclosure.list")
    [told] = [one for one in made.disclosures if one.index == shown.entry.index]
    assert (told.recipient.code, told.sender.code, told.kind.code, told.purpose.code) == (CITY, CENTRE, "referral", "placement_coordination")
    assert case.consent is not None and told.consent == case.consent.jti and told.agreement is not None
    assert told.consent in {one.consent for one in made.consents} and not made.consents[0].ended
    assert {item.field for item in told.items} == set(shown.body) and all(item.ja and item.en for item in told.items)
    assert not told.recipient.ja.isascii() and told.recipient.en.isascii()
    # Page by page it is the same list.
    one = stage[CITY].disclosures.page(case.ids[CITY], PLACEMENT, limit=1)
    two = stage[CITY].disclosures.page(case.ids[CITY], PLACEMENT, one.cursor, limit=1)
    assert one.disclosures + two.disclosures == made.disclosures[:2] and one.entry.index < two.entry.index


def test_one_class_of_a_list_is_what_the_auditor_finds_in_the_ledger(stage: Stage, case: Case) -> None:
    made = stage[CITY].disclosures.all(case.ids[CITY], PLACEMENT, field_class="identity")
    assert made.field_class == "identity" and {item.field_class for one in made.disclosures for item in one.items} == {"identity"}
    received = stage[AUDITOR].audit.who_received(case.ids[CENTRE], "identity")
    told = {(one.entry.index, one.recipient, frozenset(one.rows)) for one in received}
    assert told == {(one.index, one.recipient.code, frozenset(item.field for item in one.items)) for one in made.disclosures}
    assert {one.recipient for one in received} >= {CITY} and all(one.staff == "staff-0001" and one.kind == "referral" for one in received)
    assert "family_name" in received[0].rows
    assert stage[AUDITOR].audit.who_received(case.ids[CENTRE], "certificate_reference") == []
    with pytest.raises(Forbidden):
        stage[CITY].audit.who_received(case.ids[CITY], "identity")
    with pytest.raises(SetupError):
        stage[AUDITOR].audit.who_received("../cases", "identity")


def test_who_stands_in_no_case_is_told_of_none(stage: Stage, case: Case) -> None:
    with pytest.raises(NotFound):
        stage[DAY].disclosures.all(case.ids[CITY], PLACEMENT)


def test_a_year_that_is_over_is_told_and_one_that_is_not_is_refused(stage: Stage) -> None:
    now = time.gmtime(time.time() + 9 * 3600)
    running = now.tm_year - (now.tm_mon < 4)
    made = stage[CITY].statistics.of_year(running - 1, PLACEMENT)
    assert (made.municipality, made.year, made.entry.operation) == ("131016", running - 1, "statistics.read")
    decided = made.subject("decided")
    assert decided.total == 0 and decided.table("outcome").rows["accepted"] == 0 and decided.median_days is None
    asked = stage[AUDITOR].statistics.of_year(running - 1, Purpose.AUDIT, "131016")
    assert asked.numbers == made.numbers and asked.entry.index > made.entry.index
    with pytest.raises(Doubt):
        made.subject("nothing")
    with pytest.raises(Refused):
        stage[CITY].statistics.of_year(running, PLACEMENT)


class Line:
    """A gateway that answers what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.forge = Forge()
        self.client = Client(self.forge.folder(folder, FORGED_CITY))

    def answers(self, document: dict[str, Any], **entry: Any) -> Client:
        """The client, whose next answer is this one."""
        page = self.forge.answer(FORGED_CITY, new_id(), digest("request"), **entry) | document
        line = httpx.MockTransport(lambda _request: httpx.Response(200, json=page))
        self.client._transport._http = httpx.Client(base_url=GATEWAY, transport=line)
        return self.client


def unit(party: str) -> dict[str, Any]:
    return {"party": party, "name": {"ja": "機関", "en": "unit"}}


def coded(code: str) -> dict[str, Any]:
    return {"code": code, "ja": "名前", "en": "name"}


def a_list(**changes: Any) -> dict[str, Any]:
    disclosure = {
        "index": 0, "time": "2026-11-22T00:00:00Z", "recipient": unit(FORGED_CITY), "sender": unit("settlement_center:13-1"), "kind": coded("referral"),
        "purpose": coded("placement_coordination"), "basis": None, "consent": None, "agreement": None, "items": [],
    }  # fmt: skip
    return {
        "case": CASE, "made_by": unit(FORGED_CITY), "purpose": coded("placement_coordination"), "scope": "case", "disclosures": [disclosure],
        "consents": [], "classes": [], "left_out": {"classes": [], "providers": False}, "cursor": None,
    } | changes  # fmt: skip


LISTED = {"type": "query", "operation": "disclosure.list", "purpose": "placement_coordination"}


@pytest.mark.parametrize(
    "change",
    [
        {"case": new_id()}, {"class": "identity"}, {"made_by": unit("core_center:131016-1")}, {"scope": 1}, {"disclosures": [1]}, {"left_out": {}},
        {"disclosures": [a_list()["disclosures"][0] | {"index": 1}]}, {"disclosures": [a_list()["disclosures"][0] | {"index": "0"}]},
        {"disclosures": [a_list()["disclosures"][0] | {"recipient": {}}]},
    ],
)  # fmt: skip
def test_a_list_that_answers_something_else_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    line = Line(tmp_path / "city")
    assert line.answers(a_list(), **LISTED).disclosures.all(CASE, PLACEMENT).disclosures[0].agreement is None
    with pytest.raises(Doubt):
        line.answers(a_list(**change), **LISTED).disclosures.all(CASE, PLACEMENT)


@pytest.mark.parametrize("change", [{"operation": "case.read"}, {"decision": "deny"}, {"actor": {"party": "x"}}, {"purpose": "audit_review"}])
def test_a_list_whose_entry_is_about_something_else_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(Doubt, match="entry: another"):
        Line(tmp_path / "city").answers(a_list(), **LISTED | change).disclosures.all(CASE, PLACEMENT)


def test_numbers_of_another_year_or_place_are_refused_and_hidden_ones_are_not_nought(tmp_path: Path) -> None:
    rows = [{"code": "accepted", "count": None}, {"code": "declined", "count": 0}]
    subject = {"subject": "decided", "total": None, "tables": [{"by": "outcome", "rows": rows}], "median_days": None}
    numbers = {"municipality": "131016", "year": 2025, "from": "x", "until": "y", "min_cell": 10, "numbers": [subject]}
    asked = {"type": "query", "operation": "statistics.read", "purpose": str(PLACEMENT)}
    line = Line(tmp_path / "city")
    made = line.answers(numbers, **asked).statistics.of_year(2025, PLACEMENT)
    assert made.subject("decided").table("outcome").rows == {"accepted": None, "declined": 0}
    changes: list[dict[str, Any]] = [
        {"year": 2024}, {"municipality": "131024"}, {"numbers": {}}, {"numbers": [subject | {"total": "12"}]},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(Doubt):
            line.answers(numbers | change, **asked).statistics.of_year(2025, PLACEMENT, "131016")
    for entry in ({"operation": "disclosure.list"}, {"decision": "deny"}, {"actor": {"party": "x"}}, {"purpose": "audit_review"}):
        with pytest.raises(Doubt, match="entry: another"):
            line.answers(numbers, **asked | entry).statistics.of_year(2025, PLACEMENT)


def test_what_was_erased_is_not_nobody(tmp_path: Path) -> None:
    line = Line(tmp_path / "auditor")
    page: dict[str, Any] = {"events": [], "cursor": None, "checkpoint": line.forge.note(1, leaf_hash(b"x"))}
    assert line.answers(page).audit.who_received(CASE, "identity") == []
    with pytest.raises(Doubt, match="erased"):
        line.answers(page | {"case_erased": True}).audit.who_received(CASE, "identity")
