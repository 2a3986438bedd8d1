"""An exit-support case from the first referral to its closing, as municipal systems written in Python would tell it.

At each step every role's view is compared with the decided table (policies/matrix.golden.csv), and with what was sent.
"""

import pytest

from stage import AUDITOR, CENTRE, CITY, CORE, DAY, HOME, OFFICE, OTHER_HOME, PROBATION, Case, Stage, coming_day
from tsunagi_client import Acknowledged, ConsentPart, Forbidden, NotFound, Purpose, SetupError, StateConflict

PLACEMENT, PLANNING, PROVISION, BACKUP, BENEFIT = (
    Purpose.PLACEMENT,
    Purpose.PLANNING,
    Purpose.PROVISION,
    Purpose.BACKUP,
    Purpose.BENEFIT,
)


def test_a_case_goes_its_way_from_the_referral_to_its_closing(stage: Stage) -> None:
    given = stage.consent(CENTRE, CENTRE, CITY, CORE, OFFICE)
    case = Case(stage, given.reference)
    referral = a_referral_gives_two_views(case)
    it_is_accepted(case, referral)
    two_providers_are_asked_and_one_declines(case)
    the_person_names_one_provider(case)
    request, hand_off = it_is_placed_and_used(case)
    a_meeting_is_held(case)
    the_lead_is_handed_over(case, referral)
    the_provider_is_backed(case)
    a_withdrawal_bites(case, hand_off)
    it_is_closed(case, request)
    an_auditor_finds_every_step(case)


def a_referral_gives_two_views(case: Case) -> str:
    referral = case.send("referral", CENTRE, CITY, as_="assigned")
    assert case.told(CITY) == ("open", "assigned", "referral")
    for purpose in (PLACEMENT, BENEFIT):
        assert case.shown(CITY, referral, purpose) == case.expected(CITY, referral, purpose, "assigned")
    placement, benefit = (case.shown(CITY, referral, purpose) for purpose in (PLACEMENT, BENEFIT))
    assert benefit < placement and "offence_name" not in benefit
    first = case.stage[CITY].cases.read_first(case.ids[CITY], PLACEMENT)
    assert first.release.jti == referral and first.release.issuer_jwt == case.read(CITY, referral, BENEFIT).release.issuer_jwt
    assert first.release.consent["con"]["jti"] == consent_of(case)
    for stranger in (HOME, OFFICE, PROBATION):
        with pytest.raises(NotFound):
            case.stage[stranger].cases.read_first(case.ids[CITY], case.stage.purposes[stranger][0])
    assert first.retention_months == 60
    evidence = case.stage[CITY].cases.acknowledge(case.ids[CITY], first, Acknowledged.ACCEPTED, PLACEMENT)
    receipts = case.stage[CENTRE].cases.receipts(case.ids[CENTRE], PLACEMENT)
    assert {first.entry.index, evidence.entry.index} <= {receipt.index for receipt in receipts}
    return referral


def consent_of(case: Case) -> str:
    assert case.consent is not None
    return case.consent.jti


def it_is_accepted(case: Case, referral: str) -> None:
    ack = case.send("referral_ack", CITY, CENTRE)
    assert case.shown(CENTRE, ack, PLACEMENT) == {"contact_desk"}
    with pytest.raises(StateConflict) as conflict:
        case.send("handover_proposal", CITY, CENTRE)
    assert "referral_decision" in conflict.value.possible and "handover_proposal" not in conflict.value.possible
    decision = case.send("referral_decision", CITY, CENTRE, decision="accepted")
    assert case.shown(CENTRE, decision, PLACEMENT) == {"decision"}
    assert case.told(CITY)[0] == case.told(CENTRE)[0] == "accepted"
    listed = case.stage[CITY].cases.messages(case.ids[CITY], PLACEMENT)
    assert [(head.kind, head.direction) for head in listed] == [("referral", "in"), ("referral_ack", "out"), ("referral_decision", "out")]
    assert listed[0].jti == referral


