"""A gateway made of keys alone: what it would sign, right or wrong, for tests that need no server."""

import base64
import datetime
import hashlib
import ipaddress
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from jwcrypto.jws import JWS

from tsunagi_client import Identity, Message, Pinned, Purpose
from tsunagi_client.encoding import b64u, canonical, digest
from tsunagi_client.keys import PrivateKey, new_id, now, sign
from tsunagi_client.message import Draft, Reference, sign_message
from tsunagi_client.tlog import leaf_hash, node_hash

CITY, CENTRE = "municipality:131016-1", "settlement_center:13-1"
GATEWAY, ORIGIN = "https://localhost:8443", "localhost:8443/ledger"
AGREEMENT = Reference("AG-13-0001", 1, digest("agreement"))
FORM = Reference("urn:tsunagi:schema:referral", "1.0.0", digest("form"))
BODY = {"family_name": "小波", "given_name": "健太", "birth_date": "1984-05-17", "disability_kinds": ["intellectual"]}
NONCE = "a-nonce-of-the-reader"


def raw_jws(key: PrivateKey, header: dict[str, Any], claims: Any) -> str:
    """A JWS with any header."""
    jws = JWS(claims if isinstance(claims, str) else json.dumps(claims))
    jws.add_signature(key.jwk, alg=header["alg"], protected=json.dumps(header))
    return str(jws.serialize(compact=True))


