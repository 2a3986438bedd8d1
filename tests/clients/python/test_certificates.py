"""Certificates that the gateway's program made are verified here, and those made here are verified by its program, without a gateway on either side."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import certificates
from certificates import Office, verify
from tlog import Refused

SAMPLE = Path(__file__).parents[2] / "data" / "coordination"


def sample(name: str):
    return json.loads((SAMPLE / name).read_text())


def spoil(token: str) -> str:
    """The same token with one letter of the payload changed."""
    header, payload, signature = token.split(".")
    middle = len(payload) // 2
    return f"{header}.{payload[:middle]}{'A' if payload[middle] != 'A' else 'B'}{payload[middle + 1:]}.{signature}"


@pytest.fixture
def program(tmp_path):
    binary = os.environ.get("TSUNAGI_BIN")
    if not binary:
        pytest.fail("no program to test: set TSUNAGI_BIN to the binary")
    # A whole pinned document: what a certificate does not need comes from the sample.
    def run(office: Office, file: dict, *options: str) -> tuple[int, dict]:
        pinned = sample("gateway-keys.json")
        pinned["gateway"], pinned["keys"]["receipt"] = office.gateway, office.public(office.receipt)
        (tmp_path / "gateway-keys.json").write_text(json.dumps(pinned))
        (tmp_path / "certificate.json").write_text(json.dumps(file))
        done = subprocess.run(
            [binary, "--json", "certificate", "verify", "certificate.json", "--keys", ".", *options],
            cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        )
        return done.returncode, json.loads(done.stdout or "{}")
    return run


def test_the_sample_of_the_program_is_verified_here():
    claims = verify(sample("certificate.json"), sample("gateway-keys.json"))
    assert claims["no"] == "TC13-0001" and claims["window"] == {"from": "2026-09-01", "until": "2029-08-31"}
    revoked = sample("certificate.json") | {"revocations": sample("revocations.json")}
    assert verify(revoked, sample("gateway-keys.json"))["revoked_from"] == ["2027-04-01"]


@pytest.mark.parametrize("member", ["certificate", "countersignature"])
def test_a_changed_token_is_refused_here(member):
    file = sample("certificate.json")
    file[member] = spoil(file[member])
    with pytest.raises((Refused, ValueError)):
        verify(file, sample("gateway-keys.json"))


def test_another_person_is_refused_here():
    file = sample("certificate.json")
    file["person"]["given_name"] = "別人"
    with pytest.raises(Refused):
        verify(file, sample("gateway-keys.json"))


def test_a_certificate_made_here_is_verified_by_the_program(program):
    office = Office()
    file = office.file()
    status, told = program(office, file, "--on", "2030-05-31")
    assert status == 0 and told["no"] == "PO13-0042" and told["on"]["covered"] and told["person"] == office.person
    assert told["code"] == certificates.code(file["certificate"])
    assert program(office, file, "--code", told["code"])[0] == 0
    file["revocations"] = [office.revocation(file, "2027-01-01")]
    assert program(office, file)[1]["holds"] == {"from": "2026-06-01", "until": "2026-12-31"}
    file["revocations"].append(office.revocation(file, None))
    status, told = program(office, file)
    assert status == 3 and told["holds"] is None and told["revoked"]["why"] == "not_eligible"


def test_what_is_wrong_with_one_made_here_is_found_by_the_program(program):
    office, other = Office(), Office()
    good = office.file()
    claims = office.claims
    wrong = {
        "an offence": office.file(claims() | {"offence": "theft"}),
        "a facility": office.file(claims() | {"window": {"from": "2026-06-01", "until": "2027-05-31", "facility": "prison"}}),
        "no person": office.file({name: value for name, value in claims().items() if name != "person"}),
        "too long a window": office.file(claims() | {"window": {"from": "2026-06-01", "until": "2031-06-01"}}),
        "somebody else's statement": office.file(claims() | {"statement": "coordinated_by_center"}),
        "an add-on nobody knows": office.file(claims() | {"addons": ["670"]}),
        "a number for a text": office.file(claims() | {"provider": 1310000014}),
        "another certificate countersigned": good | {"certificate": office.file()["certificate"]},
        "another gateway's countersignature": good | {"countersignature": other.file()["countersignature"]},
        "countersigned late": office.file(iat=claims()["iat"] + 2 * 86400),
        "countersigned for somebody else": office.file(aud="settlement_center:13-1"),
        "resting on what came later": office.file(ent=[13]),
        "another key": good | {"issuer_key": other.public(other.key)},
        "a private key": good | {"issuer_key": office.key.export(as_dict=True)},
        "another person": good | {"person": office.person | {"birth_date": "1984-05-18"}},
        "a member more": good | {"note": "x"},
        "a changed token": good | {"certificate": spoil(good["certificate"])},
    }
    assert program(office, good)[0] == 0
    accepted = [what for what, file in wrong.items() if program(office, file)[0] != 3]
    assert accepted == []
    assert program(office, good, "--code", "0000-0000-0000-0000")[0] == 3