def two_providers_are_asked_and_one_declines(case: Case) -> None:
    # A later consent of the same person takes the place of the first and names those who are asked.
    named = case.stage.consent(CENTRE, CENTRE, CITY, CORE, OFFICE, HOME, OTHER_HOME, supersedes=case.consent)
    case.consent = named.reference
    for home in (HOME, OTHER_HOME):
        enquiry = case.send("enquiry", CITY, home, as_="prospective")
        assert case.told(home) == ("open", "prospective", "enquiry"), "a provider is told of no referral"
        assert case.shown(home, enquiry, PLACEMENT) == case.expected(home, enquiry, PLACEMENT, "prospective")
        assert "age_band" in case.shown(home, enquiry, PLACEMENT)
    ids = [case.ids[party] for party in (CENTRE, CITY, HOME, OTHER_HOME)]
    assert len(set(ids)) == 4, "everybody knows the case by an id of its own"
    no = case.send("enquiry_reply", OTHER_HOME, CITY, reply="impossible", decline_reason="no_resource")
    assert case.shown(CITY, no, PLACEMENT) == {"reply", "decline_reason"}
    assert case.told(OTHER_HOME) == ("closed", "closed", "enquiry")
    with pytest.raises(StateConflict):
        case.send("placement_request", CITY, OTHER_HOME)
    case.send("enquiry_reply", HOME, CITY, reply="possible")


def the_person_names_one_provider(case: Case) -> None:
    with pytest.raises(Forbidden) as refused:
        case.send("placement_request", CITY, DAY)
    assert refused.value.code == "consent_scope"
    before = case.consent
    named = case.stage.consent(CENTRE, CENTRE, CITY, CORE, OFFICE, HOME, supersedes=before)
    assert before is not None
    # The municipality learns of it from the gateway, and verifies the collector's signature.
    standing = case.stage[CITY].consents.show(before.jti, PLACEMENT)
    assert standing.superseded_by == named.reference.jti
    newer = case.stage[CITY].consents.show(named.reference.jti, PLACEMENT)
    assert (newer.reference, newer.collector, newer.state) == (named.reference, CENTRE, "in_force")
    case.consent = newer.reference


def it_is_placed_and_used(case: Case) -> tuple[str, str]:
    request = case.send("placement_request", CITY, HOME)
    assert case.told(HOME) == ("open", "considering", "enquiry")
    shown = case.shown(HOME, request, PLACEMENT)
    assert shown == case.expected(HOME, request, PLACEMENT, "considering") and "family_name" in shown
    case.send("placement_decision", HOME, CITY, decision="accepted")
    assert case.told(HOME) == ("accepted", "accepted", "enquiry")

    plan = case.send("plan_request", CITY, OFFICE, as_="assigned")
    assert case.shown(OFFICE, plan, PLANNING) == case.expected(OFFICE, plan, PLANNING, "assigned")
    notice = case.send("plan_notice", OFFICE, CITY)
    assert case.shown(CITY, notice, PLACEMENT) == case.expected(CITY, notice, PLACEMENT, "assigned")
    hand_off = case.send("service_handoff", CITY, HOME, as_="accepted")
    shown = case.shown(HOME, hand_off, PROVISION)
    assert shown == case.expected(HOME, hand_off, PROVISION, "accepted") and "birth_date" in shown
    started = case.send("status_notice", HOME, CITY, status="started")
    assert case.shown(CITY, started, PLACEMENT) == {"status"}
    return request, hand_off


def a_meeting_is_held(case: Case) -> None:
    """The core centre acts for its municipality; both stand in the ledger."""
    case.learn(CORE)
    for to in (CENTRE, HOME, OFFICE):
        notice = case.send("meeting_notice", CORE, to)
        purpose = case.stage.purposes[to][0]
        relation = {CENTRE: "origin", HOME: "accepted", OFFICE: "assigned"}[to]
        assert case.shown(to, notice, purpose) == case.expected(to, notice, purpose, relation) == {"meeting_schedule"}
    record = case.message("meeting_record", CORE, CENTRE, as_="origin")
    accepted = case.post(record, CORE)
    assert (accepted.entry.actor, accepted.entry.acted_for) == (CORE, CITY)
    assert case.shown(CENTRE, record.jti, BACKUP) == case.expected(CENTRE, record.jti, BACKUP, "origin")


