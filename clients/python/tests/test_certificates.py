"""Coordination certificates: the sample that the gateway's program made, and every way in which it must not be believed."""

import importlib.resources
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from forge import GATEWAY, Forge
from tsunagi_client import Doubt, Pinned, verify_certificate
from tsunagi_client.encoding import canonical, digest
from tsunagi_client.keys import PrivateKey, new_id, now, sign, signed_digest

SAMPLE = Path(__file__).resolve().parents[3] / "tests" / "data" / "coordination"
PROVIDER = "1310000014"


def sample(name: str) -> bytes:
    return (SAMPLE / name).read_bytes()


class Office:
    """An issuer and its gateway."""

    def __init__(self) -> None:
        self.forge, self.key = Forge(), PrivateKey.generate()
        self.person = {"salt": "c2FsdC1vZi1hbi1leGFtcGxl", "family_name": "髙\ufa19", "given_name": "葛\U000e0100", "birth_date": "1984-05-17"}

    def claims(self, **changes: Any) -> dict[str, Any]:
        return {
            "iss": "probation_office:13-1", "aud": GATEWAY, "jti": new_id(), "iat": now(), "no": "PO13-0042",
            "person": digest(canonical(self.person)), "provider": PROVIDER, "addons": ["social_life_support"],
            "eligibility": "outpatient_observation", "statement": "coordinated_by_probation_office",
            "window": {"from": "2026-06-01", "until": "2031-05-31"}, "pol": digest("policy"),
        } | changes  # fmt: skip

    def countersign(self, typ: str, token: str, claims: dict[str, Any], **changes: Any) -> str:
        named = {"typ": typ, "iss": claims["iss"], "jti": claims["jti"], "sha256": signed_digest(token)}
        made = {
            "iss": GATEWAY, "aud": claims["iss"], "jti": new_id(), "iat": claims["iat"] + 1, "obj": named, "ent": [4, 9],
            "log": {"origin": "localhost:8443/ledger", "idx": 12, "leaf": digest("leaf")},
        } | changes  # fmt: skip
        return sign(self.forge.receipt, "tsunagi-countersignature+jwt", made)

    def file(self, claims: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        claims = claims or self.claims()
        token = sign(self.key, "tsunagi-coordination+jwt", claims)
        countersignature = self.countersign("tsunagi-coordination+jwt", token, claims, **changes)
        return {
            "certificate": token, "countersignature": countersignature, "issuer_key": self.key.public.members, "person": self.person,
        }  # fmt: skip

    def revocation(self, file: dict[str, Any], **changes: Any) -> dict[str, Any]:
        named = verify_certificate(json.dumps(file).encode(), self.forge.pinned)
        claims = {
            "iss": named.issuer, "aud": GATEWAY, "jti": new_id(), "iat": now(), "why": "not_eligible", "from": "2027-04-01",
            "crt": {"jti": named.jti, "sha256": signed_digest(file["certificate"])},
        } | changes  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        token = sign(self.key, "tsunagi-coordination-revocation+jwt", claims)
        countersignature = self.countersign("tsunagi-coordination-revocation+jwt", token, claims)
        return {"revocation": token, "countersignature": countersignature, "issuer_key": self.key.public.members}


@pytest.fixture(scope="module")
def office() -> Office:
    return Office()


def verify(office: Office, file: Any, later: Any = ()) -> Any:
    return verify_certificate(json.dumps(file).encode(), office.forge.pinned, json.dumps(list(later)).encode())


def test_the_sample_of_the_program_is_verified_here() -> None:
    pinned = Pinned.read(sample("gateway-keys.json"))
    certificate = verify_certificate(sample("certificate.json"), pinned)
    assert (certificate.number, certificate.first_day, certificate.last_day) == ("TC13-0001", date(2026, 9, 1), date(2029, 8, 31))
    assert certificate.about_person and certificate.holds_on(date(2027, 4, 1)) and not certificate.holds_on(date(2029, 9, 1))
    revoked = verify_certificate(sample("certificate.json"), pinned, sample("revocations.json"))
    assert revoked.holds_on(date(2027, 3, 31)) and not revoked.holds_on(date(2027, 4, 1))


def test_a_certificate_of_another_program_is_verified_and_its_code_read(office: Office) -> None:
    certificate = verify(office, office.file())
    assert certificate.issuer == "probation_office:13-1" and len(certificate.code) == 19 and certificate.code.count("-") == 3
    assert verify(office, office.file(office.claims(iss="settlement_center:13-1", statement="coordinated_by_center"))).statement


@pytest.mark.parametrize(
    "change",
    [
        {"offence": "x"}, {"statement": "coordinated_by_center"}, {"eligibility": "other"}, {"aud": "https://elsewhere.example"},
        {"window": {"from": "2026-06-01", "until": "2031-06-01"}}, {"window": {"from": "2026-06-02", "until": "2026-06-01"}},
        {"window": {"from": "2026-6-1", "until": "2031-05-31"}}, {"eligibility": "correctional_release"}, {"iss": "group_home:1320100017"},
    ],
)  # fmt: skip
def test_claims_that_an_issuer_may_not_make_are_refused(office: Office, change: dict[str, Any]) -> None:
    with pytest.raises(Doubt):
        verify(office, office.file(office.claims(**change)))


@pytest.mark.parametrize(
    "change",
    [{"obj": {}}, {"aud": "x"}, {"iss": "https://elsewhere.example"}, {"ent": []}, {"ent": [12]}, {"ent": list(range(65))}, {"iat": 1}, {"x": 1}],
)  # fmt: skip
def test_a_countersignature_about_something_else_is_refused(office: Office, change: dict[str, Any]) -> None:
    with pytest.raises(Doubt):
        verify(office, office.file(**change))


def test_another_key_person_or_a_changed_token_is_refused(office: Office) -> None:
    file, other = office.file(), office.file()
    changes: list[dict[str, Any]] = [
        {"issuer_key": PrivateKey.generate().public.members}, {"person": office.person | {"given_name": "x"}}, {"person": []},
        {"certificate": other["certificate"]}, {"countersignature": other["countersignature"]}, {"certificate": file["certificate"][:-1]},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(Doubt):
            verify(office, file | change)
    stranger = Office()
    with pytest.raises(Doubt):
        verify(stranger, file)


def test_without_a_person_it_proves_everything_but_whom_it_is_about(office: Office) -> None:
    file = office.file()
    del file["person"]
    assert not verify(office, file).about_person


def test_a_revocation_ends_it_and_is_as_carefully_verified(office: Office) -> None:
    file = office.file()
    revoked = verify(office, file, [office.revocation(file)])
    assert revoked.holds_on(date(2027, 3, 31)) and not revoked.holds_on(date(2027, 4, 1))
    assert not verify(office, file | {"revocations": [office.revocation(file, **{"from": None})]}).holds_on(date(2026, 6, 1))
    changes: list[dict[str, Any]] = [
        {"why": "other"}, {"crt": {"jti": new_id(), "sha256": digest("x")}}, {"iss": "probation_office:14-1"}, {"from": "soon"},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(Doubt):
            verify(office, file, [office.revocation(file, **change)])


def test_a_window_that_begins_on_the_last_of_february_ends_with_february(office: Office) -> None:
    longest = {"from": "2024-02-29", "until": "2029-02-28"}
    assert verify(office, office.file(office.claims(window=longest))).last_day == date(2029, 2, 28)
    with pytest.raises(Doubt):
        verify(office, office.file(office.claims(window=longest | {"until": "2029-03-01"})))


def test_the_package_says_that_it_has_types() -> None:
    assert importlib.resources.files("tsunagi_client").joinpath("py.typed").is_file()
