"""A stranger's client for protocol tsunagi/1: identity folder, actor tokens, signed objects, SD-JWT messages, envelopes, releases, evidence.

SD-JWT comes from `sd-jwt`, JOSE from `jwcrypto`, canonical JSON from `rfc8785`, HTTP from `httpx`. Nothing here was taken from the gateway.
"""

import base64
import hashlib
import json
import secrets
import ssl
import time
import tomllib
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

import tlog
from tlog import Refused

ENVELOPE_TYP = "tsunagi-envelope+jwe"
MESSAGE_TYP = "tsunagi-message+sd-jwt"
HIDDEN = ("sub", "con", "case", "thr", "drv")


def b64u(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64u(text: str) -> bytes:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64u(raw) != text:
        raise Refused("base64url is not canonical")
    return raw


def digest(data: bytes | str) -> str:
    return b64u(hashlib.sha256(data.encode() if isinstance(data, str) else data).digest())


def thumbprint(jwk: JWK | dict) -> str:
    return (jwk if isinstance(jwk, JWK) else JWK(**jwk)).thumbprint()


def public_members(jwk: dict) -> dict:
    return {name: jwk[name] for name in ("kty", "crv", "x", "y")}


def new_jti() -> str:
    return str(uuid.uuid4())


# ---- signed objects ---------------------------------------------------------------------------------------------------------------------


def sign(key: JWK, typ: str, claims: dict, **header) -> str:
    """JWS compact, ES256, header exactly `{alg, kid, typ}` unless a test asks for another one."""
    jws = JWS(json.dumps(claims))
    jws.add_signature(key, alg="ES256", protected=json.dumps({"alg": "ES256", "kid": thumbprint(key), "typ": typ} | header))
    return jws.serialize(compact=True)


def read_jws(token: str, typ: str, keys: list[dict]) -> dict:
    """Claims of a JWS by one of the keys, named by its RFC 7638 thumbprint."""
    jws = JWS()
    jws.deserialize(token)
    header = jws.jose_header
    if set(header) != {"alg", "kid", "typ"} or header["alg"] != "ES256" or header["typ"] != typ:
        raise Refused(f"header is not that of {typ}")
    named = [JWK(**public_members(k)) for k in keys if thumbprint(public_members(k)) == header["kid"]]
    if not named:
        raise Refused("signed by a key that is not known")
    jws.verify(named[0], alg="ES256")
    return json.loads(jws.payload)


# ---- messages ---------------------------------------------------------------------------------------------------------------------------


class MessageIssuer(SDJWTIssuer):
    """The library's issuer; `body` is padded with decoys to an exact number of digests where the profile wants that."""

    def __init__(self, claims: dict, key: JWK, pad_body_to: int | None = None, **header):
        self._pad_body_to = pad_body_to
        super().__init__(claims, key, sign_alg="ES256", extra_header_parameters={"typ": MESSAGE_TYP, "kid": thumbprint(key)} | header)

    def _assemble_sd_jwt_payload(self):
        super()._assemble_sd_jwt_payload()
        if self._pad_body_to is not None:
            digests = self.sd_jwt_payload["body"]["_sd"]
            while len(digests) < self._pad_body_to:
                digests.append(self._create_decoy_claim_entry())
            digests.sort()


@dataclass
class Message:
    """A signed message: what the sender keeps, whatever envelope it travels in."""

    claims: dict
    token: str

    @property
    def jti(self) -> str:
        return self.claims["jti"]

    @property
    def issuer_jwt(self) -> str:
        return self.token.split("~", 1)[0]

    @property
    def digest(self) -> str:
        """What identifies a message: its signing input and the sorted disclosures, joined as they are in the compact form."""
        first, *disclosures, _ = self.token.split("~")
        return digest("~".join([first.rsplit(".", 1)[0], *sorted(disclosures)]))


def issue(key: JWK, claims: dict, pad_body_to: int | None = None, **header) -> Message:
    """Signs a message. Rows of `body` and the hidden claims become disclosures, everything else is plain."""
    marked = {SDObj(name) if name in HIDDEN else name: value for name, value in claims.items() if name != "body"}
    marked["body"] = {SDObj(name): value for name, value in claims["body"].items()}
    return Message(claims, MessageIssuer(marked, key, pad_body_to, **header).sd_jwt_issuance)


def seal(token: str, recipient: dict, cty: str = MESSAGE_TYP, **header) -> str:
    """JWE compact; header exactly `{alg, enc, typ, cty, kid, epk}`."""
    protected = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "typ": ENVELOPE_TYP, "cty": cty, "kid": thumbprint(public_members(recipient))}
    jwe = JWE(token.encode(), protected=json.dumps(protected | header), recipient=JWK(**public_members(recipient)))
    return jwe.serialize(compact=True)


