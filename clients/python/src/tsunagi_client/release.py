"""A release as its reader checks it (RFC 9901 section 7.3; protocol section 2, "Release").

Promises: the sender's own signature stands over every shown row; a pinned key of the gateway bound exactly these rows to this reader and this
nonce. The library verifies signatures and digests; what it does not look at is checked here first. Not here: the envelope, and whether the
ledger has the entry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jwcrypto.common import JWException
from sd_jwt.verifier import SDJWTVerifier

from .encoding import Json, Object, digest, member, number, parse, text, unb64u
from .errors import Doubt
from .keys import PublicKey, is_id, parts
from .message import HIDDEN, MESSAGE_TYP, RESERVED, Reference, holds_reserved

_PLAIN = {"iss", "aud", "jti", "iat", "kind", "sch", "agr", "pur", "bas", "cnf", "body", "_sd_alg"}
_GROUNDS = {"origin", "idx", "agr", "pol", "terms"}
# 128 bits in base64url.
_SHORTEST_SALT = 22


@dataclass(frozen=True)
class Release:
    """A view of a message, after every check its reader can make."""

    iss: str
    aud: str
    jti: str
    iat: int
    kind: str
    purposes: tuple[str, ...]
    basis: str
    agreement: Reference
    schema: Reference
    # The rows that were shown.
    body: Object = field(repr=False)
    # `sub` and `con`, for readers of `consent_detail`.
    consent: Object = field(repr=False)
    # Id of the release, its digest, and the ledger entry it says it has.
    rel: str
    sd_hash: str
    index: int
    origin: str
    # The agreement's handling terms, and for whom the reader acts.
    terms: tuple[str, ...]
    acting_for: str | None
    # Digest of the policies that decided.
    policy: str
    presentation: str = field(repr=False)

    @property
    def issuer_jwt(self) -> str:
        """What the sender signed, without disclosures."""
        return self.presentation.partition("~")[0]


def _disclosed(disclosures: Sequence[str]) -> dict[str, str]:
    """The names of the disclosures by digest."""
    named: dict[str, str] = {}
    for one in disclosures:
        content: Json = parse(unb64u(one, "disclosure"), "disclosure")
        if not isinstance(content, list) or len(content) != 3 or not all(isinstance(part, str) for part in content[:2]):
            raise Doubt("disclosure: form")
        salt, name, value = content
        if len(salt) < _SHORTEST_SALT or name in RESERVED or holds_reserved(value):
            raise Doubt("disclosure: salt or name")
        named[digest(one)] = name
    if len(named) != len(disclosures):
        raise Doubt("disclosure: twice")
    return named


def _digests(holder: Object) -> list[str]:
    listed = holder.get("_sd", [])
    if not isinstance(listed, list) or not all(isinstance(one, str) and len(unb64u(one, "_sd")) == 32 for one in listed):
        raise Doubt("_sd: form")
    return [str(one) for one in listed]


def _placed(payload: Object, body: Object, named: dict[str, str]) -> None:
    """Each disclosure belongs to exactly one place: a hidden claim to the top, a row to the body."""
    top, rows = _digests(payload), _digests(body)
    if len(set(top + rows)) != len(top) + len(rows):
        raise Doubt("_sd: a digest stands twice")
    for hashed, name in named.items():
        if not (hashed in top and name in HIDDEN) and hashed not in rows:
            raise Doubt("disclosure: belongs to nothing")
    if len(set(named.values())) != len(named):
        raise Doubt("disclosure: a name stands twice")


def _reference(claims: Object, name: str) -> Reference:
    made = member(claims, name, dict, "message")
    if set(made) != {"id", "ver", "sha256"} or not isinstance(made["ver"], int | str) or isinstance(made["ver"], bool):
        raise Doubt(f"message: {name}")
    return Reference(text(made, "id", name), made["ver"], text(made, "sha256", name))


def _texts(document: Object, name: str, what: str) -> tuple[str, ...]:
    listed = member(document, name, list, what)
    if not all(isinstance(one, str) for one in listed):
        raise Doubt(f"{what}: {name}")
    return tuple(listed)


def verify_release(
    presentation: str,
    reader: str,
    nonce: str,
    issuer_key: Callable[[str, str, int], PublicKey],
    binding_keys: Sequence[PublicKey],
    origin: str,
) -> Release:
    """Verifies `<issuer JWT>~<disclosures>~<kb+jwt>`. `issuer_key(iss, kid, iat)` gives the sender's key or raises `Doubt`."""
    if "~" not in presentation:
        raise Doubt("release: form")
    first, *disclosures, binding = presentation.split("~")
    if not binding:
        raise Doubt("release: no key binding")
    header, payload, _ = parts(first, "message")
    if set(header) != {"alg", "typ", "kid"} or header["alg"] != "ES256" or header["typ"] != MESSAGE_TYP:
        raise Doubt("message: header")
    if set(payload) - {"_sd", "bref"} != _PLAIN or payload["_sd_alg"] != "sha-256":
        raise Doubt("message: claims")
    body = member(payload, "body", dict, "message")
    if set(body) - {"_sd"}:
        raise Doubt("message: a row is plain")
    _placed(payload, body, _disclosed(disclosures))
    if not is_id(payload["jti"]):
        raise Doubt("message: jti")
    holder = PublicKey(member(member(payload, "cnf", dict, "message"), "jwk", dict, "cnf"))
    if holder not in binding_keys:
        raise Doubt("message: bound to a key that is not pinned")
    key_header, key_binding, _ = parts(binding, "key binding")
    if key_header != {"alg": "ES256", "typ": "kb+jwt", "kid": holder.kid}:
        raise Doubt("key binding: header")

    iss, iat = text(payload, "iss", "message"), number(payload, "iat", "message")
    key = issuer_key(iss, str(header["kid"]), iat)
    if key.kid != header["kid"]:
        raise Doubt("message: key of the sender")
    try:
        verifier = SDJWTVerifier(presentation, lambda _iss, _header: key.jwk, reader, nonce)
        claims: Object = verifier.get_verified_payload()
    except (JWException, ValueError, KeyError, TypeError):
        # The library's errors quote the claims.
        raise Doubt("release: signature, digest, reader or nonce") from None
    return _release(claims, key_binding, presentation, origin, iss, iat)