def the_lead_is_handed_over(case: Case, referral: str) -> None:
    supplement = case.send("supplement", CITY, CENTRE, wishes_life="静かに暮らしたい")
    assert case.shown(CENTRE, supplement, PLACEMENT) == {"wishes_life"}
    proposal = case.send("handover_proposal", CENTRE, CITY)
    assert case.shown(CITY, proposal, PLACEMENT) == {"division_of_roles", "handover_date"}
    assert case.told(CENTRE)[0] == "accepted", "one side alone hands nothing over"
    case.send("handover_agreed", CITY, CENTRE, handover_reply="agreed", handover_date=coming_day())
    assert case.told(CENTRE) == ("handed_over", "origin", "referral")
    assert case.shown(CENTRE, supplement, PLACEMENT) == set(), "the hand-over ended what the centre was shown"
    assert case.told(HOME)[0] == "accepted", "a provider does not learn that there was a centre"
    assert case.shown(CITY, referral, PLACEMENT) == case.expected(CITY, referral, PLACEMENT, "assigned")


def the_provider_is_backed(case: Case) -> None:
    question = case.send("consultation_request", HOME, CITY)
    assert case.shown(CITY, question, BACKUP) == {"consultation_question"}
    asked = case.send("consultation_request", CITY, CENTRE)
    assert case.shown(CENTRE, asked, BACKUP) == case.expected(CENTRE, asked, BACKUP, "origin")
    case.send("consultation_reply", CENTRE, CITY)
    reply = case.send("consultation_reply", CITY, HOME)
    assert case.shown(HOME, reply, BACKUP) == case.expected(HOME, reply, BACKUP, "accepted")
    with pytest.raises(SetupError):
        # No agreement can be made under which a centre writes to a provider.
        case.message("consultation_reply", CENTRE, HOME)


def a_withdrawal_bites(case: Case, hand_off: str) -> None:
    assert case.shown(HOME, hand_off, PROVISION)
    # The person told the home: it finds the consent in its own case, is shown what concerns itself, and records it.
    home = case.stage[HOME]
    [number] = {head.consent for head in home.cases.messages(case.ids[HOME], PROVISION) if head.consent is not None}
    part = home.consents.look_up(number, PROVISION)
    assert isinstance(part, ConsentPart) and number == consent_of(case)
    assert part.state == "in_force" and part.items and all(item["rcp"] == [HOME] for item in part.items)
    assert part.reference == case.consent, "it serves the person, and may name the consent in what it sends"
    with pytest.raises(SetupError):
        home.consents.show(number, PROVISION)
    with pytest.raises(NotFound):
        case.stage[OTHER_HOME].consents.look_up(number, PLACEMENT)
    ended = home.consents.end(number, "the person withdrew", PROVISION)
    after = home.consents.look_up(number, PROVISION)
    assert isinstance(after, ConsentPart) and after.state == "ended"
    assert ended.entry.type == "consent_end"
    with pytest.raises(Forbidden) as refused:
        case.read(HOME, hand_off, PROVISION)
    assert refused.value.code == "consent_ended"
    told = case.send("consent_event", CITY, HOME)
    assert case.shown(HOME, told, PROVISION) == {"consent_change"}
    erase = case.send("erasure_request", CITY, HOME, erasure_scope={"messages": [hand_off], "reason": "consent_withdrawn"})
    assert case.shown(HOME, erase, PROVISION) == {"erasure_scope"}
    report = case.send("erasure_report", HOME, CITY)
    assert case.shown(CITY, report, PLACEMENT) == {"erasure_outcome"}


def it_is_closed(case: Case, request: str) -> None:
    closing = case.send("closing_notice", CITY, HOME)
    for party in (CENTRE, CITY, HOME, OTHER_HOME, OFFICE):
        assert case.told(party)[:2] == ("closed", "closed"), party
    assert case.shown(HOME, closing, PROVISION) == case.expected(HOME, closing, PROVISION, "closed")
    with pytest.raises(Forbidden):
        case.read(HOME, request, PLACEMENT)
    case.send("closing_notice", CITY, CENTRE)
    with pytest.raises(StateConflict):
        case.send("status_notice", HOME, CITY, status="ended")


def an_auditor_finds_every_step(case: Case) -> None:
    audit = case.stage[AUDITOR].audit
    kept = audit.checkpoint()
    found = {str(event.content.get("request")): event for event in audit.events(type="submission", limit=200)}
    accepted = [found[sha256] for sha256 in case.accepted]
    assert len(accepted) >= 25 and len({(event.opened or {}).get("case") for event in accepted}) == 1
    for event in (accepted[0], accepted[-1]):
        assert audit.prove(event).content == event.content
    assert audit.continues(kept).size > kept.size
