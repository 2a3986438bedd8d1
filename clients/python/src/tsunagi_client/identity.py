"""The identity folder of a party and what it pinned of its gateway (protocol section 8).

Promises: paths are relative to the folder; a private file that others may read is refused; nothing of a private file is printed. What a
gateway says is verified with the pinned keys only.
"""

import os
import ssl
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from .encoding import Object, digest, member, parse_object, text
from .errors import Doubt, SetupError
from .keys import PrivateKey, PublicKey
from .message import Reference
from .tlog import VerifierKey

PROTOCOL = "tsunagi/1"
_MEMBERS = {"party", "gateway", "ca", "tls_cert", "tls_key", "signing_key", "encryption_key", "gateway_keys"}


@dataclass(frozen=True)
class Pinned:
    """A gateway's well-known document."""

    gateway: str
    encryption: PublicKey
    binding_keys: tuple[PublicKey, ...]
    receipt_keys: list[PublicKey]
    vkey: VerifierKey
    schemas: tuple[tuple[str, Reference], ...] = field(repr=False)
    policy: str = field(repr=False)

    @classmethod
    def read(cls, data: bytes) -> "Pinned":
        """Reads the document."""
        document = parse_object(data, "well-known document")
        keys = member(document, "keys", dict, "well-known document")
        ledger = member(document, "ledger", dict, "well-known document")
        vkey = VerifierKey.parse(text(ledger, "vkey", "well-known document"))
        if document.get("protocol") != PROTOCOL or ledger.get("origin") != vkey.name:
            raise Doubt("well-known document: protocol or origin")

        def now(use: str) -> PublicKey:
            return PublicKey(member(keys, use, dict, "well-known document"))

        def earlier(use: str) -> list[PublicKey]:
            listed = [one for one in document.get("retired", []) if one.get("use") == use]
            return [PublicKey(member(one, "jwk", dict, "well-known document")) for one in listed]

        schemas = tuple(
            (text(one, "kind", "schema"), Reference(text(one, "id", "schema"), text(one, "ver", "schema"), text(one, "sha256", "schema")))
            for one in document.get("schemas", [])
        )
        policy = text(member(document, "policy", dict, "well-known document"), "sha256", "well-known document")
        return cls(
            text(document, "gateway", "well-known document"),
            now("enc"),
            (now("kb"), *earlier("kb")),
            [now("receipt"), *earlier("receipt")],
            vkey,
            schemas,
            policy,
        )

    def agrees_with(self, shown: "Pinned") -> None:
        """A gateway that shows other keys than the pinned ones is refused until somebody pins again, on purpose."""
        for name, mine, theirs in (
            ("name", self.gateway, shown.gateway),
            ("encryption key", self.encryption, shown.encryption),
            ("key-binding key", self.binding_keys[0], shown.binding_keys[0]),
            ("receipt key", self.receipt_keys[0], shown.receipt_keys[0]),
            ("ledger key", self.vkey, shown.vkey),
        ):
            if mine != theirs:
                raise Doubt(f"the gateway shows another {name} than the pinned one")

    def schema(self, kind: str) -> Reference:
        """The newest published schema of a kind."""
        found = [reference for named, reference in self.schemas if named == kind]
        if not found:
            raise SetupError(f"the gateway publishes no schema for {kind}")
        return found[-1]


def read_private(path: Path) -> bytes:
    """A file that only its owner may read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise SetupError(f"{path}: others may read this private file; set its mode to 0600")
            return file.read()
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from None


def read_public(path: Path) -> bytes:
    """Any other file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from None


@dataclass(frozen=True)
class Identity:
    """A party as its own program knows it."""

    folder: Path
    party: str
    gateway: str
    signing: PrivateKey
    encryption: PrivateKey
    pinned: Pinned = field(repr=False)
    # SHA-256 of the client certificate.
    certificate: str
    staff: str | None = field(repr=False, default=None)
    tls: ssl.SSLContext = field(repr=False, default_factory=ssl.create_default_context)

    @classmethod
    def load(cls, folder: Path | str) -> "Identity":
        """Loads a folder as `tsunagi init` makes it."""
        folder = Path(folder)
        about = folder / "identity.toml"
        try:
            read = tomllib.loads(read_public(about).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            raise SetupError(f"{about}: not TOML") from None
        named: Object = {name: value for name, value in read.items() if name in _MEMBERS and isinstance(value, str)}
        if set(named) != _MEMBERS or set(read) - _MEMBERS - {"staff"}:
            raise SetupError(f"{about}: must hold {', '.join(sorted(_MEMBERS))}, and may hold staff")
        at = {name: folder / named[name] for name in _MEMBERS - {"party", "gateway"}}
        gateway_keys = at["gateway_keys"]
        try:
            pinned = Pinned.read(read_public(gateway_keys))
        except Doubt as doubt:
            raise SetupError(f"{gateway_keys}: {doubt}") from None
        if pinned.gateway != named["gateway"]:
            raise SetupError(f"{gateway_keys}: is of another gateway than {about}")
        return cls(
            folder,
            named["party"],
            named["gateway"].rstrip("/"),
            PrivateKey.from_json(read_private(at["signing_key"]), str(at["signing_key"])),
            PrivateKey.from_json(read_private(at["encryption_key"]), str(at["encryption_key"])),
            pinned,
            certificate_digest(at["tls_cert"]),
            read.get("staff"),
            context(at["ca"], at["tls_cert"], at["tls_key"]),
        )


def certificate_digest(path: Path) -> str:
    """SHA-256 of the first certificate of a PEM file, as `x5t#S256` wants it."""
    pem, end = read_public(path).decode("ascii", "replace"), "-----END CERTIFICATE-----"
    begin = "-----BEGIN CERTIFICATE-----"
    try:
        first = pem[pem.index(begin) : pem.index(end) + len(end)]
        return digest(ssl.PEM_cert_to_DER_cert(first))
    except ValueError:
        raise SetupError(f"{path}: not a certificate in PEM form") from None


def context(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.3, this authority and no other, this client certificate."""
    read_private(key)
    try:
        made = ssl.create_default_context(cafile=str(ca))
        made.minimum_version = ssl.TLSVersion.TLSv1_3
        made.load_cert_chain(str(certificate), str(key))
    except (ssl.SSLError, OSError) as error:
        raise SetupError(f"{ca}, {certificate}, {key}: {error.strerror or 'not usable for TLS'}") from None
    return made
