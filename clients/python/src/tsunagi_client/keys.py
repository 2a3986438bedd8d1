"""Keys and signed objects: JWS compact, ES256, header exactly `{alg, kid, typ}` (protocol section 2).

Promises: the algorithm is ES256 whatever a token says; a key is named by its RFC 7638 thumbprint and nothing else; a private key is never printed.
"""

import json
import time
import uuid

from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from .encoding import Object, b64u, digest, parse_object, text, unb64u
from .errors import Doubt, SetupError

PUBLIC_MEMBERS = ("kty", "crv", "x", "y")


def new_id() -> str:
    """A fresh UUIDv4, as `jti` wants it."""
    return str(uuid.uuid4())


def is_id(value: object) -> bool:
    """Whether a value is a UUIDv4 in its canonical form."""
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value and uuid.UUID(value).version == 4
    except ValueError:
        return False


def coordinate(value: str) -> bytes:
    raw = unb64u(value, "coordinate of a key")
    if len(raw) != 32:
        raise Doubt("coordinate of a key")
    return raw


class PublicKey:
    """A public P-256 key."""

    def __init__(self, jwk: Object) -> None:
        members = {name: text(jwk, name, "key") for name in PUBLIC_MEMBERS}
        if (members["kty"], members["crv"]) != ("EC", "P-256") or "d" in jwk:
            raise Doubt("not a public P-256 key")
        coordinate(members["x"])
        coordinate(members["y"])
        try:
            self.jwk = JWK(**members)
            # A point that is not on the curve is noticed here, not when it is used.
            self.jwk.get_op_key("verify")
        except (JWException, ValueError):
            raise Doubt("not a point of P-256") from None
        self.members = members
        self.kid = str(self.jwk.thumbprint())

    def __repr__(self) -> str:
        return f"PublicKey({self.kid})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.kid == other.kid

    def __hash__(self) -> int:
        return hash(self.kid)


class PrivateKey:
    """A private P-256 key. Printed as the thumbprint of its public half."""

    def __init__(self, jwk: JWK) -> None:
        self.jwk = jwk
        self.public = PublicKey(dict(jwk.export_public(as_dict=True)))
        self.kid = self.public.kid

    @classmethod
    def generate(cls) -> "PrivateKey":
        """A fresh key."""
        return cls(JWK.generate(kty="EC", crv="P-256"))

    @classmethod
    def from_json(cls, data: bytes, what: str) -> "PrivateKey":
        """The key of a private JWK file."""
        try:
            members = parse_object(data)
            kept = {name: text(members, name, "key") for name in (*PUBLIC_MEMBERS, "d")}
            coordinate(kept["d"])
            return cls(JWK(**kept))
        except (Doubt, JWException, ValueError):
            # What the libraries say may quote the key.
            raise SetupError(f"{what}: not a private P-256 key as JWK") from None

    def __repr__(self) -> str:
        return f"PrivateKey({self.kid}, [redacted])"


def sign(key: PrivateKey, typ: str, claims: Object) -> str:
    """A signed object."""
    jws = JWS(json.dumps(claims, ensure_ascii=False))
    jws.add_signature(key.jwk, alg="ES256", protected=json.dumps({"alg": "ES256", "kid": key.kid, "typ": typ}))
    return str(jws.serialize(compact=True))


def parts(token: str, what: str) -> tuple[Object, Object, bytes]:
    """Header, payload and signature of a compact token, unverified."""
    split = token.split(".")
    if len(split) != 3:
        raise Doubt(what)
    header, payload = (parse_object(unb64u(part, what), what) for part in split[:2])
    signature = unb64u(split[2], what)
    if len(signature) != 64:
        raise Doubt(f"{what}: signature")
    return header, payload, signature


def verify(token: str, typ: str, keys: list[PublicKey], what: str) -> Object:
    """The claims of a signed object by one of the keys; its header has these three members and no other."""
    header, payload, _ = parts(token, what)
    if set(header) != {"alg", "kid", "typ"} or header["alg"] != "ES256" or header["typ"] != typ:
        raise Doubt(f"{what}: header")
    for key in keys:
        if key.kid == header["kid"]:
            verify_by(token, key, what)
            return payload
    raise Doubt(f"{what}: signed by a key that is not known")


def verify_by(token: str, key: PublicKey, what: str) -> None:
    """The signature alone."""
    jws = JWS()
    try:
        jws.deserialize(token)
        jws.verify(key.jwk, alg="ES256")
    except (JWException, ValueError):
        raise Doubt(f"{what}: signature") from None


def signed_digest(token: str) -> str:
    """What identifies a signed object, whatever signature bytes carry it: SHA-256 of its signing input."""
    return digest(token.rpartition(".")[0])


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())


__all__ = ["PrivateKey", "PublicKey", "b64u", "is_id", "new_id", "now", "parts", "sign", "signed_digest", "verify", "verify_by"]
