"""Base64url, digests, and the strict reader of JSON (protocol section 6).

Promises: two programs that read the same bytes see the same value: duplicate members, floats, integers beyond 2^53-1, lone surrogates and
control characters are refused, and so is base64url that is not canonical. Errors never quote the text.
"""

import base64
import binascii
import hashlib
import json
from typing import Any, NoReturn

import rfc8785

from .errors import Doubt

Json = Any
Object = dict[str, Any]

_LARGEST = 2**53 - 1
_DEEPEST = 24


def b64u(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def unb64u(text: str, what: str = "base64url") -> bytes:
    """The bytes of canonical base64url without padding."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise Doubt(what) from None
    if b64u(raw) != text:
        raise Doubt(what)
    return raw


def digest(data: bytes | str) -> str:
    """SHA-256 in base64url: how claims and JSON carry a digest."""
    return b64u(hashlib.sha256(data.encode() if isinstance(data, str) else data).digest())


def _unique(pairs: list[tuple[str, Json]]) -> Object:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Doubt("a member stands twice")
    return members


def _no_number(_text: str) -> NoReturn:
    raise Doubt("a number is not an integer in range")


def _integer(text: str) -> int:
    # A number of many digits is refused before it is made: making it takes time that grows with its square.
    if len(text) > 17 or abs(int(text)) > _LARGEST:
        _no_number(text)
    return int(text)


def _allowed(character: str) -> bool:
    point = ord(character)
    control = (point < 0x20 and character not in "\t\n\r") or 0x7F <= point < 0xA0
    return not (control or 0xD800 <= point < 0xE000 or point & 0xFFFE == 0xFFFE or 0xFDD0 <= point < 0xFDF0)


def _walk(value: Json, depth: int) -> None:
    if depth > _DEEPEST:
        raise Doubt("JSON too deep")
    if isinstance(value, str):
        if not all(map(_allowed, value)):
            raise Doubt("a string holds a forbidden code point")
    elif isinstance(value, dict):
        for name, member in value.items():
            _walk(name, depth + 1)
            _walk(member, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _walk(item, depth + 1)


def parse(data: bytes | str, what: str = "JSON") -> Json:
    """Exactly one JSON value, read strictly."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(text, object_pairs_hook=_unique, parse_float=_no_number, parse_int=_integer, parse_constant=_no_number)
    except (ValueError, RecursionError):
        # The library's error holds the whole text.
        raise Doubt(what) from None
    _walk(value, 0)
    return value


def parse_object(data: bytes | str, what: str = "JSON object") -> Object:
    """Exactly one JSON object."""
    value = parse(data, what)
    if not isinstance(value, dict):
        raise Doubt(what)
    return value


def canonical(value: Json) -> bytes:
    """RFC 8785."""
    return rfc8785.dumps(value)


def member(document: Object, name: str, kind: type, what: str) -> Any:
    """A member of a document that must be there and of a type; a boolean is no integer."""
    value = document.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Doubt(f"{what}: {name}")
    return value


def text(document: Object, name: str, what: str) -> str:
    """A member that must be a string."""
    return str(member(document, name, str, what))


def number(document: Object, name: str, what: str) -> int:
    """A member that must be an integer."""
    return int(member(document, name, int, what))


def objects(document: Object, name: str, what: str) -> list[Object]:
    """A member that must be a list of objects."""
    found = member(document, name, list, what)
    if not all(isinstance(one, dict) for one in found):
        raise Doubt(f"{what}: {name}")
    return list(found)
