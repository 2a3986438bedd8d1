"""What every registered party may read: the gateway's own document, the directory, schemas."""

import calendar
import time
import urllib.parse
from dataclasses import dataclass, field

from .encoding import Object, digest, member, parse_object, text
from .errors import Doubt
from .identity import Pinned
from .keys import PublicKey
from .message import Reference
from .transport import Transport

# `iat` may be truncated to the hour, so a key may look an hour too young.
_HOUR = 3600


@dataclass(frozen=True)
class DirectoryKey:
    """A public key in the directory."""

    use: str
    key: PublicKey
    state: str
    not_before: int
    not_after: int
    # Since when others may have it; with the state `compromised`.
    compromised_at: int | None = None

    def vouches_at(self, iat: int) -> bool:
        """Whether it stands for something signed then: a compromised key for what was signed before. A thief writes any time, so that this was
        entered before is the gateway's word, who releases nothing else."""
        untouched = self.state != "compromised" or (self.compromised_at is not None and iat < self.compromised_at)
        return untouched and self.not_before <= iat + _HOUR and iat < self.not_after


@dataclass(frozen=True)
class Party:
    """A party of the directory."""

    party: str
    name: dict[str, str]
    state: str
    purposes: tuple[str, ...]
    keys: tuple[DirectoryKey, ...] = field(repr=False)

    def signing_key(self, kid: str, iat: int) -> PublicKey:
        """The key that signed something at a time."""
        for one in self.keys:
            if one.use == "sig" and one.key.kid == kid and one.vouches_at(iat):
                return one.key
        raise Doubt("message: signed by a key that the directory does not give for its sender")


@dataclass(frozen=True)
class Form:
    """The published form of a kind of message."""

    kind: str
    reference: Reference
    required: tuple[str, ...]
    # Class of each row it may hold.
    classes: dict[str, str] = field(repr=False)
    # Rows as the schema and the catalogue describe them.
    rows: dict[str, Object] = field(repr=False)
    document: Object = field(repr=False)


def seconds(stamp: str) -> int:
    """RFC 3339 in UTC, whole seconds."""
    try:
        return calendar.timegm(time.strptime(stamp[:19] + "Z", "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        raise Doubt("time") from None


def read_party(document: Object) -> Party:
    """An entry of the directory."""
    keys = []
    for one in member(document, "keys", list, "party"):
        key = PublicKey(member(one, "jwk", dict, "party"))
        if key.kid != one.get("kid"):
            raise Doubt("party: a key under another name")
        since = seconds(text(one, "compromised_at", "party")) if "compromised_at" in one else None
        keys.append(
            DirectoryKey(
                text(one, "use", "party"), key, text(one, "state", "party"), seconds(text(one, "nbf", "party")), seconds(text(one, "naf", "party")), since
            )  # fmt: skip
        )
    return Party(
        text(document, "party", "party"),
        dict(member(document, "name", dict, "party")),
        text(document, "state", "party"),
        tuple(member(document, "purposes", list, "party")),
        tuple(keys),
    )


def query(**values: object) -> str:
    """A query string of the values that are there."""
    given = {name.rstrip("_"): str(value) for name, value in values.items() if value is not None}
    return f"?{urllib.parse.urlencode(given, safe=':')}" if given else ""


class Directory:
    """Names, keys and forms."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._forms: dict[str, Form] = {}
        self._shared: dict[str, Object] = {}

    def well_known(self) -> Pinned:
        """The gateway's document now. Refused when its keys or its name are not the pinned ones."""
        shown = Pinned.read(self._transport.open("/.well-known/tsunagi").body)
        self._transport.identity.pinned.agrees_with(shown)
        return shown

    def party(self, party: str) -> Party:
        """One party."""
        found = read_party(self._transport.open(f"/v1/parties/{urllib.parse.quote(party, safe=':-')}").document("party"))
        if found.party != party:
            raise Doubt("party: another one")
        return found

    def parties(self) -> list[Party]:
        """The whole directory."""
        found: list[Party] = []
        while True:
            after = found[-1].party if found else None
            page = self._transport.open(f"/v1/parties{query(cursor=after)}").document("parties")
            listed = [read_party(one) for one in member(page, "parties", list, "parties")]
            if not listed:
                return found
            found += listed

    def form(self, kind: str) -> Form:
        """The form of a kind, byte for byte the one that the pinned document names."""
        if kind not in self._forms:
            self._forms[kind] = self._read_form(kind)
        return self._forms[kind]

    def _fetch(self, kind: str, ver: str, sha256: str) -> Object:
        body = self._transport.open(f"/v1/schemas/{kind}/{ver}").body
        if digest(body) != sha256:
            raise Doubt("schema: another one than the pinned document or the schema that uses it names")
        # A schema holds numbers with a point and long lists: it is not one of the things that are signed.
        return parse_object(body, "schema")

    def _read_form(self, kind: str) -> Form:
        reference = self._transport.identity.pinned.schema(kind)
        document = self._fetch(kind, str(reference.ver), reference.sha256)
        rows: dict[str, Object] = {}
        for row, use in member(document, "properties", dict, "schema").items():
            urn, _, place = text(use, "$ref", "schema").partition("#/$defs/")
            if urn not in self._shared:
                name, _, ver = urn.removeprefix("urn:tsunagi:schema:").partition(":")
                self._shared[urn] = self._fetch(name, ver, text(member(document, "x-tsunagi-refs", dict, "schema"), urn, "schema"))
            rows[row] = member(member(self._shared[urn], "$defs", dict, "schema"), place, dict, "schema") | use
        classes = {row: text(content, "x-tsunagi-class", "schema") for row, content in rows.items()}
        return Form(kind, reference, tuple(document.get("required", [])), classes, rows, document)