def unseal(envelope: str, key: JWK, cty: str) -> str:
    header = json.loads(unb64u(envelope.split(".", 1)[0]))
    if set(header) != {"alg", "enc", "typ", "cty", "kid", "epk"}:
        raise Refused(f"envelope header has members {sorted(header)}")
    wanted = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "typ": ENVELOPE_TYP, "cty": cty, "kid": thumbprint(key)}
    wrong = [name for name, value in wanted.items() if header[name] != value]
    if wrong:
        raise Refused(f"envelope header is wrong in {wrong}")
    jwe = JWE()
    jwe.deserialize(envelope, key)
    return jwe.payload.decode()


# ---- releases ---------------------------------------------------------------------------------------------------------------------------


@dataclass
class Release:
    """A view of a message, after every check a reader can make."""

    claims: dict
    kb: dict
    presentation: str

    @property
    def body(self) -> dict:
        return self.claims["body"]

    @property
    def issuer_jwt(self) -> str:
        return self.presentation.split("~", 1)[0]

    @property
    def sd_hash(self) -> str:
        return digest(self.presentation.rpartition("~")[0] + "~")


def verify_release(presentation: str, reader: str, nonce: str, sender_keys, kb_keys: list[dict], origin: str) -> Release:
    """Sender's signature, disclosures, key binding, our own `tsn`. `sender_keys(iss)` gives the directory's sig keys of a party."""
    first, *disclosures, kb_token = presentation.split("~")
    if not kb_token:
        raise Refused("no key binding")
    header = json.loads(unb64u(first.split(".")[0]))
    if set(header) != {"alg", "typ", "kid"} or header["alg"] != "ES256" or header["typ"] != MESSAGE_TYP:
        raise Refused("issuer header is not that of a message")

    def issuer_key(iss, given):
        named = [k for k in sender_keys(iss) if thumbprint(public_members(k)) == given["kid"]]
        if len(named) != 1:
            raise Refused("message signed by a key the directory does not give for its sender")
        return JWK(**public_members(named[0]))

    verifier = SDJWTVerifier(presentation, issuer_key, reader, nonce)
    claims = verifier.get_verified_payload()

    # What the library does not look at.
    payload = json.loads(unb64u(first.split(".")[1]))
    used = set(payload.get("_sd", [])) | set(payload["body"].get("_sd", []))
    if any(digest(d) not in used for d in disclosures):
        raise Refused("a disclosure belongs to nothing")
    for name in [json.loads(unb64u(d))[1] for d in disclosures]:
        if name in ("_sd", "..."):
            raise Refused("reserved claim name disclosed")
    if payload["_sd_alg"] != "sha-256":
        raise Refused("other digest algorithm")
    if thumbprint(public_members(payload["cnf"]["jwk"])) not in [thumbprint(public_members(k)) for k in kb_keys]:
        raise Refused("bound to a key that is not pinned")
    kb_header = json.loads(unb64u(kb_token.split(".")[0]))
    if kb_header.get("alg") != "ES256" or kb_header.get("typ") != "kb+jwt" or set(kb_header) - {"alg", "typ", "kid"}:
        raise Refused("key binding header")
    kb = json.loads(unb64u(kb_token.split(".")[1]))
    if set(kb) != {"iat", "aud", "nonce", "sd_hash", "jti", "tsn"}:
        raise Refused(f"key binding has members {sorted(kb)}")
    if abs(time.time() - kb["iat"]) > 120 or uuid.UUID(kb["jti"]).version != 4:
        raise Refused("key binding time or id")
    tsn = kb["tsn"]
    if not {"origin", "idx", "agr", "pol", "terms"} <= set(tsn) <= {"origin", "idx", "agr", "pol", "terms", "for", "con"}:
        raise Refused(f"tsn has members {sorted(tsn)}")
    if tsn["origin"] != origin or not isinstance(tsn["idx"], int) or tsn["agr"] != payload["agr"]:
        raise Refused("tsn does not fit ledger and message")
    return Release(claims, kb, presentation)


