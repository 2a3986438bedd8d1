"""Coordination certificates over a gateway: signed here, sent as messages of the case, countersigned there, fetched (docs/certificates.md section 3)."""

import secrets
from dataclasses import dataclass, field
from datetime import date

from .cases import checked_id
from .certificates import CERTIFICATE_TYP, REVOCATION_TYP, Certificate, verify_certificate
from .codes import Purpose
from .delivery import Delivery
from .directory import Directory, query
from .encoding import Object, canonical, digest, member
from .envelope import unseal
from .errors import Doubt
from .keys import parts, signed_digest
from .ledger import Entry, entry_of_answer

CERTIFICATE_CTY = "application/tsunagi-certificate+json"


@dataclass(frozen=True)
class Person:
    """Whom a certificate is about; of it, the certificate holds a salted digest only. Never printed."""

    family_name: str = field(repr=False)
    given_name: str = field(repr=False)
    birth_date: str = field(repr=False)
    recipient_cert_number: str | None = field(repr=False, default=None)

    def rows(self) -> Object:
        """The rows that a message with the certificate holds."""
        named = {"family_name": self.family_name, "given_name": self.given_name, "birth_date": self.birth_date}
        return named | ({"recipient_cert_number": self.recipient_cert_number} if self.recipient_cert_number else {})


@dataclass(frozen=True)
class CertificateDraft:
    """What an issuer states."""

    number: str
    person: Person
    # 事業所番号 of the provider that may claim.
    provider: str
    addons: tuple[str, ...]
    eligibility: str
    statement: str
    first_day: date
    last_day: date


@dataclass(frozen=True)
class SignedCertificate:
    """A certificate before the gateway countersigned it."""

    jti: str
    token: str = field(repr=False)
    # The body of the `coordination_certificate` message that carries it.
    rows: Object = field(repr=False)


@dataclass(frozen=True)
class SignedRevocation:
    """A revocation before the gateway countersigned it."""

    jti: str
    token: str = field(repr=False)
    # The body of the `certificate_revocation` message that carries it.
    rows: Object = field(repr=False)


@dataclass(frozen=True)
class HeldCertificate:
    """A certificate of a case as this party may have it now, with the entry that recorded its release. Keep `file`: it proves for years."""

    certificate: Certificate
    entry: Entry
    file: bytes = field(repr=False)


class Certificates:
    """Certificates that this party issues, gets in its cases, or has in a file."""

    def __init__(self, delivery: Delivery, directory: Directory) -> None:
        self._delivery, self._directory = delivery, directory

    def in_case(self, case: str) -> list[HeldCertificate]:
        """The certificates of a case that this party may have now, each with its countersignature and revocations, verified."""
        found: list[HeldCertificate] = []
        cursor: str | None = None
        while True:
            target = f"/v1/cases/{checked_id(case)}/certificates{query(cursor=cursor)}"
            document = self._delivery.transport.read(target, Purpose.ADDON).document("certificates")
            sealed = member(document, "certificates", list, "certificates")
            if len(sealed) > 1:
                raise Doubt("certificates: more than one an entry")
            found += [self._held(str(one), document) for one in sealed]
            if document.get("cursor") in (None, cursor):
                return found
            cursor = str(document["cursor"])

    def _held(self, sealed: str, document: Object) -> HeldCertificate:
        me = self._delivery.identity
        file = unseal(sealed, me.encryption, CERTIFICATE_CTY).encode()
        entry = entry_of_answer(document, me.pinned)
        recorded = (entry.operation, entry.content.get("decision"), entry.actor, entry.content.get("sd_hash"))
        if recorded != ("certificate.list", "permit", me.party, digest(file)):
            raise Doubt("entry: about another certificate")
        return HeldCertificate(verify_certificate(file, me.pinned), entry, file)

    def sign(self, draft: CertificateDraft) -> SignedCertificate:
        """Signs a certificate under the policies in force. Send its rows as `coordination_certificate`, for add-on certification."""
        salt = secrets.token_urlsafe(16)
        jti, token = self._delivery.sign_object(
            CERTIFICATE_TYP,
            no=draft.number,
            person=digest(canonical(draft.person.rows() | {"salt": salt})),
            provider=draft.provider,
            addons=list(draft.addons),
            eligibility=draft.eligibility,
            statement=draft.statement,
            window={"from": draft.first_day.isoformat(), "until": draft.last_day.isoformat()},
            pol=self._directory.well_known().policy,
        )
        return SignedCertificate(jti, token, draft.person.rows() | {"certificate": token, "certificate_salt": salt})

    def revoke(self, certificate: str, why: str, first_day: date | None = None) -> SignedRevocation:
        """Signs the revocation of a certificate's token: from a day, or as if it had never held. Send it to each recipient of the certificate."""
        revoked = str(parts(certificate, "certificate")[1].get("jti"))
        named: Object = {"crt": {"jti": revoked, "sha256": signed_digest(certificate)}, "why": why}
        named |= {"from": first_day.isoformat()} if first_day else {}
        jti, token = self._delivery.sign_object(REVOCATION_TYP, **named)
        return SignedRevocation(jti, token, {"revocation": {"certificate": revoked, "reason": why}, "revocation_token": token})

    def verify(self, data: bytes, later: bytes = b"[]") -> Certificate:
        """Verifies a certificate file with the pinned keys; needs no connection. `later`: revocations that came after it, as a JSON list."""
        return verify_certificate(data, self._delivery.identity.pinned, later)
