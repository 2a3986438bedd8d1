"""Messages: an SD-JWT whose body rows are disclosed one by one, signed once over everything (protocol section 2).

Promises: towards a provider the number of rows and the time of sending tell nothing (padding, `iat` by the hour). A draft and a message are
printed without their content.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer

from .codes import LADDER, PROVIDERS, Purpose, kind_of
from .encoding import Object, digest, parse_object
from .errors import Doubt, SetupError
from .keys import PrivateKey, PublicKey, new_id, now

MESSAGE_TYP = "tsunagi-message+sd-jwt"
# Selectively disclosable claims beside the body; released to nobody, or as `consent_detail`.
HIDDEN = ("sub", "con", "case", "thr", "drv")
RESERVED = ("_sd", "_sd_alg", "...")


@dataclass(frozen=True)
class Reference:
    """A version of something with the digest of its exact bytes: an agreement (`ver` a number) or a schema (`ver` a text)."""

    id: str
    ver: int | str
    sha256: str

    def claim(self) -> Object:
        """As it stands in `agr` or `sch`."""
        return {"id": self.id, "ver": self.ver, "sha256": self.sha256}


@dataclass(frozen=True)
class ConsentReference:
    """How a message names the consent it rests on."""

    jti: str
    sha256: str
    # The person's pseudonym in that consent.
    sub: str = field(repr=False)


@dataclass(frozen=True)
class Draft:
    """A message before it is signed."""

    kind: str
    to: str
    purposes: tuple[Purpose, ...]
    agreement: Reference
    schema: Reference
    body: Object = field(repr=False)
    basis: str = "consent_27"
    consent: ConsentReference | None = None
    # The sender's own id of the case; none for what opens one.
    case: str | None = None
    thread: str | None = None
    # The message that this one passes on, as {iss, jti}.
    source: tuple[str, str] | None = None
    # Article and reason, where the basis wants them.
    grounds: tuple[str, str] | None = None


@dataclass(frozen=True)
class Message:
    """A signed message: what the sender keeps, whatever envelope it travels in."""

    jti: str
    kind: str
    to: str
    token: str = field(repr=False)

    @property
    def issuer_jwt(self) -> str:
        """What the sender signed, without the disclosures."""
        return self.token.partition("~")[0]

    @property
    def sha256(self) -> str:
        """What identifies it: the signing input and the sorted disclosures (protocol section 2, `msg.sha256`)."""
        return message_digest(self.token)


def message_digest(token: str) -> str:
    """`msg.sha256` of a compact SD-JWT with all its disclosures."""
    first, *disclosures, _ = token.split("~")
    return digest("~".join([first.rpartition(".")[0], *sorted(disclosures)]))


class _Issuer(SDJWTIssuer):  # type: ignore[misc]  # the library has no types
    """The library's issuer, with the body padded to an exact number of digests, and decoys for hidden claims that a message does not have."""

    def __init__(self, claims: dict[Any, Any], key: PrivateKey, pad: bool) -> None:
        self._pad = pad
        super().__init__(claims, key.jwk, sign_alg="ES256", extra_header_parameters={"typ": MESSAGE_TYP, "kid": key.kid})

    def _assemble_sd_jwt_payload(self) -> None:
        super()._assemble_sd_jwt_payload()
        if self._pad:
            self._fill(self.sd_jwt_payload["body"], rung(len(self.sd_jwt_payload["body"].get("_sd", []))))
            self._fill(self.sd_jwt_payload, len(HIDDEN))

    def _fill(self, holder: dict[str, Any], length: int) -> None:
        digests: list[str] = holder.setdefault("_sd", [])
        digests.extend(self._create_decoy_claim_entry() for _ in range(length - len(digests)))
        digests.sort()


def rung(rows: int) -> int:
    """The shortest permitted length of the `_sd` list of `body`."""
    for length in LADDER:
        if rows <= length:
            return length
    raise SetupError("a message to a provider has 256 rows at most")


def sign_message(draft: Draft, sender: str, key: PrivateKey, binding: PublicKey, at: int | None = None) -> Message:
    """Signs a message. Rows of the body and the hidden claims become disclosures, everything else is plain."""
    guarded = kind_of(draft.to) in PROVIDERS
    second = now() if at is None else at
    jti = new_id()
    claims: dict[Any, Any] = {
        "iss": sender,
        "aud": draft.to,
        "jti": jti,
        "iat": second - second % 3600 if guarded else second,
        "kind": draft.kind,
        "sch": draft.schema.claim(),
        "agr": draft.agreement.claim(),
        "pur": [str(purpose) for purpose in draft.purposes],
        "bas": draft.basis,
        "cnf": {"jwk": dict(binding.members)},
        "body": {SDObj(row): value for row, value in checked(draft.body).items()},
    }
    if draft.grounds:
        claims["bref"] = {"article": draft.grounds[0], "reason": draft.grounds[1]}
    hidden: Object = {}
    if draft.consent:
        hidden |= {"sub": draft.consent.sub, "con": {"jti": draft.consent.jti, "sha256": draft.consent.sha256}}
    if draft.case:
        hidden["case"] = draft.case
    if draft.thread:
        hidden["thr"] = draft.thread
    if draft.source:
        hidden["drv"] = {"iss": draft.source[0], "jti": draft.source[1]}
    claims |= {SDObj(name): value for name, value in hidden.items()}
    first, *disclosures, _ = str(_Issuer(claims, key, guarded).sd_jwt_issuance).split("~")
    # By digest: the order in which a form was filled in is nobody's business.
    disclosures.sort(key=digest)
    return Message(jti, draft.kind, draft.to, "~".join([first, *disclosures, ""]))


def checked(body: Object) -> Object:
    """A body as strict JSON has it; what could not be signed is refused without quoting it."""
    try:
        read = parse_object(json.dumps(body))
    except (Doubt, TypeError, ValueError):
        raise SetupError("the body is not strict JSON: objects, lists, texts, whole numbers, true, false, null") from None
    if holds_reserved(read):
        raise SetupError("the body uses a reserved member name: _sd, _sd_alg or ...")
    return read


def holds_reserved(value: Any) -> bool:
    """Whether a value holds a name that SD-JWT keeps for itself, at any depth."""
    if isinstance(value, dict):
        return any(name in RESERVED or holds_reserved(member) for name, member in value.items())
    return isinstance(value, list) and any(map(holds_reserved, value))
