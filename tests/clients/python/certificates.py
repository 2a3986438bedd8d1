"""Coordination certificates by a stranger: made and verified from docs/certificates.md, with jwcrypto and rfc8785."""

import base64
import hashlib
import secrets
import time

import rfc8785
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK

import tsunagi_client as client
from tlog import Refused

CERTIFICATE = "tsunagi-coordination+jwt"
REVOCATION = "tsunagi-coordination-revocation+jwt"
COUNTERSIGNATURE = "tsunagi-countersignature+jwt"
CERTIFICATE_CLAIMS = {"iss", "aud", "jti", "iat", "no", "person", "provider", "addons", "eligibility", "statement", "window", "pol"}
CROCKFORD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def signed_digest(token: str) -> str:
    """SHA-256 of the signing input: header and payload as they travel."""
    return client.digest(token.rsplit(".", 1)[0])


def code(token: str) -> str:
    """The code on paper: the first 80 bits of that digest."""
    letters = base64.b32encode(hashlib.sha256(token.rsplit(".", 1)[0].encode()).digest()[:10]).decode().translate(CROCKFORD)
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def person_digest(person: dict) -> str:
    return client.digest(rfc8785.dumps(person))


class Office:
    """An issuer and a gateway, each with a key of its own."""

    def __init__(self, gateway: str = "https://gateway.example:8443", issuer: str = "probation_office:13-1"):
        self.gateway, self.issuer = gateway, issuer
        self.key, self.receipt = (JWK.generate(kty="EC", crv="P-256") for _ in range(2))
        self.person = {
            "salt": secrets.token_urlsafe(16), "family_name": "髙\ufa19", "given_name": "葛\U000e0100", "birth_date": "1984-05-17",
            "recipient_cert_number": "0131001232",
        }

    def issued(self, iat: int) -> dict:
        return {"iss": self.issuer, "aud": self.gateway, "jti": client.new_jti(), "iat": iat}

    def claims(self) -> dict:
        return self.issued(int(time.time())) | {
            "no": "PO13-0042", "person": person_digest(self.person), "provider": "1310000014",
            "addons": ["social_life_support"], "eligibility": "outpatient_observation", "statement": "coordinated_by_probation_office",
            "window": {"from": "2026-06-01", "until": "2030-05-31"}, "pol": client.digest("policy"),
        }

    def countersign(self, typ: str, token: str, claims: dict, **changes) -> str:
        made = {
            "iss": self.gateway, "aud": claims["iss"], "jti": client.new_jti(), "iat": claims["iat"] + 1,
            "obj": {"typ": typ, "iss": claims["iss"], "jti": claims["jti"], "sha256": signed_digest(token)},
            "ent": [4, 9], "log": {"origin": "gateway.example/ledger", "idx": 12, "leaf": client.digest("leaf")},
        }
        return client.sign(self.receipt, COUNTERSIGNATURE, made | changes)

    def public(self, key: JWK) -> dict:
        return client.public_members(key.export_public(as_dict=True))

    def file(self, claims: dict | None = None, **changes) -> dict:
        claims = claims or self.claims()
        token = client.sign(self.key, CERTIFICATE, claims)
        return {
            "certificate": token, "countersignature": self.countersign(CERTIFICATE, token, claims, **changes),
            "issuer_key": self.public(self.key), "person": self.person,
        }

    def revocation(self, file: dict, first_day: str | None) -> dict:
        certificate = verify(file, self.trusted())
        claims = self.issued(certificate["iat"] + 60) | {
            "crt": {"jti": certificate["jti"], "sha256": signed_digest(file["certificate"])}, "why": "not_eligible",
        }
        if first_day:
            claims["from"] = first_day
        token = client.sign(self.key, REVOCATION, claims)
        return {
            "revocation": token, "countersignature": self.countersign(REVOCATION, token, claims), "issuer_key": self.public(self.key),
        }

    def trusted(self) -> dict:
        """What one has pinned of the gateway, as far as certificates need it."""
        return {"gateway": self.gateway, "keys": {"receipt": self.public(self.receipt)}, "retired": []}


def receipt_keys(pinned: dict) -> list[dict]:
    return [pinned["keys"]["receipt"]] + [key["jwk"] for key in pinned["retired"] if key["use"] == "receipt"]


def countersigned(typ: str, token: str, claims: dict, countersignature: str, pinned: dict) -> None:
    made = client.read_jws(countersignature, COUNTERSIGNATURE, receipt_keys(pinned))
    expected = {"typ": typ, "iss": claims["iss"], "jti": claims["jti"], "sha256": signed_digest(token)}
    if made["obj"] != expected or made["aud"] != claims["iss"]:
        raise Refused("the countersignature is about something else")
    if made["iss"] != pinned["gateway"] or claims["aud"] != pinned["gateway"]:
        raise Refused("another gateway")
    if not claims["iat"] - 10 <= made["iat"] <= claims["iat"] + 86400:
        raise Refused("countersigned at another time")


def verify(file: dict, pinned: dict) -> dict:
    """The claims of a certificate; its window ends where a revocation in the file says so."""
    try:
        claims = client.read_jws(file["certificate"], CERTIFICATE, [file["issuer_key"]])
        countersigned(CERTIFICATE, file["certificate"], claims, file["countersignature"], pinned)
        if set(claims) != CERTIFICATE_CLAIMS:
            raise Refused("not the claims of a certificate")
        if "person" in file and person_digest(file["person"]) != claims["person"]:
            raise Refused("another person")
        for one in file.get("revocations", []):
            revoked = client.read_jws(one["revocation"], REVOCATION, [one["issuer_key"]])
            countersigned(REVOCATION, one["revocation"], revoked, one["countersignature"], pinned)
            if revoked["iss"] != claims["iss"] or revoked["crt"] != {"jti": claims["jti"], "sha256": signed_digest(file["certificate"])}:
                raise Refused("a revocation of another certificate")
            claims.setdefault("revoked_from", []).append(revoked.get("from"))
    except JWException as fault:
        raise Refused(f"signature: {fault}") from fault
    return claims
