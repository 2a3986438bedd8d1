"""The outbox: what is signed waits on disk until its verified receipt lies beside it.

Promises: what `put` has returned for survives a crash, and is sent again byte for byte as it was signed, whatever became of the first sending:
the gateway then gives its first answer again. Files are written whole or not at all and are readable by their owner only. A folder of its
own, `outbox-python`, not shared with the command line.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from .encoding import parse_object
from .errors import Doubt, OutboxError, Refused, SetupError
from .identity import read_private
from .keys import is_id, now

FOLDER = "outbox-python"
_VERSION = 1


class Fate(StrEnum):
    """What became of a parcel."""

    # It may or may not have arrived.
    WAITING = "waiting"
    # The gateway judged it. It may be sent again: what was refused is judged anew.
    REFUSED = "refused"
    # Its receipt is stored.
    DELIVERED = "delivered"


@dataclass(frozen=True)
class Parcel:
    """Something signed, and where it goes. Its content is never printed."""

    jti: str
    party: str
    gateway: str
    target: str
    purpose: str
    # What identifies it: of a message the digest with its disclosures, else that of the signing input.
    sha256: str
    # When it was put here: nothing that distinguishes it.
    kept: int = field(compare=False)
    message: bool
    token: str = field(repr=False)
    # The exact bytes of a proposed agreement, in base64url.
    document: str | None = field(repr=False, default=None)
    v: int = _VERSION


class Outbox:
    """The outbox folder of a party."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise OutboxError(f"{folder}: {error.strerror}") from None

    def put(self, parcel: Parcel) -> None:
        """Keeps a parcel. When this returns, it survives a crash."""
        with self._alone():
            file = self._file(parcel.jti, "json")
            if file.exists():
                if self.get(parcel.jti) != parcel:
                    raise OutboxError(f"{parcel.jti} is in the outbox already, with another content")
                return
            self._write(file, json.dumps(asdict(parcel)).encode())

    def get(self, jti: str) -> Parcel:
        """A parcel by the id of what was signed."""
        file = self._file(jti, "json")
        if not file.exists():
            raise OutboxError(f"{jti} is not in the outbox")
        try:
            parcel = Parcel(**parse_object(read_private(file)))
        except (Doubt, TypeError):
            raise OutboxError(f"{file}: is not what the outbox wrote; move it away") from None
        except SetupError as error:
            raise OutboxError(str(error)) from None
        if parcel.v != _VERSION or parcel.jti != jti:
            raise OutboxError(f"{file}: is not what the outbox wrote; move it away")
        return parcel

    def fate(self, jti: str) -> Fate:
        """What became of it."""
        if self._file(jti, "answer").exists():
            return Fate.DELIVERED
        return Fate.REFUSED if self._file(jti, "refusal").exists() else Fate.WAITING

    def entries(self) -> list[tuple[Parcel, Fate]]:
        """Every parcel that can be read, the oldest first. `damaged` names the files that cannot."""
        parcels, _ = self._read()
        return [(parcel, self.fate(parcel.jti)) for parcel in sorted(parcels, key=lambda parcel: (parcel.kept, parcel.jti))]

    def damaged(self) -> list[OutboxError]:
        """What cannot be read, file by file: it hides none of the others."""
        return self._read()[1]

    def _read(self) -> tuple[list[Parcel], list[OutboxError]]:
        parcels: list[Parcel] = []
        damaged: list[OutboxError] = []
        for name in sorted(path.name.removesuffix(".json") for path in self.folder.glob("*.json")):
            if is_id(name):
                try:
                    parcels.append(self.get(name))
                except OutboxError as error:
                    damaged.append(error)
        return parcels, damaged

    def answer(self, jti: str) -> bytes | None:
        """The gateway's answer as it came, once it was verified. Verify it again."""
        file = self._file(jti, "answer")
        try:
            return read_private(file) if file.exists() else None
        except SetupError as error:
            raise OutboxError(str(error)) from None

    def delivered(self, jti: str, answer: bytes) -> None:
        """Stores a verified answer."""
        with self._alone():
            self._write(self._file(jti, "answer"), answer)

    def refused(self, jti: str, refused: Refused) -> None:
        """Notes a judgement."""
        note = {"time": now(), "status": refused.status, "code": refused.code, "detail": refused.detail}
        with self._alone():
            self._write(self._file(jti, "refusal"), json.dumps(note, ensure_ascii=False).encode())

    def _file(self, jti: str, ending: str) -> Path:
        if not is_id(jti):
            raise OutboxError("an id in the outbox is a UUIDv4")
        return self.folder / f"{jti}.{ending}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time: a half-written file of another would be renamed into place."""
        try:
            lock = os.open(self.folder / ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise OutboxError(f"{self.folder}: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, file: Path, content: bytes) -> None:
        """If we crash before the rename, the file is as it was; once this returns, it is as it should be."""
        beside = self.folder / ".new"
        try:
            beside.unlink(missing_ok=True)
            new = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(new, "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            beside.rename(file)
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise OutboxError(f"{file}: {error.strerror}") from None