@dataclass
class Forge:
    """Keys of a gateway, of a sender and of a reader."""

    enc: PrivateKey = field(default_factory=PrivateKey.generate)
    kb: PrivateKey = field(default_factory=PrivateKey.generate)
    receipt: PrivateKey = field(default_factory=PrivateKey.generate)
    sender: PrivateKey = field(default_factory=PrivateKey.generate)
    reader: PrivateKey = field(default_factory=PrivateKey.generate)
    ledger: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    # -- what is pinned -----------------------------------------------------------------------------------------------------------

    @property
    def ledger_public(self) -> bytes:
        return self.ledger.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(ORIGIN.encode() + b"\n\x01" + self.ledger_public).digest()[:4]

    def document(self) -> dict[str, Any]:
        keys = {use: key.public.members for use, key in (("enc", self.enc), ("kb", self.kb), ("receipt", self.receipt))}
        vkey = f"{ORIGIN}+{self.key_id.hex()}+{base64.b64encode(bytes([1]) + self.ledger_public).decode()}"
        return {
            "protocol": "tsunagi/1", "gateway": GATEWAY, "keys": keys, "retired": [], "ledger": {"origin": ORIGIN, "vkey": vkey},
            "schemas": [{"kind": "referral", "id": FORM.id, "ver": FORM.ver, "sha256": FORM.sha256}], "policy": {"sha256": digest("policy")},
        }  # fmt: skip

    @property
    def pinned(self) -> Pinned:
        return Pinned.read(json.dumps(self.document()).encode())

    # -- messages and releases ----------------------------------------------------------------------------------------------------

    def draft(self, to: str = CITY, **changes: Any) -> Draft:
        made: dict[str, Any] = {"kind": "referral", "to": to, "purposes": (Purpose.PLACEMENT,), "agreement": AGREEMENT, "schema": FORM, "body": BODY}
        return Draft(**(made | changes))

    def message(self, to: str = CITY, **changes: Any) -> Message:
        return sign_message(self.draft(to, **changes), CENTRE, self.sender, self.kb.public)

    def bind(self, presented: str, key: PrivateKey | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Key binding behind `<jwt>~<disclosures>~`; changes to claims, `None` takes one out; `tsn` members by name."""
        key = key or self.kb
        grounds = {"origin": ORIGIN, "idx": 1, "agr": AGREEMENT.claim(), "pol": digest("policy"), "terms": ["目的外に使わない"]}
        claims = {"iat": now(), "aud": CITY, "nonce": NONCE, "sd_hash": digest(presented), "jti": new_id(), "tsn": grounds} | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return presented + raw_jws(key, header or {"alg": "ES256", "kid": key.kid, "typ": "kb+jwt"}, claims)

    # -- the ledger ---------------------------------------------------------------------------------------------------------------

    def note(self, size: int, root: bytes, origin: str = ORIGIN, key: Ed25519PrivateKey | None = None) -> str:
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        signature = (key or self.ledger).sign(text.encode())
        return f"{text}\n\u2014 {ORIGIN} {base64.b64encode(self.key_id + signature).decode()}\n"

    def proof(self, leaf: bytes, note: str | None = None) -> str:
        """The leaf as the second of three."""
        first, third = leaf_hash(b"zero"), leaf_hash(b"two")
        root = node_hash(node_hash(first, leaf_hash(leaf)), third)
        path = "\n".join(base64.b64encode(one).decode() for one in (first, third))
        return f"c2sp.org/tlog-proof@v1\nindex 1\n{path}\n\n{note or self.note(3, root)}"

    def answer(self, party: str, jti: str, sha256: str, **changes: Any) -> dict[str, Any]:
        """What a gateway answers to what it accepted; changes to the entry."""
        entry = {
            "v": 1, "type": "submission", "operation": "message.submit", "decision": "permit",
            "actor": {"party": party, "cert": digest("certificate")}, "request": sha256,
        } | changes  # fmt: skip
        leaf = canonical(entry)
        return {
            "receipt": self.receipt_for(party, jti, sha256, leaf),
            "ledger": {"origin": ORIGIN, "index": 1, "leaf": b64u(leaf), "proof": self.proof(leaf)},
            "case": "0b0e5f6a-5c7e-4f0e-8d57-2f6f0ac1b1a4", "message": jti,
        }  # fmt: skip

    def receipt_for(self, party: str, jti: str, sha256: str, leaf: bytes, key: PrivateKey | None = None, **changes: Any) -> str:
        claims = {
            "iss": GATEWAY, "aud": party, "jti": new_id(), "iat": now(), "msg": {"iss": party, "jti": jti, "sha256": sha256},
            "st": "accepted", "log": {"origin": ORIGIN, "idx": 1, "leaf": b64u(leaf_hash(leaf))},
        } | changes  # fmt: skip
        return sign(key or self.receipt, "tsunagi-receipt+jwt", claims)

    # -- an identity folder -------------------------------------------------------------------------------------------------------

    def folder(self, folder: Path, party: str = CENTRE) -> Path:
        """What `tsunagi init` would write for a party."""
        certificate, key = self_signed(party)
        private = {"tls.key": key, "signing.jwk": exported(self.sender), "encryption.jwk": exported(self.reader)}
        public = {
            "ca.pem": certificate, "tls.pem": certificate, "gateway-keys.json": json.dumps(self.document()).encode(),
            "identity.toml": "\n".join(
                f'{name} = "{value}"'
                for name, value in (
                    ("party", party), ("gateway", GATEWAY), ("ca", "ca.pem"), ("tls_cert", "tls.pem"), ("tls_key", "tls.key"),
                    ("signing_key", "signing.jwk"), ("encryption_key", "encryption.jwk"), ("gateway_keys", "gateway-keys.json"),
                )
            ).encode(),
        }  # fmt: skip
        folder.mkdir()
        for name, content in (private | public).items():
            (folder / name).write_bytes(content)
            os.chmod(folder / name, 0o600 if name in private else 0o644)
        return folder

    def identity(self, folder: Path, party: str = CENTRE) -> Identity:
        return Identity.load(self.folder(folder, party))


def exported(key: PrivateKey) -> bytes:
    """A private key as a file holds it."""
    return str(key.jwk.export_private()).encode()


def self_signed(party: str) -> tuple[bytes, bytes]:
    """A certificate that names a party, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    today = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(f"urn:tsunagi:party:{party}"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(hours=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM), private
