#!/usr/bin/env python3
"""A foreign verifier of an exported ledger: recomputes everything, opens no connection, trusts only the ledger key it is given.

    verify_export.py FOLDER [--vkey FILE] [--kept FILE] [--engine pymerkle|sigstore|aics]
    verify_export.py --serve --vkey FILE [--kept FILE] [--engine ...]

FOLDER has the C2SP tlog-tiles layout (`checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`), `vkey`, and `openings.ndjson` with one line
`{"index": n, "opened": {...} | null}` per entry. The hashing and the signature check are done by the chosen engine, with other
people's code; shape and meaning are checked here. With `--kept`, an older checkpoint, the export must continue it. Exit code 0: verified,
1: refused, 2: usage. With `--serve` folders are read from standard input, one a line, and each is answered with one line: `accepted ...` or
`refused REASON: ...`.
"""

import argparse
import json
import re
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import rfc8785

import tlog
from tlog import Refused, because
from tsunagi_client import b64u, opening_commitment, unb64u

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
MAX_LEAF = 4096
MAX_INCLUSION_PROOFS = 64
MAX_HASHES = 1 << 22


class PymerkleEngine:
    """Hashes, root, inclusion and consistency proofs by `pymerkle`; Ed25519 by `cryptography`."""

    def __init__(self):
        import pymerkle
        from pymerkle.hasher import MerkleHasher

        self._pymerkle = pymerkle
        self._hasher = MerkleHasher("sha256")

    def leaf(self, entry: bytes) -> bytes:
        return self._hasher.hash_buff(entry)

    def node(self, left: bytes, right: bytes) -> bytes:
        return self._hasher.hash_pair(left, right)

    def check_signature(self, note: str, verifier: tlog.Verifier) -> None:
        tlog.open_note(note, verifier)

    def check_tree(self, tiles: dict[str, bytes], entries: list[bytes], checkpoint: tlog.Checkpoint, kept: tlog.Checkpoint | None) -> None:
        p = self._pymerkle
        tree = p.InmemoryTree("sha256")
        for entry in entries:
            tree.append_entry(entry)
        if tree.get_root() != checkpoint.root:
            raise Refused("entries do not hash to the signed root")
        step = max(1, -(-len(entries) // MAX_INCLUSION_PROOFS))
        try:
            for index in {*range(0, len(entries), step), len(entries) - 1}:
                p.verify_inclusion(self.leaf(entries[index]), checkpoint.root, tree.prove_inclusion(index + 1))
            for size in {1 << k for k in range(len(entries).bit_length())} | {len(entries)}:
                p.verify_consistency(tree.get_root(size), checkpoint.root, tree.prove_consistency(size))
        except p.InvalidProof as error:
            raise Refused(str(error)) from error
        if kept is not None:
            with because("history"):
                self._check_kept(tree, checkpoint, kept)

    def _check_kept(self, tree, checkpoint: tlog.Checkpoint, kept: tlog.Checkpoint) -> None:
        if kept.size > checkpoint.size:
            raise Refused("the export is older than the kept checkpoint")
        try:
            if kept.size > 0:
                self._pymerkle.verify_consistency(kept.root, checkpoint.root, tree.prove_consistency(kept.size))
        except self._pymerkle.InvalidProof as error:
            raise Refused("the export does not continue the kept checkpoint") from error


class SigstoreEngine:
    """Hashes and inclusion proofs by the code sigstore runs on Rekor entries, checkpoint and key ring too."""

    def __init__(self):
        from sigstore._internal import merkle
        from sigstore._internal.rekor import checkpoint
        from sigstore.errors import VerificationError

        self._merkle, self._checkpoint, self._error = merkle, checkpoint, VerificationError

    def leaf(self, entry: bytes) -> bytes:
        return self._merkle._hash_leaf(entry)

    def node(self, left: bytes, right: bytes) -> bytes:
        return self._merkle._hash_children(left, right)

    def check_signature(self, note: str, verifier: tlog.Verifier) -> None:
        import base64

        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from sigstore._internal.trust import Keyring, RekorKeyring
        from sigstore._utils import KeyID
        from sigstore_models.common.v1 import PublicKey, PublicKeyDetails

        der = Ed25519PublicKey.from_public_bytes(verifier.raw).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        key = PublicKey(raw_bytes=base64.b64encode(der), key_details=PublicKeyDetails.PKIX_ED25519)
        try:
            signed = self._checkpoint.SignedCheckpoint.from_text(note)
            signed.signed_note.verify(RekorKeyring(Keyring([key])), KeyID(verifier.key_id))
        except self._error as error:
            raise Refused(str(error)) from error

    def check_tree(self, tiles: dict[str, bytes], entries: list[bytes], checkpoint: tlog.Checkpoint, kept: tlog.Checkpoint | None) -> None:
        # sigstore only verifies proofs; the paths are built from the leaves by a verifier's own definition of RFC 6962.
        leaves = [self.leaf(entry) for entry in entries]
        if tlog.tree_hash(leaves) != checkpoint.root:
            raise Refused("entries do not hash to the signed root")
        # Each path costs as many hashes as there are leaves; every leaf is bound by the root above, the proofs are a second opinion.
        proofs = max(16, min(MAX_INCLUSION_PROOFS, MAX_HASHES // max(1, len(entries))))
        step = max(1, -(-len(entries) // proofs))
        for index in {*range(0, len(entries), step), len(entries) - 1}:
            self._check_inclusion(index, leaves, entries[index], checkpoint)
        if kept is not None:
            with because("history"):
                # The library has no consistency proofs. The kept tree is this one's beginning: its root is that of the first leaves, and its last
                # entry is proven in it.
                if kept.size > checkpoint.size or (kept.size and tlog.tree_hash(leaves[: kept.size]) != kept.root):
                    raise Refused("the export does not continue the kept checkpoint")
                if kept.size:
                    self._check_inclusion(kept.size - 1, leaves[: kept.size], entries[kept.size - 1], kept)

    def _check_inclusion(self, index: int, leaves: list[bytes], entry: bytes, checkpoint: tlog.Checkpoint) -> None:
        proof = SimpleNamespace(
            log_index=index, tree_size=checkpoint.size, hashes=tlog.inclusion_path(index, leaves), root_hash=checkpoint.root
        )
        try:
            self._merkle.verify_merkle_inclusion(
                SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=entry))
            )
        except self._error as error:
            raise Refused(str(error)) from error


class AicsEngine:
    """Everything by `aics-tlog`, another implementation of the C2SP formats: note, checkpoint, tiles, proofs. Needs Python 3.12."""

    def __init__(self):
        import aics_tlog

        self._aics = aics_tlog

    def leaf(self, entry: bytes) -> bytes:
        return self._aics.leaf_hash(entry)

    def node(self, left: bytes, right: bytes) -> bytes:
        return self._aics.node_hash(left, right)

    def check_signature(self, note: str, verifier: tlog.Verifier) -> None:
        key = self._aics.vkey_from_ed25519(verifier.name, verifier.raw)
        result = self._aics.verify_checkpoint(self._aics.parse_note(note), key, expected_origin=verifier.name)
        if not result.ok:
            raise Refused(str(result.error))

    def check_tree(self, tiles: dict[str, bytes], entries: list[bytes], checkpoint: tlog.Checkpoint, kept: tlog.Checkpoint | None) -> None:
        reader, size = self._aics.MemoryTileReader(tiles), checkpoint.size
        try:
            self._aics.audit_tiles(reader, size, checkpoint.root)
        except (self._aics.TileVerificationError, self._aics.TileMissingError) as error:
            raise Refused(str(error)) from error
        for index in {*range(0, size, max(1, -(-size // MAX_INCLUSION_PROOFS))), size - 1}:
            proof = self._aics.inclusion_proof_from_tiles(reader, index, size)
            if not self._aics.verify_leaf_inclusion(entries[index], index, size, proof, checkpoint.root):
                raise Refused(f"entry {index} is not in the tree")
        if kept is not None:
            with because("history"):
                if kept.size > size:
                    raise Refused("the export is older than the kept checkpoint")
                proof = self._aics.consistency_proof_from_tiles(reader, kept.size, size)
                if not self._aics.verify_consistency(kept.size, size, kept.root, checkpoint.root, proof):
                    raise Refused("the export does not continue the kept checkpoint")


ENGINES = {"pymerkle": PymerkleEngine, "sigstore": SigstoreEngine, "aics": AicsEngine}


def _read_tiles(folder: Path, size: int) -> dict[str, bytes]:
    wanted = tlog.tile_paths(size)
    present = {p.relative_to(folder).as_posix() for p in (folder / "tile").rglob("*") if not p.is_dir()}
    if present != set(wanted):
        raise Refused(f"tiles missing {sorted(set(wanted) - present)[:3]}, not expected {sorted(present - set(wanted))[:3]}")
    return {path: (folder / path).read_bytes() for path in wanted}


def _entries(tiles: dict[str, bytes], size: int) -> list[bytes]:
    entries = []
    for path, (level, n, width) in tlog.tile_paths(size).items():
        if level == "entries":
            with because("form"):
                bundle = tlog.split_bundle(tiles[path])
            if len(bundle) != width or n * tlog.TILE != len(entries):
                raise Refused(f"{path} holds {len(bundle)} entries, not {width}")
            entries += bundle
    return entries


def _check_hash_tiles(engine, tiles: dict[str, bytes], size: int, entries: list[bytes]) -> None:
    """Every hash of every tile is recomputed from the entries, level by level."""
    hashes, level = [engine.leaf(entry) for entry in entries], 0
    while hashes:
        for path, (at, n, width) in tlog.tile_paths(size).items():
            if at == str(level) and tiles[path] != b"".join(hashes[n * tlog.TILE : n * tlog.TILE + width]):
                raise Refused(f"{path} is not what the entries hash to")
        above = []
        for start in range(0, len(hashes) - tlog.TILE + 1, tlog.TILE):
            row = hashes[start : start + tlog.TILE]
            while len(row) > 1:
                row = [engine.node(row[i], row[i + 1]) for i in range(0, len(row), 2)]
            above += row
        hashes, level = above, level + 1


def _check_entries(entries: list[bytes]) -> list[dict]:
    """Canonical form, version, unique ids, and a time that only grows (ledger.md section 2)."""
    parsed, ids, last = [], set(), ""
    for index, leaf in enumerate(entries):
        try:
            entry = json.loads(leaf)
            canonical = rfc8785.dumps(entry) == leaf
        except (ValueError, rfc8785.CanonicalizationError) as error:
            raise Refused(f"entry {index} is not JSON") from error
        if len(leaf) >= MAX_LEAF or not canonical or not isinstance(entry, dict) or entry.get("v") != 1:
            raise Refused(f"entry {index} is not a canonical entry of version 1")
        moment = entry.get("time", "")
        if not TIME.fullmatch(moment) or moment <= last:
            raise Refused(f"time of entry {index} does not come after the one before")
        if uuid.UUID(entry["id"]).version != 7 or entry["id"] in ids:
            raise Refused(f"id of entry {index}")
        ids.add(entry["id"])
        last = moment
        parsed.append(entry)
    return parsed


def _members(pairs: list[tuple[str, object]]) -> dict:
    """A member that stands twice is read as either of the two, depending on the reader."""
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refused("a member stands twice")
    return dict(pairs)


def _check_openings(folder: Path, entries: list[dict]) -> int:
    """Each opening that still exists is the one its leaf commits to. Gives their number."""
    # Not `splitlines`: it also ends lines at characters that end none here.
    *lines, rest = (folder / "openings.ndjson").read_bytes().decode().split("\n")
    if len(lines) != len(entries) or rest:
        raise Refused("openings.ndjson needs one line per entry")
    opened = 0
    for index, (line, entry) in enumerate(zip(lines, entries, strict=True)):
        record = json.loads(line, object_pairs_hook=_members)
        if not isinstance(record, dict) or set(record) != {"index", "opened"} or record["index"] is True or record["index"] != index:
            raise Refused(f"line {index} of openings.ndjson")
        if record["opened"] is None:
            continue
        salt = record["opened"].get("salt", "")
        if b64u(unb64u(salt)) != salt or "open_c" not in entry or opening_commitment(record["opened"]) != entry["open_c"]:
            raise Refused(f"opening {index} is not what the entry commits to")
        opened += 1
    return opened


def verify(folder: Path, vkey: str, engine, kept: str | None = None) -> str:
    """Verifies an export or raises `Refused`. Gives a sentence about what was verified."""
    with because("key"):
        verifier = tlog.Verifier.parse(vkey)
        if (folder / "vkey").read_bytes() != f"{vkey.strip()}\n".encode():
            raise Refused("the export names another ledger key than the pinned one")
    with because("files"):
        if not (folder / "checkpoint").is_file():
            raise Refused("there is no checkpoint")
    with because("checkpoint"):
        note = (folder / "checkpoint").read_bytes().decode()
    with because("signature"):
        engine.check_signature(note, verifier)
    with because("checkpoint"):
        checkpoint = tlog.open_checkpoint(note, verifier, verifier.name)
    with because("files"):
        tiles = _read_tiles(folder, checkpoint.size)
        entries = _entries(tiles, checkpoint.size)
    with because("tile"):
        _check_hash_tiles(engine, tiles, checkpoint.size, entries)
    with because("root"):
        if not entries:
            raise Refused("even a new ledger has its first entry")
        engine.check_tree(tiles, entries, checkpoint, kept and tlog.open_checkpoint(kept, verifier, verifier.name))
    with because("entry"):
        parsed = _check_entries(entries)
    with because("opening"):
        opened = _check_openings(folder, parsed)
    return f"{checkpoint.origin}: {checkpoint.size} entries, {len(tiles)} tiles and bundles, {opened} openings verified"


def serve(check: Callable[[Path], str]) -> None:
    """Answers one line for each folder named on standard input."""
    for line in sys.stdin:
        try:
            answer = f"accepted {check(Path(line.rstrip(chr(10))))}"
        except Refused as refused:
            answer = f"refused {refused.reason}: {refused}"
        print(answer.replace("\n", " ").replace("\r", " ")[:300], flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--serve", action="store_true", help="read folders from standard input")
    parser.add_argument("--vkey", type=Path, help="pinned ledger key; by default the export's own, which proves consistency only")
    parser.add_argument("--kept", type=Path, help="a checkpoint kept from an earlier day")
    parser.add_argument("--engine", choices=ENGINES, default="pymerkle")
    options = parser.parse_args()
    if options.serve != (options.folder is None) or (options.serve and options.vkey is None):
        parser.error("either FOLDER, or --serve with --vkey")
    engine, kept = ENGINES[options.engine](), options.kept and options.kept.read_text()
    if options.serve:
        vkey = options.vkey.read_text()
        serve(lambda folder: verify(folder, vkey, engine, kept))
        return 0
    try:
        print(verify(options.folder, (options.vkey or options.folder / "vkey").read_text(), engine, kept))
    except (Refused, OSError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
