"""Ledger entries and receipts as answers carry them (protocol section 4, docs/ledger.md section 2).

Promises: an entry that is given out stands in the pinned ledger, and is about the very object that was sent or the very release that was
read; a receipt is the pinned gateway's word about it.
"""

from dataclasses import dataclass, field

from .encoding import Object, canonical, digest, member, number, parse_object, text, unb64u
from .errors import Doubt
from .identity import Pinned
from .keys import verify
from .release import Release
from .tlog import Checkpoint, leaf_hash, open_proof

RECEIPT_TYP = "tsunagi-receipt+jwt"


@dataclass(frozen=True)
class Entry:
    """An entry with its proven place. `content` is the leaf: codes and commitments, no values."""

    index: int
    content: Object = field(repr=False)
    leaf: bytes = field(repr=False)
    checkpoint: Checkpoint = field(repr=False)

    @property
    def type(self) -> str:
        """What kind of entry it is."""
        return text(self.content, "type", "entry")

    @property
    def operation(self) -> str:
        """What was asked for."""
        return text(self.content, "operation", "entry")

    @property
    def actor(self) -> str | None:
        """Who acted; none for the gateway itself."""
        return (self.content.get("actor") or {}).get("party")

    @property
    def acted_for(self) -> str | None:
        """For whom, under a delegation."""
        return (self.content.get("actor") or {}).get("for")


@dataclass(frozen=True)
class Receipt:
    """The gateway's signed word about a message or object. Keep the token: it is evidence."""

    token: str = field(repr=False)
    jti: str
    about: tuple[str, str, str]
    status: str
    index: int
    leaf: str

    @classmethod
    def read(cls, token: str, party: str, pinned: Pinned) -> "Receipt":
        """Verifies a receipt for this party."""
        claims = verify(token, RECEIPT_TYP, pinned.receipt_keys, "receipt")
        if claims.get("iss") != pinned.gateway or claims.get("aud") != party:
            raise Doubt("receipt: of another gateway or for another party")
        about, log = member(claims, "msg", dict, "receipt"), member(claims, "log", dict, "receipt")
        if log.get("origin") != pinned.vkey.name:
            raise Doubt("receipt: of another ledger")
        named = (text(about, "iss", "receipt"), text(about, "jti", "receipt"), text(about, "sha256", "receipt"))
        return cls(
            token, text(claims, "jti", "receipt"), named, text(claims, "st", "receipt"), number(log, "idx", "receipt"),
            text(log, "leaf", "receipt"),
        )  # fmt: skip


def read_entry(leaf: bytes, proof: str, pinned: Pinned, index: int) -> Entry:
    """The entry of a leaf, after its inclusion was proven under the pinned key."""
    proven, checkpoint = open_proof(proof, leaf, pinned.vkey)
    if proven != index:
        raise Doubt("entry: another index than its proof")
    content = parse_object(leaf, "entry")
    if canonical(content) != leaf:
        raise Doubt("entry: not canonical")
    return Entry(index, content, leaf, checkpoint)


def entry_of_answer(document: Object, pinned: Pinned) -> Entry:
    """The member `ledger` of an answer."""
    part = member(document, "ledger", dict, "answer")
    if part.get("origin") != pinned.vkey.name:
        raise Doubt("answer: another ledger")
    return read_entry(unb64u(text(part, "leaf", "answer")), text(part, "proof", "answer"), pinned, number(part, "index", "answer"))


def check_accepted(document: Object, party: str, jti: str, sha256: str, pinned: Pinned) -> tuple[Entry, Receipt]:
    """Entry and receipt of an answer are about the object that was sent."""
    entry = entry_of_answer(document, pinned)
    for name, found, wanted in (
        ("decision", entry.content.get("decision"), "permit"),
        ("party", entry.actor, party),
        ("object", entry.content.get("request"), sha256),
    ):
        if found != wanted:
            raise Doubt(f"entry: another {name}")
    receipt = Receipt.read(text(document, "receipt", "answer"), party, pinned)
    if receipt.about != (party, jti, sha256) or receipt.status != "accepted":
        raise Doubt("receipt: about something else")
    if receipt.index != entry.index or unb64u(receipt.leaf) != leaf_hash(entry.leaf):
        raise Doubt("receipt: of another entry")
    return entry, receipt


def check_asked(entry: Entry, operation: str, party: str, purpose: str) -> None:
    """The entry records that this party was permitted to ask this, for this purpose."""
    content = entry.content
    for name, found, wanted in (
        ("operation", entry.operation, operation),
        ("decision", content.get("decision"), "permit"),
        ("party", entry.actor, party),
        ("purpose", content.get("purpose"), purpose),
    ):
        if found != wanted:
            raise Doubt(f"entry: another {name}")


def check_release(entry: Entry, release: Release, reader: str, operation: str, purpose: str) -> None:
    """The entry is about this release, and it is the one that was asked for."""
    content = entry.content
    acting = release.acting_for
    for name, found, wanted in (
        ("index", entry.index, release.index),
        ("operation", content.get("operation"), operation),
        ("decision", content.get("decision"), "permit"),
        ("party", entry.actor, reader),
        ("purpose", content.get("purpose"), purpose),
        ("digest", content.get("sd_hash"), release.sd_hash),
        ("release", content.get("rel"), release.rel),
        ("number of rows", content.get("shown"), len(release.body)),
        ("party acted for", entry.acted_for, acting),
    ):
        if found != wanted:
            raise Doubt(f"entry: another {name}")
    addressed = reader in (release.aud, release.iss) or (acting is not None and acting in (release.aud, release.iss))
    if not addressed:
        raise Doubt("release: addressed to somebody else")


def check_opening(entry: Object, opening: Object) -> None:
    """An opening is the one that its entry commits to (`open_c`)."""
    salt = unb64u(text(opening, "salt", "opening"))
    if len(salt) != 32:
        raise Doubt("opening: salt")
    rest = {name: value for name, value in opening.items() if name != "salt"}
    if entry.get("open_c") != digest(b"tsunagi/opening/v1" + salt + canonical(rest)):
        raise Doubt("opening: not what the entry commits to")
