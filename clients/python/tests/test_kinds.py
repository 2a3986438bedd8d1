"""Every kind of message that has an example is sent once, and read by who gets it as the decided table says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from stage import BAR, CENTRE, CITY, CORE, DAY, EXAMPLES, HOME, NO_MESSAGES, OFFICE, OTHER_CENTRE, PROBATION, Case, Stage, coming_day
from tsunagi_client import Purpose, Refused
from tsunagi_client.encoding import digest

KINDS = sorted(path.stem for path in EXAMPLES.glob("*.json") if path.stem not in NO_MESSAGES)


@dataclass
class Sent:
    """A message that was taken, and what its reader should see."""

    case: Case
    jti: str
    reader: str
    purpose: Purpose
    shown: set[str]
    expected: set[str]


class Walk:
    """Goes through cases, and keeps what was sent by its kind."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sent: dict[str, Sent] = {}

    def step(self, case: Case, kind: str, sender: str, to: str, relation: str, whole: bool = True, **rows: Any) -> str:
        jti = case.send(kind, sender, to, as_=relation if whole else None, **rows)
        purpose = self.purpose(case, jti, to, relation)
        shown = case.shown(to, jti, purpose)
        self.sent[kind] = Sent(case, jti, to, purpose, shown, case.expected(to, jti, purpose, relation))
        return jti

    def purpose(self, case: Case, jti: str, to: str, relation: str) -> Purpose:
        """The one for which the reader may see most."""
        return max(self.stage.purposes[to], key=lambda purpose: len(case.expected(to, jti, purpose, relation)))


def exit_support(walk: Walk) -> None:
    """From the referral to the closing."""
    stage = walk.stage
    case = Case(stage, stage.consent(CENTRE, CENTRE, CITY, CORE, OFFICE, HOME).reference)
    step = walk.step
    referral = step(case, "referral", CENTRE, CITY, "assigned")
    step(case, "referral_ack", CITY, CENTRE, "origin")
    step(case, "referral_decision", CITY, CENTRE, "origin", decision="accepted")
    step(case, "supplement", CENTRE, CITY, "assigned", whole=False, wishes_life="静かに暮らしたい")
    step(case, "correction", CENTRE, CITY, "assigned", whole=False, corrects=referral, sex="female")
    step(case, "enquiry", CITY, HOME, "prospective")
    step(case, "enquiry_reply", HOME, CITY, "assigned", whole=False, reply="possible")
    step(case, "placement_request", CITY, HOME, "considering")
    step(case, "placement_decision", HOME, CITY, "assigned", whole=False, decision="accepted")
    step(case, "plan_request", CITY, OFFICE, "assigned")
    step(case, "plan_notice", OFFICE, CITY, "assigned")
    step(case, "interview_evidence", OFFICE, CITY, "assigned")
    step(case, "benefit_notice", CITY, HOME, "accepted")
    hand_off = step(case, "service_handoff", CITY, HOME, "accepted")
    step(case, "status_notice", HOME, CITY, "assigned", whole=False, status="started")
    step(case, "visit_record", CITY, HOME, "accepted")
    case.ids[CORE] = next(head.case for head in stage[CORE].cases.all(Purpose.PLACEMENT) if own(case, head.case))
    step(case, "meeting_notice", CORE, HOME, "accepted")
    step(case, "meeting_record", CORE, CENTRE, "origin")
    step(case, "coordination_certificate", CENTRE, CITY, "assigned")
    step(case, "certificate_revocation", CENTRE, CITY, "assigned")
    step(case, "consultation_request", HOME, CITY, "assigned")
    step(case, "consultation_reply", CITY, HOME, "accepted")
    step(case, "municipal_advice_request", CITY, CENTRE, "origin")
    step(case, "municipal_advice_reply", CENTRE, CITY, "assigned")
    step(case, "handover_proposal", CENTRE, CITY, "assigned")
    step(case, "handover_agreed", CITY, CENTRE, "origin", handover_reply="agreed", handover_date=coming_day())
    step(case, "consent_event", CITY, HOME, "accepted")
    step(case, "erasure_request", CITY, HOME, "accepted", erasure_scope={"messages": [hand_off], "reason": "consent_withdrawn"})
    step(case, "erasure_report", HOME, CITY, "assigned")
    step(case, "incident_notice", HOME, CITY, "assigned")
    step(case, "closing_notice", CITY, HOME, "closed")


