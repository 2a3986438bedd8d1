#!/usr/bin/env python3
"""Writes an export as ledger.md describes it, with a key of its own: material for checking the verifiers without a gateway.

    sample_export.py FOLDER [--size N] [--kept SIZE]

Beside FOLDER stand `FOLDER.vkey`, `FOLDER.key` (the ledger's own key, for what a thief could sign) and `FOLDER.kept`, its checkpoint of SIZE entries.
"""

import argparse
import base64
import hashlib
import json
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import tlog
from tsunagi_client import b64u, opening_commitment


class Log:
    """A ledger key with its origin."""

    def __init__(self, origin: str = "ledger.example/tsunagi", seed: bytes | None = None):
        self.origin = origin
        self.seed = seed or secrets.token_bytes(32)
        self.key = Ed25519PrivateKey.from_private_bytes(self.seed)
        data = b"\x01" + self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = hashlib.sha256(origin.encode() + b"\n" + data).digest()[:4]
        self.vkey = f"{origin}+{self.key_id.hex()}+{base64.b64encode(data).decode()}"

    def checkpoint(self, size: int, root: bytes) -> str:
        text = f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        blob = base64.b64encode(self.key_id + self.key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self.origin} {blob}\n"

    def proof(self, index: int, leaves: list[bytes]) -> str:
        path = "".join(base64.b64encode(h).decode() + "\n" for h in tlog.inclusion_path(index, leaves))
        return f"c2sp.org/tlog-proof@v1\nindex {index}\n{path}\n{self.checkpoint(len(leaves), tlog.tree_hash(leaves))}"


def uuid7(moment: datetime) -> str:
    raw = bytearray(int(moment.timestamp() * 1000).to_bytes(6, "big") + secrets.token_bytes(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def entries_with_openings(size: int) -> list[tuple[bytes, dict | None]]:
    start, made = datetime(2026, 4, 1, tzinfo=UTC), []
    for index in range(size):
        moment = start + timedelta(seconds=index, microseconds=index)
        entry = {
            "v": 1, "id": uuid7(moment), "type": "release" if index else "ledger_opened", "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "decision": "permit",
            "actor": {"party": "municipality:131016-1", "cert": b64u(secrets.token_bytes(32))}, "operation": "case.read" if index else "gateway",
            "gateway": {"node": "sample", "version": "0"},
        }
        opening = None
        if index % 5:
            opening = {"case": str(uuid.uuid4()), "staff": "係員", "disclosed": ["family_name"], "withheld": [], "salt": b64u(secrets.token_bytes(32))}
            entry["open_c"] = opening_commitment(opening)
        made.append((rfc8785.dumps(entry), opening))
    return made


def write(folder: Path, log: Log, made: list[tuple[bytes, dict | None]]) -> None:
    entries = [entry for entry, _ in made]
    hashes = {0: [tlog.leaf_hash(entry) for entry in entries]}
    for path, (level, n, width) in tlog.tile_paths(len(entries)).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if level == "entries":
            data = tlog.join_bundle(entries[n * tlog.TILE : n * tlog.TILE + width])
        else:
            below = hashes.setdefault(int(level), [
                tlog.tree_hash(hashes[int(level) - 1][at : at + tlog.TILE])
                for at in range(0, len(hashes[int(level) - 1]) - tlog.TILE + 1, tlog.TILE)
            ] if level != "0" else [])
            data = b"".join(below[n * tlog.TILE : n * tlog.TILE + width])
        (folder / path).write_bytes(data)
    (folder / "checkpoint").write_text(log.checkpoint(len(entries), tlog.tree_hash(hashes[0])), encoding="utf-8")
    (folder / "vkey").write_text(log.vkey + "\n")
    with (folder / "openings.ndjson").open("w", encoding="utf-8") as out:
        for index, (_, opening) in enumerate(made):
            out.write(json.dumps({"index": index, "opened": opening}, ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=600)
    parser.add_argument("--kept", type=int, default=300)
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    log, made = Log(), entries_with_openings(options.size)
    write(options.folder, log, made)
    beside = {".vkey": f"{log.vkey}\n", ".key": f"{log.seed.hex()}\n"}
    beside[".kept"] = log.checkpoint(options.kept, tlog.tree_hash([tlog.leaf_hash(entry) for entry, _ in made[: options.kept]]))
    for end, text in beside.items():
        Path(f"{options.folder}{end}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