# ---- the ledger's answers ---------------------------------------------------------------------------------------------------------------


@dataclass
class Recorded:
    index: int
    entry: dict
    leaf_hash: bytes
    checkpoint: tlog.Checkpoint


def canonical_entry(leaf: bytes) -> dict:
    entry = json.loads(leaf)
    if rfc8785.dumps(entry) != leaf:
        raise Refused("leaf is not canonical JSON")
    return entry


def verify_recorded(ledger: dict, verifier: tlog.Verifier, origin: str) -> Recorded:
    """`ledger` of an answer: leaf bytes, index and tlog-proof fit together under the pinned ledger key."""
    leaf = unb64u(ledger["leaf"])
    hashed = tlog.leaf_hash(leaf)
    index, checkpoint = tlog.open_proof(ledger["proof"], hashed, verifier, origin)
    if ledger["index"] != index or ledger["origin"] != origin:
        raise Refused("answer and proof name different entries")
    return Recorded(index, canonical_entry(leaf), hashed, checkpoint)


def opening_commitment(opening: dict) -> str:
    """`open_c` of ledger.md section 2; the salt travels as the member `salt` and is not part of what is canonicalised."""
    rest = {name: value for name, value in opening.items() if name != "salt"}
    salt = unb64u(opening["salt"])
    if len(salt) != 32:
        raise Refused("salt is not 32 bytes")
    return digest(b"tsunagi/opening/v1" + salt + rfc8785.dumps(rest))


# ---- identity and transport -------------------------------------------------------------------------------------------------------------


@dataclass
class Identity:
    folder: Path
    party: str
    gateway: str
    ca: Path
    tls_cert: Path
    tls_key: Path
    signing_key: JWK
    encryption_key: JWK
    pinned: dict

    @classmethod
    def load(cls, folder: Path | str) -> "Identity":
        folder = Path(folder)
        toml = tomllib.loads((folder / "identity.toml").read_text())

        def jwk(name):
            return JWK.from_json((folder / toml[name]).read_text())

        return cls(
            folder, toml["party"], toml["gateway"].rstrip("/"), folder / toml["ca"], folder / toml["tls_cert"], folder / toml["tls_key"],
            jwk("signing_key"), jwk("encryption_key"), json.loads((folder / toml["gateway_keys"]).read_text()),
        )

    @property
    def kind(self) -> str:
        return self.party.split(":", 1)[0]

    @property
    def certificate_digest(self) -> str:
        return digest(x509.load_pem_x509_certificate(self.tls_cert.read_bytes()).public_bytes(Encoding.DER))

    def tls(self, with_certificate: bool = True) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if with_certificate:
            context.load_cert_chain(str(self.tls_cert), str(self.tls_key))
        return context


