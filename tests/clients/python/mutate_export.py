#!/usr/bin/env python3
"""Spoils an exported ledger in more than 500 generated ways; every verifier must accept the original and refuse each of them, for a fitting reason.

    mutate_export.py FOLDER --vkey FILE [--kept FILE] [--key SEED] [--seed N] [--sample N] [--without REASON] [--min 500]
                     [--serve 'VERIFIER ... {vkey} {kept}'] [--command 'VERIFIER {folder} {vkey}' --refused 3 --class flip ...]

A `--serve` verifier is one process that reads folders from standard input, one a line, and answers each with one line, `accepted ...` or
`refused REASON: ...`; the reason must be one that fits the mutation. A `--command` is run once for each mutation and says by its exit code alone
(0 accepted, 1 or those of `--refused` refused; any other is a crash). Where a word of a verifier has `{kept}` and nothing is kept, it is left out
together with the word before it. `--key` is the ledger's own key (64 hexadecimal digits), for what a thief could sign.
"""

import argparse
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import mutations
import sample_export


class Refusing:
    """A verifier, with what it said: for each class of mutation its reasons."""

    def __init__(self, label: str, words: list[str]):
        self.label, self.words, self.said = label, words, Counter()

    def ask(self, folder: Path) -> None:
        raise NotImplementedError

    def answer(self) -> tuple[bool, str]:
        """Whether it accepted what it was asked about, and its reason."""
        raise NotImplementedError

    def close(self) -> None:
        pass


class Serving(Refusing):
    def __init__(self, label: str, words: list[str]):
        super().__init__(label, words)
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, folder: Path) -> None:
        print(folder, file=self.process.stdin, flush=True)

    def answer(self) -> tuple[bool, str]:
        line = self.process.stdout.readline()
        verdict, _, rest = line.strip().partition(" ")
        if verdict not in ("accepted", "refused"):
            raise SystemExit(f"{self.label}: neither accepts nor refuses: {line!r}")
        return verdict == "accepted", rest.partition(":")[0]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)


class Command(Refusing):
    def __init__(self, label: str, words: list[str], refused: set[int]):
        super().__init__(label, words)
        self.refused, self.folder = refused, Path()

    def ask(self, folder: Path) -> None:
        self.folder = folder

    def answer(self) -> tuple[bool, str]:
        words = [word.replace("{folder}", str(self.folder)) for word in self.words]
        done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=300)
        if done.returncode != 0 and done.returncode not in self.refused:
            raise SystemExit(f"{self.label}: ended with {done.returncode}: {done.stderr.decode(errors='replace')[-400:]}")
        return done.returncode == 0, ""


def words(command: str, vkey: Path, kept: Path | None) -> list[str]:
    found: list[str] = []
    for word in shlex.split(command):
        if "{kept}" in word and kept is None:
            found.pop()
        else:
            found.append(word.replace("{vkey}", str(vkey)).replace("{kept}", str(kept)))
    return found


