"""A stranger's certificate over a gateway: made and signed here with jwcrypto, judged and countersigned there, fetched and verified here again."""

import json
import secrets
import time

import pytest

import certificates
import tsunagi_client as client
from story import EXAMPLES, PLACEMENT
from tlog import Refused

ADDON = "addon_certification"
AGREEMENT = "AG-13-0010"
PADDED = 32


class Case:
    """A case in which the centre referred a person to the city, and the city placed it with the home."""

    def __init__(self, world):
        self.world, self.known = world, {}
        self.parties = {"centre": world.centre, "city": world.municipality, "home": world.group_home}
        listed = world.ok(world.centre.get("/v1/agreements")).json()["agreements"]
        self.agr = next({name: a[name] for name in ("id", "ver", "sha256")} for a in listed if a["id"] == AGREEMENT)
        classes = sorted(set(world.consent_claims()["items"][0]["cls"]) | {"addon_proof", "placement", "plan"})
        item = {"pur": [PLACEMENT, ADDON], "cls": classes, "tick": classes}
        self.consent = world.consent(items=[item | {"rcp": [party.me.party]} for party in (world.municipality, world.group_home)])
        # What the catalogue calls a row that the form demands, and nothing beyond.
        self.send("centre", "city", "referral", PLACEMENT)
        self.send("city", "centre", "referral_decision", PLACEMENT, {"decision": "accepted"})
        self.send("city", "home", "placement_request", PLACEMENT)
        self.send("home", "city", "placement_decision", PLACEMENT, {"decision": "accepted"})

    def body(self, kind: str, rows: dict) -> tuple[dict, dict]:
        named = next(s for s in self.world.well_known["schemas"] if s["kind"] == kind)
        form = self.world.ok(self.world.centre.get(f"/v1/schemas/{kind}/{named['ver']}")).json()
        example = json.loads((EXAMPLES / f"{kind}.json").read_text()) | ({} if kind != "referral" else self.world.body)
        required = {row: example[row] for row in form["required"]}
        coming = time.strftime("%Y-%m", time.gmtime(time.time() + 60 * 86400))
        required |= {row: coming for row in ("desired_start_month",) if row in required}
        return required | rows, {name: named[name] for name in ("id", "ver", "sha256")}

    def post(self, sender: str, recipient: str, kind: str, purpose: str, rows: dict | None = None):
        by, to = self.parties[sender], self.parties[recipient]
        body, sch = self.body(kind, rows or {})
        bare = kind in ("referral_decision", "placement_decision", "certificate_revocation")
        claims = self.world.claims(
            None if bare else self.consent, by, aud=to.me.party, kind=kind, sch=sch, agr=self.agr, pur=[purpose], bas="consent_27",
            body=body, case=self.known.get(sender),
        )
        provider = recipient == "home"
        if provider:
            claims["iat"] -= claims["iat"] % 3600
        message = client.issue(by.me.signing_key, claims, PADDED if provider else None)
        target = f"/v1/cases/{self.known[sender]}/messages" if sender in self.known else "/v1/referrals"
        return by.post_message(target, purpose, message)

    def send(self, sender: str, recipient: str, kind: str, purpose: str, rows: dict | None = None) -> dict:
        before = {c["case"] for c in self.world.cases(self.parties[recipient])}
        answer = self.world.ok(self.post(sender, recipient, kind, purpose, rows), 201).json()
        self.known[sender] = answer["case"]
        fresh = [c["case"] for c in self.world.cases(self.parties[recipient]) if c["case"] not in before]
        self.known.update({recipient: case for case in fresh})
        return answer

    def certificates(self, party: str) -> list[dict]:
        return self.parties[party].pages(f"/v1/cases/{self.known[party]}/certificates", "certificates", ADDON)


@pytest.fixture(scope="module")
def case(world):
    return Case(world)


def certificate(case: Case, **changes) -> tuple[str, dict, dict]:
    """A certificate by the centre for the home, its claims and the rows of its message."""
    centre, home = case.parties["centre"], case.parties["home"]
    person = {"salt": secrets.token_urlsafe(16), "family_name": "小波", "given_name": "健太", "birth_date": "1984-05-17"}
    claims = centre.object_claims() | {
        "no": f"TC13-{secrets.randbelow(10**6):06}", "person": certificates.person_digest(person), "provider": home.me.party.split(":")[1],
        "addons": ["community_life_transition"], "eligibility": "correctional_release", "statement": "coordinated_by_center",
        "window": {"from": "2026-09-01", "until": "2029-08-31"}, "pol": case.world.well_known["policy"]["sha256"],
    } | changes
    token = client.sign(centre.me.signing_key, certificates.CERTIFICATE, claims)
    rows = {name: person[name] for name in ("family_name", "given_name", "birth_date")}
    return token, claims, rows | {"certificate": token, "certificate_salt": person["salt"]}


def test_a_certificate_made_here_is_countersigned_passed_on_revoked_and_verified_here(case):
    token, claims, rows = certificate(case)
    answer = case.send("centre", "city", "coordination_certificate", ADDON, rows)
    pinned = case.parties["home"].me.pinned
    certificates.countersigned(certificates.CERTIFICATE, token, claims, answer["countersignature"], pinned)
    assert case.certificates("home") == [], "what is addressed to others is not there"
    case.send("city", "home", "coordination_certificate", ADDON, rows)
    file = case.certificates("home")[-1]
    assert file["certificate"] == token and file["person"]["family_name"] == "小波"
    assert certificates.verify(file, pinned)["no"] == claims["no"]

    revoked = case.parties["centre"].object_claims() | {
        "crt": {"jti": claims["jti"], "sha256": certificates.signed_digest(token)}, "why": "facts_changed", "from": "2027-04-01",
    }
    signed = client.sign(case.parties["centre"].me.signing_key, certificates.REVOCATION, revoked)
    row = {"certificate": claims["jti"], "reason": "facts_changed"}
    case.send("centre", "city", "certificate_revocation", ADDON, {"revocation": row, "revocation_token": signed})
    assert certificates.verify(case.certificates("home")[-1], pinned)["revoked_from"] == ["2027-04-01"]


@pytest.mark.parametrize("changes, told", [
    ({"person": client.digest("somebody else")}, ("certificate", "person")),
    ({"statement": "coordinated_by_probation_office"}, ("statement", "issuer")),
    ({"provider": "1310100019"}, ("provider", "serves_the_person")),
    ({"addons": ["social_life_support"]}, ("addons", "addon_rules")),
    ({"offence": "theft"}, ("offence", "unknown")),
])
def test_what_a_certificate_may_not_say_is_refused_by_name(case, changes, told):
    answer = case.post("centre", "city", "coordination_certificate", ADDON, certificate(case, **changes)[2])
    first = answer.json()["violations"][0]
    assert answer.status_code in (409, 422) and (first["field"], first["rule"]) == told


def test_a_countersignature_by_a_stranger_is_refused_here(case):
    token, claims, rows = certificate(case)
    case.send("centre", "city", "coordination_certificate", ADDON, rows)
    file = case.certificates("city")[-1]
    stranger = certificates.Office(case.parties["city"].me.pinned["gateway"], claims["iss"])
    file["countersignature"] = stranger.countersign(certificates.CERTIFICATE, token, claims)
    with pytest.raises((Refused, ValueError)):
        certificates.verify(file, case.parties["city"].me.pinned)
