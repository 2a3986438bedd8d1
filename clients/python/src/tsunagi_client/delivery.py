"""Delivering what was signed: into the outbox first, then to the gateway, then the verified receipt beside it."""

import json
from dataclasses import dataclass, field

from .codes import Purpose
from .encoding import Object, parse_object
from .envelope import MESSAGE_CTY, seal
from .errors import OutboxError, RateLimited, Refused, Unavailable, Violation, violations_of
from .identity import Identity
from .keys import now, sign, signed_digest
from .ledger import Entry, Receipt, check_accepted
from .message import Message
from .outbox import Fate, Outbox, Parcel
from .transport import JOSE, JSON, JWT, Transport, object_claims


@dataclass(frozen=True)
class Accepted:
    """What the gateway accepted: receipt and ledger entry were verified and are about what was sent."""

    jti: str
    entry: Entry
    receipt: Receipt
    # The case as this party knows it, for a message.
    case: str | None
    # What the gateway finds suspicious in an accepted message. Its word alone: neither receipt nor ledger holds it.
    warnings: tuple[Violation, ...]
    document: Object = field(repr=False)


@dataclass(frozen=True)
class Delivered:
    """What became of everything that waited."""

    accepted: tuple[Accepted, ...]
    # By the id of what was signed.
    refused: dict[str, Refused]
    # Files of the outbox that cannot be read, and were passed over.
    damaged: tuple[OutboxError, ...] = ()


class Delivery:
    """A party's way out."""

    def __init__(self, transport: Transport, outbox: Outbox) -> None:
        self.transport, self.outbox = transport, outbox

    @property
    def identity(self) -> Identity:
        """Who sends."""
        return self.transport.identity

    def sign_object(self, typ: str, **claims: object) -> tuple[str, str]:
        """Id and token of a signed object of this party."""
        made = object_claims(self.identity) | claims
        return str(made["jti"]), sign(self.identity.signing, typ, made)

    def send_object(self, target: str, purpose: Purpose, jti: str, token: str, document: str | None = None) -> Accepted:
        """Sends a signed object."""
        return self._send(target, purpose, jti, signed_digest(token), token, False, document)

    def send_message(self, target: str, purpose: Purpose, message: Message) -> Accepted:
        """Sends a signed message."""
        return self._send(target, purpose, message.jti, message.sha256, message.token, True, None)

    def _send(
        self, target: str, purpose: Purpose, jti: str, sha256: str, token: str, message: bool, document: str | None
    ) -> Accepted:  # fmt: skip
        me = self.identity
        self.outbox.put(Parcel(jti, me.party, me.gateway, target, str(purpose), sha256, now(), message, token, document))
        return self.deliver(jti)

    def deliver(self, jti: str) -> Accepted:
        """Sends a parcel of the outbox. A delivered one is not sent again: its stored answer is verified."""
        parcel = self.outbox.get(jti)
        if (parcel.party, parcel.gateway) != (self.identity.party, self.identity.gateway):
            raise OutboxError(f"{jti} is of another party or for another gateway than this identity")
        stored = self.outbox.answer(jti)
        if stored is not None:
            return self._accepted(parcel, stored)
        media = JOSE if parcel.message else JSON if parcel.document else JWT
        try:
            answer = self.transport.post(
                parcel.target, Purpose(parcel.purpose), media, lambda: self._body(parcel), repeatable=True
            )  # fmt: skip
        except Refused as refused:
            # What says "not now" or "not so" is no judgement of what was signed: the parcel goes on waiting.
            if refused.judges_the_object:
                self.outbox.refused(jti, refused)
            raise
        accepted = self._accepted(parcel, answer.body)
        self.outbox.delivered(jti, answer.body)
        return accepted

    def deliver_waiting(self) -> Delivered:
        """Sends everything that waits, the oldest first. What is refused does not hold back the others; "not now" and doubts are raised."""
        accepted: list[Accepted] = []
        refused: dict[str, Refused] = {}
        for parcel, fate in self.outbox.entries():
            if fate is Fate.WAITING:
                try:
                    accepted.append(self.deliver(parcel.jti))
                except (RateLimited, Unavailable):
                    raise
                except Refused as refusal:
                    refused[parcel.jti] = refusal
        return Delivered(tuple(accepted), refused, tuple(self.outbox.damaged()))

    def _body(self, parcel: Parcel) -> bytes:
        if parcel.message:
            # Sealed afresh: to the key that is pinned now. What is inside stays the same.
            return seal(parcel.token, self.identity.pinned.encryption, MESSAGE_CTY).encode()
        if parcel.document:
            return json.dumps({"document": parcel.document, "signature": parcel.token}).encode()
        return parcel.token.encode()

    def _accepted(self, parcel: Parcel, body: bytes) -> Accepted:
        document = parse_object(body, "answer")
        entry, receipt = check_accepted(document, parcel.party, parcel.jti, parcel.sha256, self.identity.pinned)
        case = document.get("case")
        warnings = violations_of({"violations": document.get("warnings", [])})
        return Accepted(parcel.jti, entry, receipt, str(case) if case else None, warnings, document)
