"""Messages and cases: drafted, sent, listed, read, acknowledged; receipts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .agreements import Agreements
from .codes import OPENING, Acknowledged, Purpose
from .delivery import Accepted, Delivery
from .directory import Directory, query
from .encoding import Object, member, text, unb64u
from .envelope import MESSAGE_CTY, RELEASE_CTY, seal, unseal
from .errors import Doubt, SetupError
from .keys import PublicKey, is_id
from .ledger import Entry, Receipt, check_release, entry_of_answer, read_entry
from .message import ConsentReference, Draft, Message, Reference, sign_message
from .release import Release, verify_release
from .transport import JOSE, Answer

ACKNOWLEDGEMENT_TYP = "tsunagi-ack+jwt"


@dataclass(frozen=True)
class CaseHead:
    """A case in the list: no content."""

    case: str
    state: str
    relation: str
    # Kind of its first message, as far as this party may know.
    kind: str
    received: str
    updated: str
    # For whom this party acts in it, as a delegate.
    acting_for: str | None
    # The day by which an answer is due from this party, where one is.
    reply_by: str | None
    # Whether that day is past.
    overdue: bool
    # Messages of this party that nobody collected in time, and that nobody can collect any more because the consent was taken back first.
    uncollected: tuple[str, ...]
    quarantined: tuple[str, ...]
    # Everything that the gateway said of it, with members of later versions.
    document: Object = field(repr=False)


@dataclass(frozen=True)
class CasePage:
    """A page of the list; pass `cursor` to go on."""

    cases: tuple[CaseHead, ...]
    cursor: str | None


@dataclass(frozen=True)
class MessageHead:
    """A message in the list: no content."""

    jti: str
    kind: str
    direction: str
    received: str
    # The consent on which it rests now, where this party may look it up and record its end.
    consent: str | None = None


@dataclass(frozen=True)
class Reading:
    """A release with the ledger entry that recorded it, both verified."""

    release: Release
    entry: Entry
    # For how many months it may be kept from the end of the case, and until which day where that is known. The gateway's word, not signed.
    retention_months: int | None = None
    erase_by: str | None = None

    @property
    def body(self) -> Object:
        """The rows that were shown."""
        return self.release.body


@dataclass(frozen=True)
class Explanation:
    """What would become of a message. Recorded, not accepted."""

    accepted: bool
    # Codes of everything that was found wrong.
    refusals: tuple[str, ...]
    entry: Entry
    document: Object = field(repr=False)


class Cases:
    """The cases this party stands in."""

    def __init__(self, delivery: Delivery, directory: Directory, agreements: Agreements) -> None:
        self._delivery, self._directory, self._agreements = delivery, directory, agreements
        self._transport, self._me = delivery.transport, delivery.identity

    # -- sending ------------------------------------------------------------------------------------------------------------------

    def draft(
        self,
        kind: str,
        to: str,
        purposes: Iterable[Purpose],
        body: Object,
        *,
        case: str | None = None,
        consent: ConsentReference | None = None,
        agreement: Reference | None = None,
        basis: str = "consent_27",
        source: tuple[str, str] | None = None,
        thread: str | None = None,
        grounds: tuple[str, str] | None = None,
    ) -> Draft:
        """A message of the newest published form, under an agreement in force that lets it go there."""
        if case is None and kind not in OPENING:
            raise SetupError(f"{kind} opens no case: say in which case it is sent")
        chosen = tuple(purposes)
        under = agreement or self._agreements.covering(kind, to, chosen).reference
        form = self._me.pinned.schema(kind)
        return Draft(kind, to, chosen, under, form, body, basis, consent, case, thread, source, grounds)

    def sign(self, draft: Draft) -> Message:
        """Signs a draft. Signed twice, it is two messages."""
        return sign_message(draft, self._me.party, self._me.signing, self._me.pinned.binding_keys[0])

    def send(self, draft: Draft, purpose: Purpose | None = None) -> Accepted:
        """Signs and sends: what opens a case to `/v1/referrals`, everything else into its case."""
        return self.post(self.sign(draft), draft.case, purpose or draft.purposes[0])

    def post(self, message: Message, case: str | None, purpose: Purpose) -> Accepted:
        """Sends a signed message. Sent again, it is the same message and gets its first answer."""
        target = "/v1/referrals" if case is None else f"/v1/cases/{checked_id(case)}/messages"
        return self._delivery.send_message(target, purpose, message)

    def explain(self, message: Message, purpose: Purpose) -> Explanation:
        """What would become of a message, and who would be shown what. Nothing is kept of it but an entry."""

        def body() -> bytes:
            return seal(message.token, self._me.pinned.encryption, MESSAGE_CTY).encode()

        document = self._transport.post("/v1/explain", purpose, JOSE, body, repeatable=False).document("explanation")
        refusals = tuple(text(one, "code", "explanation") for one in member(document, "refusals", list, "explanation"))
        entry = entry_of_answer(document, self._me.pinned)
        return Explanation(document.get("outcome") == "accepted", refusals, entry, document)

    # -- lists --------------------------------------------------------------------------------------------------------------------

    def page(
        self,
        purpose: Purpose,
        cursor: str | None = None,
        *,
        state: str | None = None,
        limit: int | None = None,
        wait: int | None = None,
    ) -> CasePage:
        """A page beyond the cursor. `wait` (seconds, 30 at most) waits for a change when there is nothing yet."""
        target = f"/v1/cases{query(state=state, cursor=cursor, limit=limit, wait=wait)}"
        document = self._transport.read(target, purpose).document("cases")
        heads = tuple(read_head(one) for one in member(document, "cases", list, "cases"))
        following = document.get("cursor")
        return CasePage(heads, str(following) if following is not None else None)

    def all(self, purpose: Purpose) -> list[CaseHead]:
        """Every case, each as its last change left it."""
        found: dict[str, CaseHead] = {}
        cursor: str | None = None
        while True:
            page = self.page(purpose, cursor)
            found |= {head.case: head for head in page.cases}
            if not page.cases or page.cursor in (None, cursor):
                return list(found.values())
            cursor = page.cursor

    def messages(self, case: str, purpose: Purpose) -> list[MessageHead]:
        """The messages of a case, in the order of the ledger."""
        found: list[MessageHead] = []
        cursor: str | None = None
        while True:
            target = f"/v1/cases/{checked_id(case)}/messages{query(cursor=cursor)}"
            document = self._transport.read(target, purpose).document("messages")
            listed = member(document, "messages", list, "messages")
            for one in listed:
                jti, kind, direction, received = (text(one, name, "messages") for name in ("message", "kind", "direction", "received"))
                found.append(MessageHead(jti, kind, direction, received, one.get("consent")))
            if not listed or document.get("cursor") in (None, cursor):
                return found
            cursor = str(document["cursor"])

    # -- reading ------------------------------------------------------------------------------------------------------------------

    def read_first(self, case: str, purpose: Purpose) -> Reading:
        """The first message of a case that is addressed to this party."""
        return self._read(f"/v1/cases/{checked_id(case)}", "case.read", purpose)

    def read(self, case: str, jti: str, purpose: Purpose) -> Reading:
        """One message of a case."""
        reading = self._read(f"/v1/cases/{checked_id(case)}/messages/{checked_id(jti)}", "message.read", purpose)
        if reading.release.jti != jti:
            raise Doubt("release: another message")
        return reading

    def _read(self, target: str, operation: str, purpose: Purpose) -> Reading:
        answer = self._transport.read(target, purpose)
        if answer.headers.get("Content-Type", "").split(";")[0] != JOSE or answer.nonce is None:
            raise Doubt("release: another media type")
        presentation = unseal(answer.body.decode("ascii", "replace"), self._me.encryption, RELEASE_CTY)
        pinned = self._me.pinned
        release = verify_release(
            presentation, self._me.party, answer.nonce, self._sender_key, pinned.binding_keys, pinned.vkey.name
        )  # fmt: skip
        entry = self._recorded(answer)
        check_release(entry, release, self._me.party, operation, str(purpose))
        months = answer.headers.get("Tsunagi-Retention-Months", "")
        return Reading(release, entry, int(months) if months.isascii() and months.isdigit() else None, answer.headers.get("Tsunagi-Erase-By"))

    def _sender_key(self, iss: str, kid: str, iat: int) -> PublicKey:
        return self._directory.party(iss).signing_key(kid, iat)

    def _recorded(self, answer: Answer) -> Entry:
        """The ledger proof of a release travels in headers, because its body is the envelope."""
        index, leaf, proof = (answer.headers.get(f"Tsunagi-Ledger-{part}", "") for part in ("Index", "Leaf", "Proof"))
        if not (index.isascii() and index.isdigit()):
            raise Doubt("release: no ledger entry")
        note = unb64u(proof, "release: proof").decode("utf-8", "replace")
        return read_entry(unb64u(leaf, "release: leaf"), note, self._me.pinned, int(index))

    def acknowledge(self, case: str, reading: Reading, status: Acknowledged, purpose: Purpose) -> Accepted:
        """Says that a release arrived, and what became of it."""
        release = reading.release
        jti, token = self._delivery.sign_object(
            ACKNOWLEDGEMENT_TYP,
            msg={"iss": release.iss, "jti": release.jti},
            rel=release.rel,
            sd_hash=release.sd_hash,
            st=str(status),
        )
        return self._delivery.send_object(f"/v1/cases/{checked_id(case)}/acknowledgements", purpose, jti, token)

    def receipts(self, case: str, purpose: Purpose) -> list[Receipt]:
        """Evidence about what this party sent in a case: submission, releases, acknowledgements."""
        document = self._transport.read(f"/v1/cases/{checked_id(case)}/receipts", purpose).document("receipts")
        tokens = member(document, "receipts", list, "receipts")
        return [Receipt.read(str(token), self._me.party, self._me.pinned) for token in tokens]


def checked_id(value: str) -> str:
    """An id that goes into a path."""
    if not is_id(value):
        raise SetupError("a case or message id is a UUIDv4")
    return value


def read_head(document: Object) -> CaseHead:
    """A case of the list."""
    def sent(name: str) -> tuple[str, ...]:
        return tuple(text(one, "message", "case") for one in document.get(name, []))

    return CaseHead(
        case=text(document, "case", "case"),
        state=text(document, "state", "case"),
        relation=text(document, "relation", "case"),
        kind=text(document, "kind", "case"),
        received=text(document, "received", "case"),
        updated=text(document, "updated", "case"),
        acting_for=document.get("for"),
        reply_by=document.get("reply_by"),
        overdue=document.get("overdue") is True,
        uncollected=sent("uncollected"),
        quarantined=sent("quarantined"),
        document=document,
    )
