"""The envelope: JWE compact, ECDH-ES+A256KW and A256GCM, header exactly `{alg, enc, typ, cty, kid, epk}` (protocol section 2).

Promises: what is not five canonical parts of the exact lengths, or has another header, is refused before the library sees it (a tag cut
short, `crit`, `zip`, another algorithm). What fails inside fails with one uniform error.
"""

import json

from jwcrypto.common import JWException
from jwcrypto.jwe import JWE

from .encoding import parse_object, unb64u
from .errors import Doubt
from .keys import PrivateKey, PublicKey

ENVELOPE_TYP = "tsunagi-envelope+jwe"
MESSAGE_CTY = "tsunagi-message+sd-jwt"
RELEASE_CTY = "application/sd-jwt"

_ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM"]
_LARGEST = 512 * 1024
_LARGEST_HEADER = 1024
# Wrapped key, nonce, tag (RFC 7518 sections 4.6 and 5.3).
_LENGTHS = {1: 40, 2: 12, 4: 16}


def seal(content: str, recipient: PublicKey, cty: str) -> str:
    """Encrypts to a key."""
    header = {"alg": _ALGORITHMS[0], "enc": _ALGORITHMS[1], "typ": ENVELOPE_TYP, "cty": cty, "kid": recipient.kid}
    jwe = JWE(content.encode(), protected=json.dumps(header))
    jwe.add_recipient(recipient.jwk)
    return str(jwe.serialize(compact=True))


def unseal(envelope: str, key: PrivateKey, cty: str) -> str:
    """The content of an envelope to this key."""
    if len(envelope) > _LARGEST:
        raise Doubt("envelope: too large")
    parts = [unb64u(part, "envelope") for part in envelope.split(".")]
    if len(parts) != 5 or len(parts[0]) > _LARGEST_HEADER or any(len(parts[at]) != length for at, length in _LENGTHS.items()):
        raise Doubt("envelope: form")
    header = parse_object(parts[0], "envelope: header")
    epk = header.pop("epk", None)
    wanted = {"alg": _ALGORITHMS[0], "enc": _ALGORITHMS[1], "typ": ENVELOPE_TYP, "cty": cty, "kid": key.kid}
    if header != wanted or not isinstance(epk, dict) or set(epk) != {"kty", "crv", "x", "y"}:
        raise Doubt("envelope: header")
    PublicKey(epk)
    jwe = JWE(algs=_ALGORITHMS)
    try:
        jwe.deserialize(envelope, key.jwk)
        return bytes(jwe.payload).decode("utf-8")
    except (JWException, ValueError):
        raise Doubt("envelope: cannot be opened") from None
