"""Against a gateway: lists that wait, messages that arrive twice, agreements and consents that end, keys that are not the pinned ones."""

import json
import shutil
import time
from pathlib import Path

import pytest

from forge import Forge
from stage import CENTRE, CITY, HOME, PROBATION, WITHOUT_CONSENT, Case, Stage, coming_day
from tsunagi_client import (
    AgreementAct,
    Client,
    Doubt,
    Fate,
    Forbidden,
    NotFound,
    Purpose,
    SetupError,
    Taken,
    Unreachable,
)
from tsunagi_client.encoding import canonical

PLACEMENT = Purpose.PLACEMENT


def test_a_list_beyond_its_cursor_waits_and_then_tells_what_came(stage: Stage) -> None:
    me, cursor = stage[CITY].cases, None
    while True:
        page = me.page(PLACEMENT, cursor, limit=2)
        if not page.cases:
            break
        assert len(page.cases) <= 2
        cursor = page.cursor
    began = time.monotonic()
    assert me.page(PLACEMENT, cursor, wait=1).cases == () and 0.5 < time.monotonic() - began < 20
    case = Case(stage, stage.consent(CENTRE, CENTRE, CITY).reference)
    case.send("referral", CENTRE, CITY, desired_reply_by=coming_day())
    [head] = me.page(PLACEMENT, cursor, wait=20).cases
    assert (head.case, head.state, head.relation) == (case.ids[CITY], "open", "assigned")
    assert (head.reply_by, head.overdue, head.uncollected, head.quarantined) == (coming_day(), False, (), ())
    assert head.case in {one.case for one in me.page(PLACEMENT, state="open", limit=200).cases}
    no(case)


def no(case: Case) -> None:
    """Ends a case that nobody needs any more."""
    case.send("referral_decision", CITY, CENTRE, decision="declined", decline_reason="no_resource")


def test_the_same_message_again_gets_its_first_answer(stage: Stage, tmp_path: Path) -> None:
    case = Case(stage, stage.consent(CENTRE, CENTRE, CITY).reference)
    message = case.message("referral", CENTRE, CITY)
    first = case.post(message, CENTRE)
    assert stage[CENTRE].outbox.fate(message.jti) is Fate.DELIVERED
    # A program that lost its outbox behind the sending.
    with Client(stage[CENTRE].identity, outbox=tmp_path / "outbox") as again:
        second = again.cases.post(message, None, PLACEMENT)
    assert (second.case, second.entry.index, second.entry.leaf) == (first.case, first.entry.index, first.entry.leaf)
    assert (second.receipt.jti, second.receipt.about) == (first.receipt.jti, first.receipt.about)
    no(case)


def test_an_agreement_is_proposed_signed_suspended_and_taken_up_again(stage: Stage) -> None:
    centre, city = stage[CENTRE].agreements, stage[CITY].agreements
    classes = sorted(stage.classes | WITHOUT_CONSENT)
    day = 86400
    moment = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset)) for offset in (-60, 30 * day)]
    flow = {"from": CENTRE, "to": CITY, "kinds": ["referral"], "purposes": ["placement_coordination"], "classes": classes, "bases": ["consent_27"]}
    document = canonical(
        {
            "id": "AG-13-0700", "ver": 1, "title": "試験協定", "parties": [CENTRE, CITY], "acceding": [], "flows": [flow],
            "schema_versions": ["referral/1.0.0"], "purpose_of_use_entry": "個人情報ファイル簿 7", "terms": ["目的外に使わない"],
            "from": moment[0], "until": moment[1], "retention_months": 12, "delegations": [],
        }
    )  # fmt: skip
    proposed = centre.propose(document)
    assert proposed.entry.type == "agreement"
    head = next(one for one in city.all() if one.reference.id == "AG-13-0700")
    assert head.state == "proposed" and head.parties == (CENTRE, CITY) and city.show(head.reference).document == document
    city.sign(head.reference, AgreementAct.ACCEPT)

    def state() -> str:
        return next(one.state for one in centre.all() if one.reference == head.reference)

    assert state() == "in_force" and len(centre.show(head.reference).signatures) >= 1
    case = Case(stage, stage.consent(CENTRE, CENTRE, CITY).reference)
    body = stage.body("referral", frozenset())
    draft = stage[CENTRE].cases.draft("referral", CITY, [PLACEMENT], body, consent=case.consent, agreement=head.reference)
    city.sign(head.reference, AgreementAct.SUSPEND)
    assert state() == "suspended"
    with pytest.raises(Forbidden) as refused:
        stage[CENTRE].cases.send(draft)
    assert refused.value.code == "agreement_not_in_force"
    for agreements in (centre, city):
        agreements.sign(head.reference, AgreementAct.RESUME)
    assert state() == "in_force"
    case.post(stage[CENTRE].cases.sign(draft), CENTRE)
    no(case)
    centre.sign(head.reference, AgreementAct.REVOKE)
    assert state() == "revoked"
    with pytest.raises(NotFound):
        stage[PROBATION].agreements.show(head.reference)


