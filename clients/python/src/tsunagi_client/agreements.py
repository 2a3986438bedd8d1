"""Agreements between bodies: listed, shown, proposed, signed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .codes import AgreementAct, Purpose, kind_of
from .delivery import Accepted, Delivery
from .directory import query
from .encoding import Object, b64u, digest, member, number, parse_object, text, unb64u
from .errors import Doubt, SetupError
from .message import Reference

SIGNATURE_TYP = "tsunagi-agreement-sig+jwt"


@dataclass(frozen=True)
class AgreementHead:
    """A version in the list."""

    reference: Reference
    state: str
    parties: tuple[str, ...]
    valid_from: str
    until: str


@dataclass(frozen=True)
class Agreement:
    """A version with its exact document."""

    reference: Reference
    document: bytes = field(repr=False)
    content: Object = field(repr=False)
    # Signed statements of the parties, as tokens.
    signatures: tuple[str, ...] = field(repr=False)

    def covers(self, kind: str, sender: str, recipient: str, purposes: Iterable[str]) -> bool:
        """Whether its flows let this kind go from one to the other for these purposes."""
        open_ = {str(purpose) for purpose in purposes}
        for flow in member(self.content, "flows", list, "agreement"):
            fits = flow["from"] in (sender, kind_of(sender)) and flow["to"] in (recipient, kind_of(recipient))
            if fits and kind in flow["kinds"]:
                open_ -= set(flow["purposes"])
        return not open_


class Agreements:
    """Agreements this party stands in."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        # A document never changes: it is named by its digest.
        self._known: dict[Reference, Agreement] = {}

    def all(self) -> list[AgreementHead]:
        """All versions."""
        found: list[AgreementHead] = []
        cursor: str | None = None
        while True:
            page = self._delivery.transport.open(f"/v1/agreements{query(cursor=cursor)}").document("agreements")
            listed = member(page, "agreements", list, "agreements")
            for one in listed:
                reference = Reference(text(one, "id", "agreement"), number(one, "ver", "agreement"), text(one, "sha256", "agreement"))
                parties = tuple(member(one, "parties", list, "agreement"))
                found.append(
                    AgreementHead(reference, text(one, "state", "agreement"), parties, text(one, "from", "agreement"), text(one, "until", "agreement"))
                )  # fmt: skip
            if not listed or page.get("cursor") in (None, cursor):
                return found
            cursor = str(page["cursor"])

    def show(self, reference: Reference) -> Agreement:
        """A version; its bytes have the digest of the reference."""
        if reference in self._known:
            return self._known[reference]
        shown = self._delivery.transport.open(f"/v1/agreements/{reference.id}/{reference.ver}").document("agreement")
        document = unb64u(text(shown, "document", "agreement"), "agreement")
        if digest(document) != reference.sha256:
            raise Doubt("agreement: another document than its digest")
        signatures = tuple(member(shown, "signatures", list, "agreement"))
        agreement = Agreement(reference, document, parse_object(document, "agreement"), signatures)
        self._known[reference] = agreement
        return agreement

    def covering(self, kind: str, recipient: str, purposes: Iterable[str]) -> Agreement:
        """An agreement in force under which this party may send this kind to this recipient."""
        wanted = tuple(purposes)
        for head in self.all():
            if head.state == "in_force":
                agreement = self.show(head.reference)
                if agreement.covers(kind, self._delivery.identity.party, recipient, wanted):
                    return agreement
        raise SetupError(f"no agreement in force lets {kind} go to {recipient} for {', '.join(wanted)}")

    def propose(self, document: bytes) -> Accepted:
        """Proposes a version and accepts it."""
        content = parse_object(document, "agreement")
        reference = Reference(text(content, "id", "agreement"), number(content, "ver", "agreement"), digest(document))
        jti, token = self._delivery.sign_object(SIGNATURE_TYP, agr=reference.claim(), act=str(AgreementAct.ACCEPT))
        return self._delivery.send_object("/v1/agreements", Purpose.ADMINISTRATION, jti, token, b64u(document))

    def sign(self, reference: Reference, act: AgreementAct) -> Accepted:
        """Says something about a version, after its document was read and has the digest that is signed."""
        self.show(reference)
        jti, token = self._delivery.sign_object(SIGNATURE_TYP, agr=reference.claim(), act=str(act))
        target = f"/v1/agreements/{reference.id}/{reference.ver}/signatures"
        return self._delivery.send_object(target, Purpose.ADMINISTRATION, jti, token)
