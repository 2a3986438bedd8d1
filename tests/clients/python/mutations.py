"""Spoilt copies of an exported ledger, generated from its own files and a seed: the same export and seed give the same mutations.

A mutation has a class, a name, what it does to a copy, and the reasons for which a verifier may refuse it: one that refuses everything for the
same reason, or for one that has nothing to do with the change, has not checked what it says. Not spoilt: `README.txt` and white space between the
members of `openings.ndjson`, which prove nothing.

| class | what |
|---|---|
| flip | one bit, at the first, the last and sampled places of every file |
| cut, grow | a file shortened, emptied, doubled, lengthened |
| file | a file removed, renamed, exchanged with another of its kind, or one too many |
| note | the checkpoint's lines, sizes, signatures |
| entry, tile | entries and hashes swapped, dropped, doubled, replaced, written another way |
| opening | openings changed, swapped, moved, removed, invented |
| key | the key that the export names |
| forged | the whole ledger written again by somebody without its key |
| stolen | by somebody with it: sizes, forks, stale and rewritten histories, entries out of order (only where the key is at hand) |
"""

import base64
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import sample_export
import tlog

Change = Callable[[Path], None]

SPOILT_NOTE = {"checkpoint", "signature"}
SPOILT_ENTRIES = {"form", "root", "tile", "files"}
SPOILT_TILE = {"form", "tile"}
WHOLE = 540
"""How many mutations are wanted at least: flips are sampled until there are as many."""


@dataclass(frozen=True)
class Mutation:
    kind: str
    name: str
    reasons: frozenset[str]
    apply: Change
    accepted: bool = False
    """A change that proves nothing and must be accepted: not everything that differs is refused."""


def edit(path: str, change: Callable[[bytes], bytes]) -> Change:
    def apply(folder: Path) -> None:
        before = (folder / path).read_bytes()
        after = change(before)
        if after == before:
            raise AssertionError(f"a mutation of {path} changes nothing")
        put(folder / path, after)

    return apply