def test_a_narrowed_consent_leaves_the_others_what_they_had(stage: Stage) -> None:
    consent = stage.consent(CENTRE, CENTRE, CITY, HOME)
    case = Case(stage, consent.reference)
    referral = case.send("referral", CENTRE, CITY)
    case.send("referral_decision", CITY, CENTRE, decision="accepted")
    stage[CITY].consents.end(consent.reference.jti, "not that home", PLACEMENT, narrow=[Taken([HOME])])
    standing = stage[CENTRE].consents.show(consent.reference.jti, PLACEMENT)
    assert standing.state == "in_force" and standing.narrowed == ({"rcp": [HOME]},)
    with pytest.raises(Forbidden) as refused:
        case.send("placement_request", CITY, HOME)
    assert refused.value.code == "consent_scope"
    assert "family_name" in case.shown(CITY, referral, PLACEMENT)
    stage[CITY].consents.end(consent.reference.jti, "no family name", PLACEMENT, narrow=[Taken([CITY], classes=["identity"])])
    assert "family_name" not in case.shown(CITY, referral, PLACEMENT)


def test_a_gateway_with_other_keys_than_the_pinned_ones_is_not_believed(stage: Stage, tmp_path: Path) -> None:
    case = Case(stage, stage.consent(CENTRE, CENTRE, CITY).reference)
    referral = case.send("referral", CENTRE, CITY)
    folder = tmp_path / "municipality"
    shutil.copytree(stage[CITY].identity.folder, folder)
    pinned, other = folder / "gateway-keys.json", Forge().document()
    for use in ("kb", "receipt"):
        document = json.loads((stage[CITY].identity.folder / "gateway-keys.json").read_text())
        document["keys"][use] = other["keys"][use]
        pinned.write_text(json.dumps(document))
        with Client(folder) as doubting:
            with pytest.raises(Doubt, match="than the pinned one"):
                doubting.directory.well_known()
            if use == "kb":
                with pytest.raises(Doubt, match="not pinned"):
                    doubting.cases.read(case.ids[CITY], referral, PLACEMENT)
    document = json.loads((stage[CITY].identity.folder / "gateway-keys.json").read_text())
    document["ledger"]["vkey"] = document["ledger"]["vkey"].replace(document["ledger"]["vkey"].rpartition("+")[2], other_vkey(document))
    pinned.write_text(json.dumps(document))
    with pytest.raises(SetupError, match="gateway-keys.json"):
        Client(folder)
    no(case)


def other_vkey(document: dict[str, dict[str, str]]) -> str:
    """The key part of a ledger's verifier key with one letter changed."""
    encoded = document["ledger"]["vkey"].rpartition("+")[2]
    return ("B" if encoded[0] != "B" else "C") + encoded[1:]


def test_what_is_not_trusted_is_not_spoken_to(stage: Stage, tmp_path: Path) -> None:
    stranger = Forge().folder(tmp_path / "stranger", CITY)
    identity = stage[CITY].identity
    # Our own certificate authority would not know the gateway; the gateway would not know our certificate.
    for name in ("ca.pem", "tls.pem"):
        folder = tmp_path / f"without-{name}"
        shutil.copytree(identity.folder, folder)
        taken = [name] if name == "ca.pem" else ["tls.pem", "tls.key"]
        for one in taken:
            shutil.copy2(stranger / one, folder / one)
        with Client(folder) as client, pytest.raises(Unreachable):
            client.directory.well_known()


def test_a_refusal_is_told_in_japanese_where_that_is_asked_for(stage: Stage) -> None:
    with Client(stage[CITY].identity, language="ja") as client, pytest.raises(NotFound) as refused:
        client.cases.read_first("0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4", PLACEMENT)
    assert not refused.value.title.isascii() and not refused.value.next_step.isascii() and refused.value.instance
    with pytest.raises(SetupError):
        Client(stage[CITY].identity, language="fr")