@dataclass
class Client:
    """One party's connection. Each request is a fresh, single-use actor token."""

    me: Identity
    staff: str = "staff-0001"
    http: httpx.Client = field(init=False)
    _directory: dict = field(init=False, default_factory=dict)

    def __post_init__(self):
        self.http = httpx.Client(base_url=self.me.gateway, verify=self.me.tls(), trust_env=False, timeout=40)

    @property
    def gateway_id(self) -> str:
        return self.me.pinned["gateway"]

    @property
    def origin(self) -> str:
        return self.me.pinned["ledger"]["origin"]

    @property
    def ledger_key(self) -> tlog.Verifier:
        return tlog.Verifier.parse(self.me.pinned["ledger"]["vkey"])

    @property
    def kb_keys(self) -> list[dict]:
        return [self.me.pinned["keys"]["kb"]] + [r["jwk"] for r in self.me.pinned.get("retired", []) if r["use"] == "kb"]

    def object_claims(self, **claims) -> dict:
        return {"iss": self.me.party, "aud": self.gateway_id, "jti": new_jti(), "iat": int(time.time())} | claims

    def sign(self, typ: str, **claims) -> str:
        return sign(self.me.signing_key, typ, self.object_claims(**claims))

    def actor(self, method: str, target: str, purpose: str, body: bytes | None = None, nonce: str | None = None, **changes) -> str:
        claims = self.object_claims(
            sub=self.staff, pur=purpose, htm=method, htu=target, cnf={"x5t#S256": self.me.certificate_digest}, exp=int(time.time()) + 120
        )
        if nonce is not None:
            claims["nonce"] = nonce
        if body is not None:
            claims["req"] = digest(body)
        claims |= changes
        return sign(self.me.signing_key, "tsunagi-actor+jwt", {name: value for name, value in claims.items() if value is not None})

    def request(
        self, method: str, target: str, purpose: str | None = None, body: bytes | str | None = None, media: str | None = None,
        nonce: str | None = None, actor: str | None = None, headers: dict | None = None,
    ) -> httpx.Response:
        """One request. `429` is obeyed: wait as told, then ask again with a new actor token."""
        content = body.encode() if isinstance(body, str) else body
        for _ in range(5):
            sent = dict(headers or {})
            if media:
                sent["Content-Type"] = media
            if actor is not None:
                sent["Tsunagi-Actor"] = actor
            elif purpose is not None:
                sent["Tsunagi-Actor"] = self.actor(method, target, purpose, content, nonce)
            response = self.http.request(method, target, content=content, headers=sent)
            if response.status_code != 429 or actor is not None:
                return response
            time.sleep(float(response.headers["Retry-After"]))
        return response

    def get(self, target: str, purpose: str | None = None, **more) -> httpx.Response:
        if purpose is not None and "actor" not in more:
            more.setdefault("nonce", secrets.token_urlsafe(24))
        return self.request("GET", target, purpose, **more)

    def post_jwt(self, target: str, purpose: str, token: str, **more) -> httpx.Response:
        return self.request("POST", target, purpose, token, "application/jwt", **more)

    def post_message(self, target: str, purpose: str, message: Message | str, **more) -> httpx.Response:
        token = message if isinstance(message, str) else message.token
        return self.request("POST", target, purpose, seal(token, self.me.pinned["keys"]["enc"]), "application/jose", **more)

    def party_keys(self, party: str, use: str = "sig") -> list[dict]:
        if party not in self._directory:
            response = self.get(f"/v1/parties/{party}")
            response.raise_for_status()
            self._directory[party] = response.json()
        return [k["jwk"] for k in self._directory[party]["keys"] if k["use"] == use and k["state"] != "compromised"]

    def open(self, envelope: str, nonce: str) -> Release:
        return verify_release(
            unseal(envelope, self.me.encryption_key, "application/sd-jwt"), self.me.party, nonce, self.party_keys, self.kb_keys, self.origin
        )

    def read(self, target: str, purpose: str) -> Release:
        nonce = secrets.token_urlsafe(24)
        response = self.get(target, purpose, nonce=nonce)
        if response.status_code != 200:
            raise Refused(f"{response.status_code} {response.text}")
        if response.headers["Content-Type"].split(";")[0] != "application/jose":
            raise Refused("a release is application/jose")
        return self.open(response.text, nonce)

    def recorded(self, answer: dict) -> Recorded:
        return verify_recorded(answer["ledger"], self.ledger_key, self.origin)

    def receipt(self, token: str) -> dict:
        retired = [r["jwk"] for r in self.me.pinned.get("retired", []) if r["use"] == "receipt"]
        claims = read_jws(token, "tsunagi-receipt+jwt", [self.me.pinned["keys"]["receipt"], *retired])
        if claims["iss"] != self.gateway_id or claims["aud"] != self.me.party:
            raise Refused("receipt is not from this gateway to this party")
        return claims

    def pages(self, target: str, member: str, purpose: str) -> list:
        """All items of a paged list: follow `cursor` until a page names none, or the one it was asked with."""
        found, cursor = [], None
        while True:
            sign_ = "&" if "?" in target else "?"
            response = self.get(target + (f"{sign_}cursor={cursor}" if cursor else ""), purpose)
            if response.status_code != 200:
                raise Refused(f"{response.status_code} {response.text}")
            page = response.json()
            found += page[member]
            if page.get("cursor") in (None, cursor):
                return found
            cursor = page["cursor"]
