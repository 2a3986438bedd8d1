#!/usr/bin/env python3
"""Spoils an exported ledger in many ways; a verifier must accept the original and refuse every one of them.

    mutate_export.py FOLDER [--engine pymerkle --engine sigstore] [--command 'VERIFIER {folder} {vkey}'] [--part tree] [--min 60]

Without `--engine` or `--command` both Python engines are tried. A command is accepted as refusing when it exits with 1 (or with the
codes given by `--refused`); any other code than 0 and those is a crash and counts as a failure.
"""

import argparse
import base64
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import sample_export
import tlog
import verify_export

Mutation = tuple[str, str, Callable[[Path], None]]
"""Part (`tree`, `openings` or `key`), name, and what it does to a copy of the export. `key` is the file `vkey`, which proves nothing: a verifier
with a pinned key may refuse another one there, or only remark on it."""


def _edit(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        before = (folder / name).read_bytes()
        after = change(before)
        if after == before:
            raise AssertionError(f"mutation of {name} changes nothing")
        (folder / name).write_bytes(after)

    return apply


def _flip(at: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        spoiled = bytearray(data)
        spoiled[at] ^= 1
        return bytes(spoiled)

    return change


def _line(number: int, change: Callable[[str], str]) -> Callable[[bytes], bytes]:
    def apply(data: bytes) -> bytes:
        lines = data.decode().split("\n")
        lines[number] = change(lines[number])
        return "\n".join(lines).encode()

    return apply


def _resign(note: bytes, keep_id: bool) -> bytes:
    """The same text, signed by somebody else under the same name."""
    text, _, line = note.decode().rpartition("\n\n")
    name, blob = line.split("\n")[0].split(" ")[1:3]
    stranger = Ed25519PrivateKey.generate()
    key_id = base64.b64decode(blob)[:4] if keep_id else b"\x00\x01\x02\x03"
    signature = base64.b64encode(key_id + stranger.sign((text + "\n").encode())).decode()
    return f"{text}\n\n\u2014 {name} {signature}\n".encode()


def _signature(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def apply(note: bytes) -> bytes:
        head, _, line = note.decode().rpartition("\n\n")
        dash, name, blob = line.split("\n")[0].split(" ")
        return f"{head}\n\n{dash} {name} {base64.b64encode(change(base64.b64decode(blob))).decode()}\n".encode()

    return apply


def _checkpoint() -> Iterator[Mutation]:
    def change(name: str, how: Callable[[bytes], bytes]) -> Mutation:
        return "tree", f"checkpoint: {name}", _edit("checkpoint", how)

    def root(at: int) -> Callable[[str], str]:
        return lambda line: base64.b64encode(_flip(at)(base64.b64decode(line))).decode()

    yield change("size + 1", _line(1, lambda n: str(int(n) + 1)))
    yield change("size - 1", _line(1, lambda n: str(int(n) - 1)))
    yield change("size 0", _line(1, lambda _: "0"))
    yield change("size with a leading zero", _line(1, lambda n: "0" + n))
    yield change("size with a sign", _line(1, lambda n: "+" + n))
    for at in (0, 15, 31):
        yield change(f"root, byte {at} flipped", _line(2, root(at)))
    yield change("root shortened", _line(2, lambda line: base64.b64encode(base64.b64decode(line)[:31]).decode()))
    yield change("root of the empty tree", _line(2, lambda _: base64.b64encode(tlog.tree_hash([])).decode()))
    yield change("other origin", _line(0, lambda origin: origin + "x"))
    yield change("extension line added", _line(2, lambda line: line + "\nextension"))
    for at, what in ((0, "key id"), (4, "first byte"), (35, "middle"), (67, "last byte")):
        yield change(f"signature, {what} flipped", _signature(_flip(at)))
    yield change("signature shortened", _signature(lambda s: s[:-1]))
    yield change("signature lengthened", _signature(lambda s: s + b"\0"))
    yield change("signature empty", _signature(lambda s: s[:4]))
    yield change("signed by a stranger under the same key id", lambda note: _resign(note, keep_id=True))
    yield change("signed by a stranger", lambda note: _resign(note, keep_id=False))
    yield change("signature line removed", lambda note: note[: note.rindex(b"\n\n") + 2])
    yield change("key name changed", lambda note: note.replace("\u2014 ".encode(), "\u2014 x".encode()))
    yield change("dash replaced", lambda note: note.replace("\u2014".encode(), b"-"))
    yield change("blank line lost", lambda note: note.replace(b"\n\n", b"\n"))
    yield change("CRLF", lambda note: note.replace(b"\n", b"\r\n"))
    yield change("cut in half", lambda note: note[: len(note) // 2])
    yield change("emptied", lambda _: b"")
    yield change("last newline lost", lambda note: note[:-1])
    yield "tree", "checkpoint: removed", lambda folder: (folder / "checkpoint").unlink()


def _bundle(path: str) -> Iterator[Mutation]:
    def change(name: str, how: Callable[[list[bytes]], list[bytes]]) -> Mutation:
        return "tree", f"{path}: {name}", _edit(path, lambda data: tlog.join_bundle(how(tlog.split_bundle(data))))

    def raw(name: str, how: Callable[[bytes], bytes]) -> Mutation:
        return "tree", f"{path}: {name}", _edit(path, how)

    def word(old: bytes, new: bytes) -> Callable[[list[bytes]], list[bytes]]:
        def apply(entries: list[bytes]) -> list[bytes]:
            at = next(i for i, e in enumerate(entries) if old in e)
            return entries[:at] + [entries[at].replace(old, new, 1)] + entries[at + 1 :]

        return apply

    yield change("first entry, last byte flipped", lambda e: [_flip(-1)(e[0]), *e[1:]])
    yield change("last entry, middle byte flipped", lambda e: [*e[:-1], _flip(len(e[-1]) // 2)(e[-1])])
    yield change("two neighbours swapped", lambda e: [e[1], e[0], *e[2:]])
    yield change("first and last swapped", lambda e: [e[-1], *e[1:-1], e[0]])
    yield change("last entry dropped", lambda e: e[:-1])
    yield change("first entry dropped", lambda e: e[1:])
    yield change("last entry twice", lambda e: [*e, e[-1]])
    yield change("last entry replaced by the one before", lambda e: [*e[:-1], e[-2]])
    yield change("an entry emptied", lambda e: [b"", *e[1:]])
    yield change("an entry with white space", lambda e: [e[0].replace(b":", b": ", 1), *e[1:]])
    yield change("an entry with its members in another order", lambda e: [_reordered(e[0]), *e[1:]])
    yield change("another version", word(b'"v":1', b'"v":2'))
    yield change("another moment", word(b'"time":"2', b'"time":"3'))
    yield raw("length prefix changed", _flip(1))
    yield raw("last byte cut off", lambda data: data[:-1])
    yield raw("a byte appended", lambda data: data + b"\0")
    yield raw("emptied", lambda _: b"")
    yield "tree", f"{path}: removed", lambda folder: (folder / path).unlink()


def _reordered(entry: bytes) -> bytes:
    members = json.loads(entry)
    return json.dumps(dict(reversed(members.items())), separators=(",", ":"), ensure_ascii=False).encode()


def _tile(path: str, width: int) -> Iterator[Mutation]:
    def change(name: str, how: Callable[[bytes], bytes]) -> Mutation:
        return "tree", f"{path}: {name}", _edit(path, how)

    yield change("first byte flipped", _flip(0))
    yield change("middle byte flipped", _flip(16 * width))
    yield change("last byte flipped", _flip(-1))
    yield change("last hash dropped", lambda data: data[:-32])
    yield change("last hash twice", lambda data: data + data[-32:])
    yield change("a byte appended", lambda data: data + b"\0")
    if width > 1:
        yield change("first two hashes swapped", lambda data: data[32:64] + data[:32] + data[64:])
    yield "tree", f"{path}: removed", lambda folder: (folder / path).unlink()


def _openings(folder: Path) -> Iterator[Mutation]:
    records = [json.loads(line) for line in (folder / "openings.ndjson").read_text().splitlines()]
    opened = [r["index"] for r in records if r["opened"] is not None]
    if len(opened) < 2:
        raise SystemExit("the export has fewer than two openings: nothing to spoil")
    first, last = opened[0], opened[-1]

    def change(name: str, how: Callable[[list[dict]], object]) -> Mutation:
        def apply(data: bytes) -> bytes:
            spoiled = [json.loads(line) for line in data.decode().splitlines()]
            how(spoiled)
            return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in spoiled).encode()

        return "openings", f"openings: {name}", _edit("openings.ndjson", apply)

    def swap(rs: list[dict]) -> None:
        rs[first]["opened"], rs[last]["opened"] = rs[last]["opened"], rs[first]["opened"]

    def salt(rs: list[dict]) -> None:
        text = rs[first]["opened"]["salt"]
        rs[first]["opened"]["salt"] = ("B" if text[0] == "A" else "A") + text[1:]

    yield change("staff changed", lambda rs: rs[first]["opened"].update(staff="somebody-else"))
    yield change("a field more was disclosed", lambda rs: rs[last]["opened"].update(disclosed=["offence_name"] * 3))
    yield change("salt changed", salt)
    yield change("salt missing", lambda rs: rs[first]["opened"].pop("salt"))
    yield change("a member added", lambda rs: rs[first]["opened"].update(note="added"))
    yield change("a member removed", lambda rs: rs[first]["opened"].pop(next(k for k in rs[first]["opened"] if k != "salt")))
    yield change("two openings swapped", swap)
    yield change("index moved", lambda rs: rs[first].update(index=first + 1))
    yield change("last line dropped", lambda rs: rs.pop())
    yield change("last line twice", lambda rs: rs.append(rs[-1]))
    yield change("first line dropped", lambda rs: rs.pop(0))
    unopened = [r["index"] for r in records if r["opened"] is None]
    if unopened:
        yield change("an opening where there is none", lambda rs: rs[unopened[0]].update(opened=rs[first]["opened"]))
    yield "openings", "openings: not JSON", _edit("openings.ndjson", lambda data: b"{" + data[2:])
    yield "openings", "openings: emptied", _edit("openings.ndjson", lambda _: b"")
    yield "openings", "openings: removed", lambda at: (at / "openings.ndjson").unlink()


def _whole(folder: Path, size: int) -> Iterator[Mutation]:
    """Changes that stay consistent with themselves and only the signature, or the pinned key, can tell."""
    paths = tlog.tile_paths(size)
    bundles = [p for p, (level, _, _) in paths.items() if level == "entries"]
    entries = [e for p in bundles for e in tlog.split_bundle((folder / p).read_bytes())]
    lines = (folder / "openings.ndjson").read_text().splitlines()
    openings = [json.loads(line)["opened"] for line in lines]
    made = list(zip(entries, openings, strict=True))
    origin = (folder / "checkpoint").read_text().split("\n")[0]

    def rewrite(keep: list, checkpoint: bool, key: bool) -> Callable[[Path], None]:
        def apply(at: Path) -> None:
            note, vkey = (at / "checkpoint").read_bytes(), (at / "vkey").read_bytes()
            shutil.rmtree(at)
            at.mkdir()
            sample_export.write(at, sample_export.Log(origin), keep)
            if not checkpoint:
                (at / "checkpoint").write_bytes(note)
            if not key:
                (at / "vkey").write_bytes(vkey)

        return apply

    swapped = [made[1], made[0], *made[2:]]
    for name, keep in (("last entry cut off", made[:-1]), ("first two entries swapped", swapped), ("an entry repeated", [*made, made[-1]])):
        yield "tree", f"whole log rebuilt, {name}, old checkpoint", rewrite(keep, checkpoint=False, key=False)
        yield "tree", f"whole log rebuilt, {name}, signed by a stranger", rewrite(keep, checkpoint=True, key=False)
        yield "tree", f"whole log rebuilt, {name}, stranger's key put in the export", rewrite(keep, checkpoint=True, key=True)
    yield "tree", "unchanged log signed by a stranger, stranger's key put in the export", rewrite(made, checkpoint=True, key=True)
    yield "tree", "a tile that should not be there", lambda at: _put(at / "tile/7/000", b"\0" * 32)
    yield "tree", "a bundle that should not be there", lambda at: _put(at / f"tile/entries/{tlog.tile_number(900)}", b"\0\0")
    yield "key", "vkey: another key", _edit("vkey", lambda _: (sample_export.Log(origin).vkey + "\n").encode())
    yield "key", "vkey: emptied", _edit("vkey", lambda _: b"")


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def mutations(folder: Path) -> list[Mutation]:
    size = int((folder / "checkpoint").read_text().split("\n")[1])
    found = list(_checkpoint())
    paths = tlog.tile_paths(size)
    bundles = sorted(p for p, (level, _, width) in paths.items() if level == "entries" and width > 2)
    for path in {bundles[0], bundles[-1]}:
        found += _bundle(path)
    levels = {level: (path, width) for path, (level, _, width) in sorted(paths.items()) if level != "entries"}
    for path, width in levels.values():
        found += _tile(path, width)
    return found + list(_openings(folder)) + list(_whole(folder, size))


def engine_verifier(engine) -> Callable[[Path, str], bool]:
    def accepts(folder: Path, vkey: str) -> bool:
        try:
            verify_export.verify(folder, vkey, engine)
        except tlog.Refused:
            return False
        return True

    return accepts


def command_verifier(command: str, refused: set[int]) -> Callable[[Path, str], bool]:
    def accepts(folder: Path, vkey: str) -> bool:
        with tempfile.NamedTemporaryFile("w", suffix=".vkey") as pinned:
            pinned.write(vkey)
            pinned.flush()
            words = [word.format(folder=folder, vkey=pinned.name) for word in shlex.split(command)]
            done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
        if done.returncode != 0 and done.returncode not in refused:
            raise AssertionError(f"verifier ended with {done.returncode}: {done.stderr.decode(errors='replace')[-400:]}")
        return done.returncode == 0

    return accepts


def run(folder: Path, verifiers: dict[str, Callable[[Path, str], bool]], parts: list[str] | None = None) -> tuple[int, list[str]]:
    """Number of mutations tried per verifier, and what went wrong."""
    vkey, wrong = (folder / "vkey").read_text(), []
    chosen = [m for m in mutations(folder) if not parts or m[0] in parts]
    for label, accepts in verifiers.items():
        if not accepts(folder, vkey):
            wrong.append(f"{label}: refuses the original")
    for _, name, apply in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / "export"
            shutil.copytree(folder, copy)
            apply(copy)
            wrong += [f"{label}: accepts {name!r}" for label, accepts in verifiers.items() if accepts(copy, vkey)]
    return len(chosen), wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", action="append", choices=verify_export.ENGINES, default=[])
    parser.add_argument("--command", action="append", default=[])
    parser.add_argument("--refused", type=int, action="append", help="exit code that means refused (default 1)")
    parser.add_argument("--part", action="append", choices=["tree", "openings", "key"], help="default: all")
    parser.add_argument("--min", type=int, default=60)
    options = parser.parse_args()
    engines = options.engine or ([] if options.command else list(verify_export.ENGINES))
    verifiers = {name: engine_verifier(verify_export.ENGINES[name]()) for name in engines}
    verifiers |= {command: command_verifier(command, set(options.refused or [1])) for command in options.command}
    tried, wrong = run(options.folder, verifiers, options.part)
    if tried < options.min:
        wrong.append(f"only {tried} mutations, {options.min} wanted")
    print("\n".join(wrong + [f"{tried} mutations x {len(verifiers)} verifiers, {len(wrong)} wrong"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