def put(path: Path, data: bytes) -> None:
    """Writes a file anew: the copy may share it with the original."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def flip(at: int, bit: int = 0) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        spoilt = bytearray(data)
        spoilt[at] ^= 1 << bit
        return bytes(spoilt)

    return change


class Generator:
    """The mutations of one export. `log` is its own key, where that is at hand; `kept` says whether verifiers know an older checkpoint."""

    def __init__(self, folder: Path, seed: int, log: sample_export.Log | None = None, kept: str | None = None):
        self.folder, self.seed, self.log, self.kept = folder, seed, log, kept
        self.note = (folder / "checkpoint").read_bytes()
        self.origin, size = self.note.decode().split("\n")[:2]
        self.size = int(size)
        self.paths = tlog.tile_paths(self.size)
        self.bundles = [path for path, (level, _, _) in self.paths.items() if level == "entries"]
        self.tiles = [path for path, (level, _, _) in self.paths.items() if level != "entries"]
        self.files = ["checkpoint", "openings.ndjson", "vkey", *self.sampled(self.bundles), *self.sampled(self.tiles)]

    def random(self, what: str) -> random.Random:
        return random.Random(f"{self.seed}/{what}")

    def sampled(self, paths: list[str]) -> list[str]:
        """Of many files of a kind the first, the last and some others; of every level of hash tiles some."""
        by_level: dict[str, list[str]] = {}
        for path in paths:
            by_level.setdefault(self.paths[path][0], []).append(path)
        chosen = []
        for level, of in sorted(by_level.items()):
            middle = self.random(level).sample(of[1:-1], min(4, len(of[1:-1])))
            chosen += [path for path in of if path in {of[0], of[-1], *middle}]
        return chosen

    def reasons(self, path: str) -> set[str]:
        if path == "checkpoint":
            return SPOILT_NOTE
        if path == "vkey":
            return {"key"}
        if path == "openings.ndjson":
            return {"opening"}
        return SPOILT_ENTRIES if path in self.bundles else SPOILT_TILE

    def all(self) -> list[Mutation]:
        found = [*self.controls(), *self.cut(), *self.of_files(), *self.of_note(), *self.of_entries(), *self.of_tiles()]
        found += [*self.of_openings(), *self.forged(), *self.stolen()]
        found += self.flips(max(24, -(-(WHOLE - len(found)) // len(self.files))))
        names = [mutation.name for mutation in found]
        if len(set(names)) != len(names):
            raise AssertionError(f"names twice: {sorted({n for n in names if names.count(n) > 1})[:5]}")
        return found

    def of(self, kind: str, path: str, name: str, change: Callable[[bytes], bytes], reasons: set[str] | None = None) -> Mutation:
        return Mutation(kind, f"{path}: {name}", frozenset(reasons or self.reasons(path)), edit(path, change))

    def controls(self) -> Iterator[Mutation]:
        """What must be accepted: signatures of others on the checkpoint, a file that belongs to nobody."""
        stranger = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))

        def cosigned(note: bytes) -> bytes:
            blob = base64.b64encode(b"\1\2\3\4" + (1_800_000_000).to_bytes(8, "big") + stranger.sign(note)).decode()
            return note + f"\u2014 witness.example/w1 {blob}\n".encode()

        yield Mutation("control", "checkpoint: a witness's line behind", frozenset(), edit("checkpoint", cosigned), accepted=True)
        yield Mutation("control", "README.txt of somebody else", frozenset(), lambda at: put(at / "README.txt", b"x"), accepted=True)

    def flips(self, each: int) -> Iterator[Mutation]:
        for path in self.files:
            length = (self.folder / path).stat().st_size
            chance = self.random(f"flip/{path}")
            bits = {(0, 0), (length - 1, 0), (length - 1, 2)}
            while len(bits) < min(each, 8 * length):
                bits.add((chance.randrange(length), chance.randrange(8)))
            for at, bit in sorted(bits):
                yield self.of("flip", path, f"bit {bit} of byte {at} flipped", flip(at, bit))

    def cut(self) -> Iterator[Mutation]:
        for path in self.files:
            length = (self.folder / path).stat().st_size
            yield self.of("cut", path, "last byte cut off", lambda data: data[:-1])
            yield self.of("cut", path, "first byte cut off", lambda data: data[1:])
            yield self.of("cut", path, "half cut off", lambda data: data[: len(data) // 2])
            yield self.of("cut", path, "emptied", lambda _: b"")
            at = self.random(f"cut/{path}").randrange(length)
            yield self.of("cut", path, f"byte {at} taken out", lambda data, at=at: data[:at] + data[at + 1 :])
            yield self.of("grow", path, "a byte put behind", lambda data: data + b"\0")
            yield self.of("grow", path, f"a byte put in at {at}", lambda data, at=at: data[:at] + b"\x7f" + data[at:])
            yield self.of("grow", path, "twice", lambda data: data + data)

    def of_files(self) -> Iterator[Mutation]:
        def move(one: str, to: str, copy: bool = False) -> Change:
            def apply(at: Path) -> None:
                put(at / to, (at / one).read_bytes())
                if not copy:
                    (at / one).unlink()

            return apply

        def swap(one: str, other: str) -> Change:
            def apply(at: Path) -> None:
                first, second = (at / one).read_bytes(), (at / other).read_bytes()
                if first == second:
                    raise AssertionError(f"{one} and {other} are the same")
                put(at / one, second)
                put(at / other, first)

            return apply

        for path in self.files:
            missing = {"files"} | ({"key"} if path == "vkey" else set()) | ({"opening"} if path == "openings.ndjson" else set())
            yield Mutation("file", f"{path}: removed", frozenset(missing), lambda at, path=path: (at / path).unlink())
        for path in self.files[3:]:
            level, n, width = self.paths[path]
            for to in (f"tile/{level}/{tlog.tile_number(n + 700)}", f"tile/{level}/{tlog.tile_number(n)}.p/{width % 255 + 1}"):
                yield Mutation("file", f"{path}: also at {to}", frozenset({"files"}), move(path, to, copy=True))
                yield Mutation("file", f"{path}: moved to {to}", frozenset({"files"}), move(path, to))
        for of in (self.bundles, self.tiles):
            pairs = [(one, other) for one in of for other in of if one < other and self.paths[one][0] == self.paths[other][0]]
            for one, other in self.random(f"swap/{of[0]}").sample(pairs, min(4, len(pairs))):
                reasons = SPOILT_ENTRIES if of is self.bundles else SPOILT_TILE
                yield Mutation("file", f"{one} and {other} exchanged", frozenset(reasons), swap(one, other))
        both = frozenset(SPOILT_ENTRIES | SPOILT_TILE)
        yield Mutation("file", "a bundle and its hash tile exchanged", both, swap(self.bundles[0], self.bundles[0].replace("entries", "0")))
        for path in ("tile/7/000", "tile/63/000.p/1", f"tile/entries/{tlog.tile_number(900)}", "tile/0/0000", "tile/0/x000/000", "tile/notes"):
            yield Mutation("file", f"{path}: put there", frozenset({"files"}), lambda at, path=path: put(at / path, b"\0" * 32))

    def of_note(self) -> Iterator[Mutation]:
        def line(name: str, number: int, change: Callable[[str], str]) -> Mutation:
            def apply(data: bytes) -> bytes:
                lines = data.decode().split("\n")
                lines[number] = change(lines[number])
                return "\n".join(lines).encode()

            return self.of("note", "checkpoint", name, apply)

        def signature(name: str, change: Callable[[bytes], bytes]) -> Mutation:
            def apply(note: bytes) -> bytes:
                head, _, rest = note.decode().rpartition("\n\n")
                dash, signer, blob = rest.split("\n")[0].split(" ")
                return f"{head}\n\n{dash} {signer} {base64.b64encode(change(base64.b64decode(blob))).decode()}\n".encode()

            return self.of("note", "checkpoint", name, apply)

        def root(at: int) -> Callable[[str], str]:
            return lambda text: base64.b64encode(flip(at)(base64.b64decode(text))).decode()

        for name, change in (
            ("size + 1", lambda n: str(int(n) + 1)), ("size - 1", lambda n: str(int(n) - 1)), ("size doubled", lambda n: str(2 * int(n))),
            ("size 0", lambda _: "0"), ("size with a leading zero", lambda n: "0" + n), ("size with a sign", lambda n: "+" + n),
            ("size negative", lambda n: "-" + n), ("size in hexadecimal", lambda n: hex(int(n))), ("size beyond 64 bits", lambda n: n + "0" * 20),
            ("size with a space", lambda n: n + " "), ("size in full-width digits", lambda n: n.translate({48 + d: 0xFF10 + d for d in range(10)})),
        ):
            yield line(name, 1, change)
        for at in (0, 7, 15, 23, 31):
            yield line(f"root, byte {at} flipped", 2, root(at))
        yield line("root shortened", 2, lambda text: base64.b64encode(base64.b64decode(text)[:31]).decode())
        yield line("root lengthened", 2, lambda text: base64.b64encode(base64.b64decode(text) + b"\0").decode())
        yield line("root of the empty tree", 2, lambda _: base64.b64encode(tlog.tree_hash([])).decode())
        yield line("root without padding", 2, lambda text: text.rstrip("="))
        yield line("origin longer", 0, lambda origin: origin + "x")
        yield line("origin shorter", 0, lambda origin: origin[:-1])
        yield line("origin of another ledger", 0, lambda _: "ledger.invalid/other")
        yield line("extension line", 2, lambda text: text + "\nextension")
        yield line("blank line before the size", 1, lambda n: "\n" + n)
        for at, what in ((0, "key id"), (4, "first byte"), (35, "middle"), (36, "behind the middle"), (67, "last byte")):
            yield signature(f"signature, {what} flipped", flip(at))
        yield signature("signature shortened", lambda blob: blob[:-1])
        yield signature("signature lengthened", lambda blob: blob + b"\0")
        yield signature("signature empty", lambda blob: blob[:4])
        yield signature("signature all zero", lambda blob: blob[:4] + bytes(64))
        for keep in (True, False):
            who = "by a stranger under the same key id" if keep else "by a stranger"
            yield self.of("note", "checkpoint", f"signed {who}", lambda note, keep=keep: resigned(note, keep, self.seed))
        yield self.of("note", "checkpoint", "signature line removed", lambda note: note[: note.rindex(b"\n\n") + 2])
        yield self.of("note", "checkpoint", "signature line twice", lambda note: note + note[note.rindex(b"\n\n") + 2 :])
        yield self.of("note", "checkpoint", "signer's name changed", lambda note: note.replace("\u2014 ".encode(), "\u2014 x".encode()))
        yield self.of("note", "checkpoint", "dash replaced", lambda note: note.replace("\u2014".encode(), b"-"))
        yield self.of("note", "checkpoint", "blank line lost", lambda note: note.replace(b"\n\n", b"\n"))
        yield self.of("note", "checkpoint", "CRLF", lambda note: note.replace(b"\n", b"\r\n"))
        yield self.of("note", "checkpoint", "byte order mark", lambda note: b"\xef\xbb\xbf" + note)

    def of_entries(self) -> Iterator[Mutation]:
        for path in {self.bundles[0]: 0, self.bundles[-1]: 0}:
            count = self.paths[path][2]
            if count < 4:
                continue

            def change(name: str, how: Callable[[list[bytes]], list[bytes]], path: str = path) -> Mutation:
                return self.of("entry", path, name, lambda data: tlog.join_bundle(how(tlog.split_bundle(data))))

            chance = self.random(f"entry/{path}")
            for at in sorted(chance.sample(range(count), min(count, 8))):
                yield change(f"entry {at}, a byte flipped", lambda e, at=at: [*e[:at], flip(len(e[at]) // 2)(e[at]), *e[at + 1 :]])
                yield change(f"entry {at} dropped", lambda e, at=at: e[:at] + e[at + 1 :])
                yield change(f"entry {at} twice", lambda e, at=at: e[: at + 1] + e[at:])
                yield change(f"entry {at} in the place of its neighbour", lambda e, at=at: replaced(e, (at + 1) % len(e), e[at]))
            for one, other in ((0, 1), (0, count - 1), (1, count // 2)):
                yield change(f"entries {one} and {other} swapped", lambda e, a=one, b=other: replaced(replaced(e, a, e[b]), b, e[a]))
            yield change("an entry emptied", lambda e: [b"", *e[1:]])
            yield change("an empty entry put in", lambda e: [b"", *e])
            yield change("an entry with white space", lambda e: [e[0].replace(b":", b": ", 1), *e[1:]])
            yield change("an entry in another order of members", lambda e: [reordered(e[0]), *e[1:]])
            yield change("another version", lambda e: [e[0].replace(b'"v":1', b'"v":2'), *e[1:]])
            yield change("another moment", lambda e: [e[0].replace(b'"time":"2', b'"time":"3'), *e[1:]])
            yield change("two entries grown together", lambda e: [e[0] + e[1], *e[2:]])
            yield self.of("entry", path, "length of the first entry changed", flip(1))

    def of_tiles(self) -> Iterator[Mutation]:
        for path in self.sampled(self.tiles):
            width, chance = self.paths[path][2], self.random(f"tile/{path}")
            for at in sorted(chance.sample(range(width), min(width, 4))):
                yield self.of("tile", path, f"hash {at} of somebody else", lambda data, at=at: data[: 32 * at] + bytes(32) + data[32 * at + 32 :])
            yield self.of("tile", path, "last hash dropped", lambda data: data[:-32])
            yield self.of("tile", path, "last hash twice", lambda data: data + data[-32:])
            if width > 1:
                yield self.of("tile", path, "first two hashes swapped", lambda data: data[32:64] + data[:32] + data[64:])
                yield self.of("tile", path, "first hash moved to the end", lambda data: data[32:] + data[:32])
        for one in self.tiles[:1]:
            for other in self.tiles[1:3]:
                def cross(at: Path, one: str = one, other: str = other) -> None:
                    first, second = (at / one).read_bytes(), (at / other).read_bytes()
                    put(at / one, second[:32] + first[32:])
                    put(at / other, first[:32] + second[32:])

                yield Mutation("tile", f"first hashes of {one} and {other} exchanged", frozenset(SPOILT_TILE), cross)

    def of_openings(self) -> Iterator[Mutation]:
        records = [json.loads(line) for line in (self.folder / "openings.ndjson").read_text().split("\n")[:-1]]
        opened = [record["index"] for record in records if record["opened"] is not None]
        if len(opened) < 3:
            raise SystemExit("the export has fewer than three openings: nothing to spoil")
        first, last = opened[0], opened[-1]

        def change(name: str, how: Callable[[list[dict]], object]) -> Mutation:
            def apply(data: bytes) -> bytes:
                spoilt = [json.loads(line) for line in data.decode().split("\n")[:-1]]
                how(spoilt)
                return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in spoilt).encode()

            return self.of("opening", "openings.ndjson", name, apply)

        def swap(rs: list[dict], one: int, other: int) -> None:
            rs[one]["opened"], rs[other]["opened"] = rs[other]["opened"], rs[one]["opened"]

        def salt(rs: list[dict], at: int) -> None:
            text = rs[at]["opened"]["salt"]
            rs[at]["opened"]["salt"] = ("B" if text[0] == "A" else "A") + text[1:]

        chance = self.random("opening")
        for at in sorted(chance.sample(opened, min(len(opened), 12))):
            yield change(f"opening {at}: another person on duty", lambda rs, at=at: rs[at]["opened"].update(staff="somebody-else"))
            yield change(f"opening {at}: another salt", lambda rs, at=at: salt(rs, at))
            yield change(f"opening {at}: a member added", lambda rs, at=at: rs[at]["opened"].update(note="added"))
            other = next(n for n in (*opened, first) if n != at)
            yield change(f"openings {at} and {other} swapped", lambda rs, at=at, other=other: swap(rs, at, other))
        yield change("a field more was disclosed", lambda rs: rs[last]["opened"].update(disclosed=["offence_name"] * 3))
        yield change("salt missing", lambda rs: rs[first]["opened"].pop("salt"))
        yield change("salt with a stray bit", lambda rs: rs[first]["opened"].update(salt=stray_bit(rs[first]["opened"]["salt"])))
        yield change("a member removed", lambda rs: rs[first]["opened"].pop(next(k for k in rs[first]["opened"] if k != "salt")))
        yield change("index moved", lambda rs: rs[first].update(index=first + 1))
        yield change("line with a member more", lambda rs: rs[first].update(note=1))
        yield change("line without opened", lambda rs: rs[first].pop("opened"))
        yield change("last line dropped", lambda rs: rs.pop())
        yield change("last line twice", lambda rs: rs.append(rs[-1]))
        yield change("first line dropped", lambda rs: rs.pop(0))
        yield change("lines in another order", lambda rs: rs.reverse())
        for at in [record["index"] for record in records if record["opened"] is None][:3]:
            yield change(f"an opening where there is none, {at}", lambda rs, at=at: rs[at].update(opened=rs[first]["opened"]))
        yield self.of("opening", "openings.ndjson", "not JSON", lambda data: b"{" + data[2:])

    def made(self) -> list[tuple[bytes, dict | None]]:
        entries = [entry for path in self.bundles for entry in tlog.split_bundle((self.folder / path).read_bytes())]
        lines = (self.folder / "openings.ndjson").read_text().split("\n")[:-1]
        return list(zip(entries, (json.loads(line)["opened"] for line in lines), strict=True))

    def forged(self) -> Iterator[Mutation]:
        """Consistent in itself: only the signature, or the pinned key, can tell."""
        made = self.made()

        def rewrite(keep: list, checkpoint: bool, key: bool) -> Change:
            def apply(at: Path) -> None:
                note, vkey = (at / "checkpoint").read_bytes(), (at / "vkey").read_bytes()
                shutil.rmtree(at)
                at.mkdir()
                sample_export.write(at, sample_export.Log(self.origin), keep)
                if not checkpoint:
                    put(at / "checkpoint", note)
                if not key:
                    put(at / "vkey", vkey)

            return apply

        for name, keep in rebuilt(made):
            old = frozenset(SPOILT_ENTRIES | SPOILT_TILE)
            yield Mutation("forged", f"ledger {name}, old checkpoint", old, rewrite(keep, False, False))
            yield Mutation("forged", f"ledger {name}, signed by a stranger", frozenset(SPOILT_NOTE), rewrite(keep, True, False))
            yield Mutation("forged", f"ledger {name}, with the stranger's key", frozenset({"key"}), rewrite(keep, True, True))
        yield Mutation("forged", "ledger unchanged, with a stranger's key", frozenset({"key"}), rewrite(made, True, True))
        yield Mutation("key", "vkey: another key", frozenset({"key"}), lambda at: put(at / "vkey", f"{sample_export.Log(self.origin).vkey}\n".encode()))

    def stolen(self) -> Iterator[Mutation]:
        """Signed by the ledger's own key: what is left to find it by is the tree, the entries themselves and the kept checkpoint."""
        if self.log is None:
            return
        log, made = self.log, self.made()
        hashes = [tlog.leaf_hash(entry) for entry, _ in made]

        def signed(size: int, root: bytes) -> Change:
            return lambda at: put(at / "checkpoint", log.checkpoint(size, root).encode())

        def again(keep: list) -> Change:
            def apply(at: Path) -> None:
                shutil.rmtree(at)
                at.mkdir()
                sample_export.write(at, log, keep)

            return apply

        tree = frozenset(SPOILT_ENTRIES | SPOILT_TILE)
        root = tlog.tree_hash(hashes)
        yield Mutation("stolen", "signed for one entry more", tree | {"history"}, signed(self.size + 1, root))
        yield Mutation("stolen", "signed for one entry less", tree | {"history"}, signed(self.size - 1, root))
        yield Mutation("stolen", "signed for another root", frozenset({"root", "history"}), signed(self.size, hashes[0]))
        yield Mutation("stolen", "signed for the empty ledger", tree | {"history", "checkpoint"}, signed(0, tlog.tree_hash([])))
        for size in sorted({1, self.size // 3, self.size - 1}):
            yield Mutation("stolen", f"stale checkpoint of {size}", tree | {"history"}, signed(size, tlog.tree_hash(hashes[:size])))
        entry = frozenset({"entry"} | ({"history"} if self.kept else set()))
        yield Mutation("stolen", "signed out of order", entry, again([*made[:-2], made[-1], made[-2]]))
        yield Mutation("stolen", "signed with an id twice", entry, again([*made, (later(made[-1][0]), made[-1][1])]))
        yield Mutation("stolen", "signed with white space", entry, again([*made[:-1], (made[-1][0].replace(b":", b": ", 1), made[-1][1])]))
        foreign = next(opening for _, opening in reversed(made[:-1]) if opening is not None)
        wrong = next(n for n in range(len(made) - 1, 0, -1) if made[n][1] not in (None, foreign))
        yield Mutation("stolen", "signed with another entry's opening", frozenset({"opening"}), again(replaced(made, wrong, (made[wrong][0], foreign))))
        if self.kept:
            for at in sorted(self.random("fork").sample(range(1, self.kept_size()), min(4, self.kept_size() - 1))):
                yield Mutation("stolen", f"fork at {at}", frozenset({"history"}), again(replaced(made, at, (twin(made[at][0]), made[at][1]))))
            for size in sorted({2, self.kept_size() - 1}):
                yield Mutation("stolen", f"ledger rolled back to {size}", frozenset({"history"}), again(made[:size]))

    def kept_size(self) -> int:
        return int((self.kept or "\n0").split("\n")[1])


def resigned(note: bytes, keep_id: bool, seed: int) -> bytes:
    """The same text, signed by somebody else under the same name."""
    text, _, line = note.decode().rpartition("\n\n")
    name, blob = line.split("\n")[0].split(" ")[1:3]
    stranger = Ed25519PrivateKey.from_private_bytes(random.Random(f"{seed}/stranger").randbytes(32))
    key_id = base64.b64decode(blob)[:4] if keep_id else b"\x00\x01\x02\x03"
    blob = base64.b64encode(key_id + stranger.sign((text + "\n").encode())).decode()
    return f"{text}\n\n\u2014 {name} {blob}\n".encode()


def replaced(items: list, at: int, by: object) -> list:
    return [*items[:at], by, *items[at + 1 :]]


def rebuilt(made: list) -> Iterator[tuple[str, list]]:
    yield "without its last entry", made[:-1]
    yield "without its first entry", made[1:]
    yield "with its first two entries swapped", [made[1], made[0], *made[2:]]
    yield "with an entry repeated", [*made, made[-1]]
    yield "with another first entry", [(twin(made[0][0]), made[0][1]), *made[1:]]


def reordered(entry: bytes) -> bytes:
    members = json.loads(entry)
    return json.dumps(dict(reversed(members.items())), separators=(",", ":"), ensure_ascii=False).encode()


def twin(entry: bytes) -> bytes:
    """The same entry by another gateway, canonical as before."""
    node = json.loads(entry)["gateway"]["node"]
    return entry.replace(f'"node":"{node}"'.encode(), f'"node":"{node}x"'.encode(), 1)


def later(entry: bytes) -> bytes:
    """The same entry, later."""
    moment = json.loads(entry)["time"]
    return entry.replace(moment.encode(), b"9" + moment[1:].encode(), 1)


def stray_bit(text: str) -> str:
    """The same bytes in base64url, written with a bit that belongs to no byte."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]
