"""Transparency log: signed notes, checkpoints, inclusion and consistency proofs (RFC 6962, RFC 9162, C2SP signed-note, tlog-checkpoint,
tlog-proof).

Promises: what is given as verified was signed with the pinned Ed25519 key of the ledger; forms are read strictly.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .errors import Doubt

_HASH = 32
# Of the algorithm identifier for Ed25519 in a verifier key.
_ED25519 = 1


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def std_b64(text: str) -> bytes:
    """Standard base64 with padding, canonical."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Doubt("ledger: base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Doubt("ledger: base64")
    return raw


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or (len(text) > 1 and text[0] == "0") or len(text) > 16:
        raise Doubt("ledger: number")
    return int(text)


def _sized(raw: bytes) -> bytes:
    if len(raw) != _HASH:
        raise Doubt("ledger: hash")
    return raw


@dataclass(frozen=True)
class VerifierKey:
    """The ledger's key, from its `name+hash+key` form."""

    name: str
    key_id: bytes
    raw: bytes

    @classmethod
    def parse(cls, vkey: str) -> "VerifierKey":
        """Reads the form of C2SP signed-note; only Ed25519."""
        name, _, rest = vkey.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        data = std_b64(encoded)
        if not name or any(c.isspace() for c in name) or len(data) != _HASH + 1 or data[0] != _ED25519:
            raise Doubt("ledger key")
        wanted = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        if wanted.hex() != key_id:
            raise Doubt("ledger key: id")
        return cls(name, wanted, data[1:])

    def verify(self, content: bytes, signature: bytes) -> None:
        """The signature of a note."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, content)
        except (InvalidSignature, ValueError):
            raise Doubt("checkpoint: signature") from None


@dataclass(frozen=True)
class Checkpoint:
    """A signed head, verified. `note` is what to keep: a later head must continue it."""

    origin: str
    size: int
    root: bytes
    note: str


def _note_text(note: str, key: VerifierKey) -> str:
    if any(ord(c) < 0x20 and c != "\n" for c in note):
        raise Doubt("checkpoint: form")
    content, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise Doubt("checkpoint: form")
    content += "\n"
    known = 0
    for line in signatures[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, blob = rest.partition(" ")
        if dash != "\u2014" or not name or not blob:
            raise Doubt("checkpoint: form")
        raw = std_b64(blob)
        if len(raw) < 5:
            raise Doubt("checkpoint: form")
        # Lines of witnesses stand beside the log's own and are none of our business.
        if name == key.name and raw[:4] == key.key_id:
            key.verify(content.encode(), raw[4:])
            known += 1
    if known != 1:
        raise Doubt("checkpoint: not signed by the pinned key")
    return content


def open_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """Verifies a signed head; its origin is the key's name."""
    lines = _note_text(note, key).split("\n")
    if len(lines) < 4 or lines[-1] != "" or not all(lines[:-1]):
        raise Doubt("checkpoint: form")
    if lines[0] != key.name:
        raise Doubt("checkpoint: another ledger")
    return Checkpoint(lines[0], _decimal(lines[1]), _sized(std_b64(lines[2])), note)


def open_proof(proof: str, leaf: bytes, key: VerifierKey) -> tuple[int, Checkpoint]:
    """Verifies a tlog-proof of the leaf bytes; gives the entry's index and the head that covers it."""
    head, blank, note = proof.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Doubt("proof: form")
    if len(lines) > 1 and lines[1].startswith("extra "):
        std_b64(lines.pop(1)[6:])
    if len(lines) < 2 or not lines[1].startswith("index "):
        raise Doubt("proof: form")
    index = _decimal(lines[1][6:])
    checkpoint = open_checkpoint(note, key)
    path = [_sized(std_b64(line)) for line in lines[2:]]
    verify_inclusion(index, checkpoint.size, leaf_hash(leaf), path, checkpoint.root)
    return index, checkpoint


def verify_inclusion(index: int, size: int, hashed: bytes, path: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        raise Doubt("proof: index outside the tree")
    fn, sn, reached = index, size - 1, hashed
    for sibling in path:
        if sn == 0:
            raise Doubt("proof: too long")
        if fn & 1 or fn == sn:
            reached = node_hash(sibling, reached)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            reached = node_hash(reached, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or reached != root:
        raise Doubt("proof: does not lead to the root")


def verify_consistency(older: Checkpoint, newer: Checkpoint, path: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: the newer head continues the older one."""
    if older.origin != newer.origin or not 0 < older.size <= newer.size:
        raise Doubt("consistency: sizes or ledgers")
    if older.size == newer.size:
        if path or older.root != newer.root:
            raise Doubt("consistency: same size, another root")
        return
    hashes = [older.root] if older.size & (older.size - 1) == 0 else []
    hashes += [_sized(one) for one in path]
    if not path:
        raise Doubt("consistency: empty")
    fn, sn = older.size - 1, newer.size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = hashes[0]
    for one in hashes[1:]:
        if sn == 0:
            raise Doubt("consistency: too long")
        if fn & 1 or fn == sn:
            first, second = node_hash(one, first), node_hash(one, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, one)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or first != older.root or second != newer.root:
        raise Doubt("consistency: the trees differ")