def own(case: Case, listed: str) -> bool:
    """Whether a case of the core centre's list is this one: its first message is the same."""
    reading = case.stage[CORE].cases.read_first(listed, Purpose.PLACEMENT)
    return reading.release.jti in case.sent


def direct_referral(walk: Walk) -> None:
    """A bar association turns to the municipality (Q6), which shares with the centre; the centre passes on to another."""
    stage = walk.stage
    case = Case(stage, stage.consent(BAR, BAR, CITY, CENTRE, OTHER_CENTRE).reference)
    walk.step(case, "third_party_referral", BAR, CITY, "assigned")
    walk.step(case, "referral_decision", CITY, BAR, "origin", decision="accepted")
    walk.step(case, "center_share", CITY, CENTRE, "assigned")
    walk.step(case, "center_transfer", CENTRE, OTHER_CENTRE, "assigned", whole=False)


def about_whom_it_serves(walk: Walk) -> None:
    """A provider asks about a person whom it serves; the municipality took the consent."""
    stage = walk.stage
    case = Case(stage, stage.consent(CITY, CITY, DAY).reference)
    walk.step(case, "provider_consultation", DAY, CITY, "assigned")


def about_nobody(walk: Walk) -> None:
    """Notices of offices."""
    for kind, sender, to in (
        ("resource_info", CITY, CENTRE),
        ("training_notice", CENTRE, PROBATION),
        ("periodic_consultation", CENTRE, CITY),
        ("council_notice", CITY, HOME),
        ("provider_notice", HOME, CITY),
    ):
        walk.step(Case(walk.stage, None), kind, sender, to, "assigned")


PATHS: tuple[Callable[[Walk], None], ...] = (exit_support, direct_referral, about_whom_it_serves, about_nobody)


@pytest.fixture(scope="module")
def walk(stage: Stage) -> Iterator[Walk]:
    walked = Walk(stage)
    for path in PATHS:
        path(walked)
    yield walked


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_of_each_kind_is_sent_and_read_as_the_table_says(walk: Walk, kind: str) -> None:
    sent = walk.sent[kind]
    assert sent.shown == sent.expected
    assert sent.shown, "its reader sees something of it"
    again = sent.case.read(sent.reader, sent.jti, sent.purpose)
    assert (again.release.kind, again.release.aud) == (kind, sent.reader)


def test_the_published_kinds_are_those_that_have_an_example(stage: Stage) -> None:
    assert sorted(stage.kinds) == KINDS


def test_an_explanation_says_what_a_submission_would(stage: Stage) -> None:
    consent = stage.consent(CENTRE, CENTRE, CITY)
    case = Case(stage, consent.reference)
    message = case.message("referral", CENTRE, CITY)
    explained = stage[CENTRE].cases.explain(message, Purpose.PLACEMENT)
    assert explained.accepted and explained.refusals == () and explained.entry.type == "explain"
    case.post(message, CENTRE)
    stage[CENTRE].consents.end(consent.reference.jti, "the person withdrew", Purpose.PLACEMENT)
    late = case.message("supplement", CENTRE, CITY, wishes_life="静かに暮らしたい")
    explained = stage[CENTRE].cases.explain(late, Purpose.PLACEMENT)
    assert not explained.accepted and "consent_ended" in explained.refusals
    with pytest.raises(Refused) as refused:
        case.post(late, CENTRE)
    assert refused.value.code in explained.refusals
    case.send("referral_decision", CITY, CENTRE, decision="declined", decline_reason="no_resource")
    assert digest(late.token) not in str(refused.value)