def _release(claims: Object, binding: Object, presentation: str, origin: str, iss: str, iat: int) -> Release:
    if set(binding) != {"iat", "aud", "nonce", "sd_hash", "jti", "tsn"} or not is_id(binding["jti"]):
        raise Doubt("key binding: claims")
    grounds = member(binding, "tsn", dict, "key binding")
    if not _GROUNDS <= set(grounds) <= _GROUNDS | {"for", "con"} or grounds["origin"] != origin:
        raise Doubt("key binding: grounds")
    agreement, under = _reference(claims, "agr"), _reference(grounds, "agr")
    if agreement.id != under.id:
        raise Doubt("key binding: another agreement")
    sd_hash = digest(presentation.rpartition("~")[0] + "~")
    if binding["sd_hash"] != sd_hash:
        raise Doubt("key binding: sd_hash")
    return Release(
        iss=iss,
        aud=text(claims, "aud", "message"),
        jti=text(claims, "jti", "message"),
        iat=iat,
        kind=text(claims, "kind", "message"),
        purposes=_texts(claims, "pur", "message"),
        basis=text(claims, "bas", "message"),
        agreement=agreement,
        schema=_reference(claims, "sch"),
        body=claims["body"],
        consent={name: claims[name] for name in ("sub", "con") if name in claims},
        rel=text(binding, "jti", "key binding"),
        sd_hash=sd_hash,
        index=number(grounds, "idx", "key binding"),
        origin=origin,
        terms=_texts(grounds, "terms", "key binding"),
        acting_for=text(grounds, "for", "key binding") if "for" in grounds else None,
        policy=text(grounds, "pol", "key binding"),
        presentation=presentation,
    )