def share(folder: Path, copy: Path) -> None:
    """A copy that shares its files with the original: a mutation writes what it changes anew."""
    for path in folder.rglob("*"):
        if path.is_dir():
            continue
        to = copy / path.relative_to(folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.hardlink_to(path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(folder: Path, verifiers: list[Refusing], chosen: list[mutations.Mutation]) -> list[str]:
    """What went wrong."""
    wrong = []
    with tempfile.TemporaryDirectory(prefix="spoilt-") as scratch:
        # A copy of the original on one file system with the spoilt ones.
        original = Path(scratch) / "original"
        shutil.copytree(folder, original)
        whole = contents(original)
        untouched = mutations.Mutation("control", "the original", frozenset(), lambda _: None, accepted=True)
        for n, mutation in enumerate([untouched, *chosen, untouched]):
            copy = Path(scratch) / str(n)
            share(original, copy)
            mutation.apply(copy)
            if mutation is not untouched and contents(copy) == whole:
                raise AssertionError(f"{mutation.name!r} changes nothing")
            for verifier in verifiers:
                verifier.ask(copy)
            for verifier in verifiers:
                accepted, reason = verifier.answer()
                verifier.said[mutation.kind, "accepted" if accepted else reason] += 1
                if accepted != mutation.accepted:
                    wrong.append(f"{verifier.label}: {'accepts' if accepted else f'refuses ({reason})'} {mutation.kind} {mutation.name!r}")
                elif not accepted and reason and reason not in mutation.reasons:
                    wrong.append(f"{verifier.label}: refuses {mutation.kind} {mutation.name!r} for {reason}, not {sorted(mutation.reasons)}")
            shutil.rmtree(copy)
        if contents(original) != whole:
            raise AssertionError("a mutation wrote into the original")
    return wrong


def report(verifiers: list[Refusing], chosen: list[mutations.Mutation]) -> None:
    kinds = Counter(mutation.kind for mutation in chosen)
    print(f"{sum(kinds.values())} mutations: " + ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
    for verifier in verifiers:
        print(f"  {verifier.label}")
        for kind in ("control", *sorted(kinds)):
            reasons = sorted((reason or "refused", count) for (of, reason), count in verifier.said.items() if of == kind)
            print(f"    {kind:8} " + ", ".join(f"{reason} {count}" for reason, count in reasons))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vkey", type=Path, required=True, help="the ledger's key, pinned")
    parser.add_argument("--kept", type=Path, help="an older checkpoint of the ledger, given to the verifiers")
    parser.add_argument("--key", help="the ledger's own key: a file of 64 hexadecimal digits")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, help="only as many, chosen by the seed")
    parser.add_argument("--class", dest="kinds", action="append", help="only these classes; default: all")
    parser.add_argument("--without", help="not what may be refused for this reason: `key`, where the export's own `vkey` proves nothing")
    parser.add_argument("--min", type=int, default=500)
    parser.add_argument("--serve", action="append", default=[], metavar="COMMAND")
    parser.add_argument("--command", action="append", default=[], metavar="COMMAND")
    parser.add_argument("--refused", type=int, action="append", help="exit code of a --command that means refused (default 1)")
    options = parser.parse_args()
    origin = (options.folder / "checkpoint").read_text().split("\n")[0]
    log = options.key and sample_export.Log(origin, bytes.fromhex(Path(options.key).read_text().strip()))
    kept = options.kept and options.kept.read_text()
    found = mutations.Generator(options.folder, options.seed, log, kept).all()
    chosen = [mutation for mutation in found if not options.kinds or mutation.kind in options.kinds]
    if options.without:
        chosen = [mutation for mutation in chosen if options.without not in mutation.reasons]
    controls, chosen = [m for m in found if m.accepted], [m for m in chosen if not m.accepted]
    if options.sample and options.sample < len(chosen):
        chosen = random.Random(options.seed).sample(chosen, options.sample)
    verifiers: list[Refusing] = [Serving(label(command), words(command, options.vkey, options.kept)) for command in options.serve]
    refused = set(options.refused or [1])
    verifiers += [Command(label(command), words(command, options.vkey, options.kept), refused) for command in options.command]
    wrong = run(options.folder, verifiers, [*controls, *chosen])
    for verifier in verifiers:
        verifier.close()
    tried = len(chosen)
    if not verifiers:
        wrong.append("no verifier was named")
    if tried < (options.sample or options.min):
        wrong.append(f"only {tried} mutations, {options.sample or options.min} wanted")
    report(verifiers, chosen)
    print("\n".join([*wrong, f"{tried} mutations x {len(verifiers)} verifiers, {len(wrong)} wrong"]))
    return 1 if wrong else 0


def label(command: str) -> str:
    """The program and what distinguishes it."""
    return " ".join(word.rpartition("/")[2] for word in shlex.split(command) if "{" not in word)


if __name__ == "__main__":
    sys.exit(main())
