"""Coordination certificates, verified without a gateway (docs/certificates.md section 2).

Promises: what is given out was signed by its issuer, countersigned by the pinned gateway, and is about the person in the file. A file cannot
show that a revocation was left out: ask the issuer before a claim.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import date

from .codes import kind_of
from .encoding import Object, canonical, digest, member, number, parse_object, text, unb64u
from .errors import Doubt
from .identity import Pinned
from .keys import PublicKey, is_id, signed_digest, verify

CERTIFICATE_TYP = "tsunagi-coordination+jwt"
REVOCATION_TYP = "tsunagi-coordination-revocation+jwt"
COUNTERSIGNATURE_TYP = "tsunagi-countersignature+jwt"

_CLAIMS = {"iss", "aud", "jti", "iat", "no", "person", "provider", "addons", "eligibility", "statement", "window", "pol"}
_COUNTERSIGNED = {"iss", "aud", "jti", "iat", "obj", "ent", "log"}
_REASONS = {"issued_in_error", "facts_changed", "not_eligible", "replaced"}
# Who may say what, and for how many years a window may last.
_STATEMENTS = {
    "settlement_center": "coordinated_by_center",
    "probation_office": "coordinated_by_probation_office",
    "municipality": "coordinated_by_municipality_with_center",
    "core_center": "coordinated_by_municipality_with_center",
}
_YEARS = {"correctional_release": 3, "rehab_facility_release": 3, "outpatient_observation": 5}
_CROCKFORD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@dataclass(frozen=True)
class Revocation:
    """A certificate's revocation: from which day it no longer holds; none: it never held."""

    reason: str
    first_day: date | None


@dataclass(frozen=True)
class Certificate:
    """A certificate after every check its file allows."""

    issuer: str
    jti: str
    number: str
    provider: str
    addons: tuple[str, ...]
    eligibility: str
    statement: str
    first_day: date
    last_day: date
    # What is printed on paper and read out.
    code: str
    policy: str
    revocations: tuple[Revocation, ...]
    # Whether the file says whom it is about, and the digest fits.
    about_person: bool
    claims: Object = field(repr=False)

    def holds_on(self, day: date) -> bool:
        """Whether it holds on a day, by its window and the revocations of the file."""
        revoked = any(one.first_day is None or day >= one.first_day for one in self.revocations)
        return self.first_day <= day <= self.last_day and not revoked


def verify_certificate(data: bytes, pinned: Pinned, later: bytes = b"[]") -> Certificate:
    """Verifies a certificate file; `later` holds revocations that came after it, as a JSON list."""
    file = parse_object(data, "certificate file")
    token = text(file, "certificate", "certificate file")
    claims = verify(token, CERTIFICATE_TYP, [issuer_key(file)], "certificate")
    if set(claims) != _CLAIMS:
        raise Doubt("certificate: claims")
    _countersigned(CERTIFICATE_TYP, token, claims, file, pinned)
    first, last = _window(claims)
    person = file.get("person")
    if person is not None and (not isinstance(person, dict) or digest(canonical(person)) != claims["person"]):
        raise Doubt("certificate: about another person")
    added = parse_object(b'{"revocations":' + later + b"}", "revocations")
    listed = [*file.get("revocations", []), *member(added, "revocations", list, "revocations")]
    return Certificate(
        issuer=text(claims, "iss", "certificate"),
        jti=text(claims, "jti", "certificate"),
        number=text(claims, "no", "certificate"),
        provider=text(claims, "provider", "certificate"),
        addons=tuple(member(claims, "addons", list, "certificate")),
        eligibility=text(claims, "eligibility", "certificate"),
        statement=text(claims, "statement", "certificate"),
        first_day=first,
        last_day=last,
        code=paper_code(token),
        policy=text(claims, "pol", "certificate"),
        revocations=tuple(_revocation(one, token, claims, pinned) for one in listed),
        about_person=person is not None,
        claims=claims,
    )


def issuer_key(file: Object) -> PublicKey:
    """The issuer's public key, as the file holds it; the countersignature vouches for it."""
    return PublicKey(member(file, "issuer_key", dict, "certificate file"))


def paper_code(token: str) -> str:
    """The first 80 bits of the certificate's digest in Crockford's base 32."""
    first = hashlib.sha256(token.rpartition(".")[0].encode()).digest()[:10]
    letters = base64.b32encode(first).decode().translate(_CROCKFORD)
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def _day(value: object) -> date:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        day = None
    if day is None:
        raise Doubt("certificate: a day")
    return day


def _window(claims: Object) -> tuple[date, date]:
    window = member(claims, "window", dict, "certificate")
    first, last = _day(window.get("from")), _day(window.get("until"))
    years = _YEARS.get(str(claims["eligibility"]))
    if set(window) != {"from", "until"} or years is None:
        raise Doubt("certificate: window or eligibility")
    # The first day counts: a window that begins on 29 February ends with February.
    leap = (first.month, first.day) == (2, 29)
    end = date(first.year + years, 3, 1) if leap else first.replace(year=first.year + years)
    if not first <= last < end:
        raise Doubt("certificate: window")
    if _STATEMENTS.get(kind_of(str(claims["iss"]))) != claims["statement"] or not is_id(claims["jti"]):
        raise Doubt("certificate: what this issuer may say")
    return first, last


def _countersigned(typ: str, token: str, claims: Object, file: Object, pinned: Pinned) -> None:
    """The gateway vouches for exactly this object: so its header's `kid` was the issuer's key, and in force."""
    made = verify(text(file, "countersignature", "certificate file"), COUNTERSIGNATURE_TYP, pinned.receipt_keys, "countersignature")
    named = {"typ": typ, "iss": claims.get("iss"), "jti": claims.get("jti"), "sha256": signed_digest(token)}
    if set(made) != _COUNTERSIGNED or made["obj"] != named or made["aud"] != claims.get("iss"):
        raise Doubt("countersignature: about something else")
    if made["iss"] != pinned.gateway or claims.get("aud") != pinned.gateway:
        raise Doubt("countersignature: of another gateway")
    log, entries = member(made, "log", dict, "countersignature"), member(made, "ent", list, "countersignature")
    index = number(log, "idx", "countersignature")
    if not 1 <= len(entries) <= 64 or not all(isinstance(one, int) and 0 <= one < index for one in entries):
        raise Doubt("countersignature: entries")
    if len(unb64u(text(log, "leaf", "countersignature"))) != 32:
        raise Doubt("countersignature: entry")
    signed = number(claims, "iat", "certificate")
    if not signed - 10 <= number(made, "iat", "countersignature") <= signed + 86400:
        raise Doubt("countersignature: made at another time")


def _revocation(file: Object, token: str, certificate: Object, pinned: Pinned) -> Revocation:
    revoking = text(file, "revocation", "revocation")
    claims = verify(revoking, REVOCATION_TYP, [issuer_key(file)], "revocation")
    _countersigned(REVOCATION_TYP, revoking, claims, file, pinned)
    if set(claims) - {"from"} != {"iss", "aud", "jti", "iat", "crt", "why"} or claims["why"] not in _REASONS:
        raise Doubt("revocation: claims")
    if claims["iss"] != certificate["iss"] or claims["crt"] != {"jti": certificate["jti"], "sha256": signed_digest(token)}:
        raise Doubt("revocation: of another certificate")
    return Revocation(str(claims["why"]), _day(claims["from"]) if "from" in claims else None)
