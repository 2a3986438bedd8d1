"""Transparency-log formats as a stranger reads them: RFC 6962 hashing and proofs, C2SP signed notes, checkpoints, proofs and tile paths.

Written from the published specifications on `hashlib` and `cryptography`. Refuses what it does not understand; never repairs.
"""

import base64
import binascii
import hashlib
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TILE = 256


class Refused(Exception):
    """What was given does not prove what it should. `reason` says which check refused it, where several are made."""

    reason = ""


@contextmanager
def because(reason: str):
    """Whatever is refused in here, or cannot even be read, is refused for this reason."""
    try:
        yield
    except Refused as refused:
        refused.reason = refused.reason or reason
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        refused = Refused(f"{type(error).__name__}: {error}")
        refused.reason = reason
        raise refused from error


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(leaves: list[bytes]) -> bytes:
    """Merkle tree hash of leaf hashes (RFC 6962 section 2.1)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(tree_hash(leaves[:k]), tree_hash(leaves[k:]))


def inclusion_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, as the definition stands there."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if index < k:
        return inclusion_path(index, leaves[:k]) + [tree_hash(leaves[k:])]
    return inclusion_path(index - k, leaves[k:]) + [tree_hash(leaves[:k])]


def consistency_path(first: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2."""
    if first == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if first <= k:
        return consistency_path(first, leaves[:k], whole) + [tree_hash(leaves[k:])]
    return consistency_path(first - k, leaves[k:], False) + [tree_hash(leaves[:k])]


def _sized(*hashes: bytes) -> None:
    if any(len(h) != 32 for h in hashes):
        raise Refused("not a SHA-256 hash")


def verify_inclusion(index: int, size: int, leaf: bytes, path: list[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2."""
    _sized(leaf, root, *path)
    if not 0 <= index < size:
        raise Refused("index outside the tree")
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            raise Refused("inclusion path too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or r != root:
        raise Refused("inclusion proof does not lead to the root")


def verify_consistency(first: int, second: int, root1: bytes, root2: bytes, path: list[bytes]) -> None:
    """RFC 9162 section 2.1.4.2."""
    _sized(root1, root2, *path)
    if not 0 < first <= second:
        raise Refused("sizes out of order")
    if first == second:
        if path or root1 != root2:
            raise Refused("same size, other root")
        return
    if not path:
        raise Refused("empty consistency proof")
    path = ([root1] if first & (first - 1) == 0 else []) + path
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise Refused("consistency path too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or fr != root1 or sr != root2:
        raise Refused("trees are not consistent")


def std_b64(text: str) -> bytes:
    """Standard base64 with padding, canonical."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise Refused("base64 is not canonical")
    return raw


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or (len(text) > 1 and text[0] == "0"):
        raise Refused("not a canonical decimal")
    return int(text)


def _hash(text: str) -> bytes:
    raw = std_b64(text)
    if len(raw) != 32:
        raise Refused("not a SHA-256 hash")
    return raw


@dataclass(frozen=True)
class Verifier:
    """An Ed25519 note key from its `name+hash+key` form (C2SP signed-note)."""

    name: str
    key_id: bytes
    raw: bytes

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        parts = vkey.strip().split("+", 2)
        if len(parts) != 3:
            raise Refused("not a verifier key")
        name, key_id, data = parts[0], parts[1], std_b64(parts[2])
        if not name or any(c.isspace() for c in name) or len(data) != 33 or data[0] != 1:
            raise Refused("not an Ed25519 verifier key")
        wanted = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
        if wanted.hex() != key_id:
            raise Refused("key id does not fit the key")
        return cls(name, wanted, data[1:])

    def verify(self, message: bytes, signature: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature as error:
            raise Refused("signature of the checkpoint is wrong") from error


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes


def open_note(note: str, verifier: Verifier) -> str:
    """The text of a signed note, after the known key's signature has been verified."""
    if any(ord(c) < 0x20 and c != "\n" for c in note):
        raise Refused("control character in a note")
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise Refused("not a signed note")
    text += "\n"
    known = False
    for line in signatures[:-1].split("\n"):
        dash, _, rest = line.partition(" ")
        name, _, blob = rest.partition(" ")
        if dash != "\u2014" or not name or not blob:
            raise Refused("malformed signature line")
        raw = std_b64(blob)
        if len(raw) < 5:
            raise Refused("signature too short")
        if name == verifier.name and raw[:4] == verifier.key_id:
            if known:
                raise Refused("two signatures by the known key")
            verifier.verify(text.encode(), raw[4:])
            known = True
    if not known:
        raise Refused("no signature by the known key")
    return text


def open_checkpoint(note: str, verifier: Verifier, origin: str) -> Checkpoint:
    lines = open_note(note, verifier).split("\n")
    if len(lines) < 4 or lines[-1] != "" or not all(lines[:-1]):
        raise Refused("not a checkpoint")
    if lines[0] != origin:
        raise Refused("checkpoint of another origin")
    return Checkpoint(lines[0], _decimal(lines[1]), _hash(lines[2]))


def open_proof(proof: str, leaf: bytes, verifier: Verifier, origin: str) -> tuple[int, Checkpoint]:
    """Verifies a C2SP tlog-proof of a leaf hash; gives its index and the checkpoint it stands on."""
    head, blank, note = proof.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Refused("not a tlog-proof")
    if len(lines) > 1 and lines[1].startswith("extra "):
        std_b64(lines.pop(1)[6:])
    if len(lines) < 2 or not lines[1].startswith("index "):
        raise Refused("proof without index")
    index = _decimal(lines[1][6:])
    checkpoint = open_checkpoint(note, verifier, origin)
    verify_inclusion(index, checkpoint.size, leaf, [_hash(line) for line in lines[2:]], checkpoint.root)
    return index, checkpoint


def tile_number(n: int) -> str:
    """`1234067` -> `x001/x234/067` (C2SP tlog-tiles)."""
    text = f"{n % 1000:03}"
    while n >= 1000:
        n //= 1000
        text = f"x{n % 1000:03}/{text}"
    return text


def tile_paths(size: int) -> dict[str, tuple[str, int, int]]:
    """Every tile and entry bundle of a tree, as `path -> (level or "entries", n, width)`."""
    paths = {}
    level, count = 0, size
    while count > 0:
        for n in range((count + TILE - 1) // TILE):
            width = min(TILE, count - n * TILE)
            suffix = tile_number(n) + ("" if width == TILE else f".p/{width}")
            paths[f"tile/{level}/{suffix}"] = (str(level), n, width)
            if level == 0:
                paths[f"tile/entries/{suffix}"] = ("entries", n, width)
        level, count = level + 1, count // TILE
    return paths


def split_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle: big-endian uint16 length before each."""
    entries, at = [], 0
    while at < len(data):
        if at + 2 > len(data):
            raise Refused("bundle ends inside a length")
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            raise Refused("bundle ends inside an entry")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def join_bundle(entries: list[bytes]) -> bytes:
    return b"".join(len(e).to_bytes(2, "big") + e for e in entries)
