"""Consents of a person: registered by who collected them, ended or narrowed by whoever may (protocol section 2)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from .codes import Purpose
from .delivery import Accepted, Delivery
from .directory import Directory
from .encoding import Object, digest, member, text
from .errors import Doubt, SetupError
from .keys import now, parts, verify_by
from .message import ConsentReference

CONSENT_TYP = "tsunagi-consent+jwt"
END_TYP = "tsunagi-consent-end+jwt"
_DAY = 86400


@dataclass(frozen=True)
class Item:
    """What some recipients may have for some purposes. Providers are named; public bodies may be named by their kind."""

    recipients: Sequence[str]
    purposes: Sequence[Purpose]
    classes: Sequence[str]
    # Classes that the person ticked one by one.
    ticked: Sequence[str] = ()

    def claim(self) -> Object:
        """As it stands in `items`."""
        return {
            "rcp": list(self.recipients),
            "pur": [str(purpose) for purpose in self.purposes],
            "cls": list(self.classes),
            "tick": list(self.ticked),
        }


@dataclass(frozen=True)
class Taken:
    """What is taken out of a consent: some recipients, with all purposes and classes or some."""

    recipients: Sequence[str]
    purposes: Sequence[Purpose] = ()
    classes: Sequence[str] = ()

    def claim(self) -> Object:
        """As it stands in `narrow`."""
        # An absent list stands for everything; an empty one would take nothing away.
        some = {"pur": [str(purpose) for purpose in self.purposes], "cls": list(self.classes)}
        return {"rcp": list(self.recipients)} | {name: listed for name, listed in some.items() if listed}


@dataclass(frozen=True)
class ConsentDraft:
    """A consent on paper, before it is signed as a record."""

    items: Sequence[Item]
    # Digest of the scan of the form, and the form's version.
    scan_sha256: str
    form_version: str = "1"
    explained_by: str = "unnamed"
    explained_how: str = "spoken"
    how: str = "paper_signed"
    days: int = 180
    refused: Sequence[Taken] = ()
    # The earlier consent that this one takes the place of, with its pseudonym.
    supersedes: ConsentReference | None = None
    place: str | None = field(default=None, repr=False)
    witness: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Consent:
    """A registered consent."""

    reference: ConsentReference
    accepted: Accepted
    token: str = field(repr=False)


@dataclass(frozen=True)
class ConsentStanding:
    """A consent as the gateway says it stands. Token and claims were verified against its collector's key; the standing is its word."""

    state: str
    collector: str
    reference: ConsentReference
    superseded_by: str | None
    narrowed: tuple[Object, ...]
    token: str = field(repr=False)
    claims: Object = field(repr=False)


@dataclass(frozen=True)
class ConsentPart:
    """What concerns this party alone of a consent that names others too. The gateway's word: nothing of it is signed."""

    consent: str
    # How it stands for this party, and until when.
    state: str
    since: str
    until: str
    # What it covers for this party, without what was refused and taken out.
    items: tuple[Object, ...]
    superseded_by: str | None
    # For whom this party asks, as a delegate.
    acting_for: str | None
    # How a message names it, where this party is told so.
    reference: ConsentReference | None


class Consents:
    """Consents this party collected or may end."""

    def __init__(self, delivery: Delivery, directory: Directory) -> None:
        self._delivery, self._directory = delivery, directory

    def register(self, draft: ConsentDraft, purpose: Purpose) -> Consent:
        """Signs and registers a consent. The person's pseudonym is random and new, or that of the consent it supersedes."""
        sub = draft.supersedes.sub if draft.supersedes else secrets.token_urlsafe(24)
        second = now()
        claims: Object = {
            "nbf": second - 60,
            "exp": second + draft.days * _DAY,
            "sub": sub,
            "items": [item.claim() for item in draft.items],
            "refused": [taken.claim() for taken in draft.refused],
            "how": draft.how,
            "form": {"ver": draft.form_version, "sha256": draft.scan_sha256},
            "expl": {"by": draft.explained_by, "how": draft.explained_how, "understood": True},
        }
        claims |= {"sup": draft.supersedes.jti} if draft.supersedes else {}
        claims |= {name: value for name, value in (("place", draft.place), ("witness", draft.witness)) if value is not None}
        jti, token = self._delivery.sign_object(CONSENT_TYP, **claims)
        accepted = self._delivery.send_object("/v1/consents", purpose, jti, token)
        return Consent(ConsentReference(jti, digest(token), sub), accepted, token)

    def end(self, jti: str, why: str, purpose: Purpose, narrow: Sequence[Taken] = (), by: str = "self") -> Accepted:
        """Ends a consent, or takes something out of it. Effective from its ledger entry."""
        claims: Object = {"con": jti, "by": by, "why": why}
        if narrow:
            claims["narrow"] = [taken.claim() for taken in narrow]
        end, token = self._delivery.sign_object(END_TYP, **claims)
        return self._delivery.send_object(f"/v1/consents/{jti}/end", purpose, end, token)

    def show(self, jti: str, purpose: Purpose) -> ConsentStanding:
        """How a consent stands, and what the person agreed to: for its collector, and who may see the whole of it."""
        standing = self.look_up(jti, purpose)
        if isinstance(standing, ConsentPart):
            raise SetupError("this party is shown its own part of the consent only: look_up gives it")
        return standing

    def look_up(self, jti: str, purpose: Purpose) -> ConsentStanding | ConsentPart:
        """A consent as this party is shown it: the whole of it, or its own part."""
        shown = self._delivery.transport.read(f"/v1/consents/{jti}", purpose).document("consent")
        later = shown.get("superseded_by")
        superseded_by = str(later) if later is not None else None
        if text(shown, "consent", "consent") != jti:
            raise Doubt("consent: another one")
        state = text(shown, "state", "consent")
        if "signed" not in shown:
            since, until = text(shown, "from", "consent"), text(shown, "until", "consent")
            items = tuple(member(shown, "items", list, "consent"))
            named = "sub" in shown and "sha256" in shown
            reference = ConsentReference(jti, text(shown, "sha256", "consent"), text(shown, "sub", "consent")) if named else None
            return ConsentPart(jti, state, since, until, items, superseded_by, shown.get("for"), reference)
        token = text(shown, "signed", "consent")
        header, claims, _ = parts(token, "consent")
        if header.get("typ") != CONSENT_TYP or claims.get("jti") != jti or shown.get("claims") != claims:
            raise Doubt("consent: another one")
        collector = text(claims, "iss", "consent")
        key = self._directory.party(collector).signing_key(text(header, "kid", "consent"), int(member(claims, "iat", int, "consent")))
        verify_by(token, key, "consent")
        return ConsentStanding(
            state,
            collector,
            ConsentReference(jti, digest(token), text(claims, "sub", "consent")),
            superseded_by,
            tuple(member(shown, "narrowed", list, "consent")),
            token,
            claims,
        )
