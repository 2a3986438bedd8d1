"""Requests: one actor token each, problem documents turned into typed errors, and asking again where that is harmless.

Promises: an actor token is made afresh for every attempt, bound to method, target, body and certificate. What may have arrived is sent again
only when it carries an id that the gateway answers once (`repeatable`); everything else only when it certainly did nothing: the connection
was never made, or the answer was 429 or 503. `Retry-After` is obeyed. Tokens and bodies are not logged.
"""

import email.utils
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from .codes import Purpose
from .encoding import Object, digest, parse_object
from .errors import Doubt, Refused, Unreachable, refusal
from .identity import Identity
from .keys import new_id, now, sign

JSON, JWT, JOSE = "application/json", "application/jwt", "application/jose"
ACTOR_TYP = "tsunagi-actor+jwt"
# Seconds an actor token lives: long enough for a slow line, short enough to be of no use to others.
_LIVES = 60
_LARGEST_ANSWER = 16 * 1024 * 1024


@dataclass(frozen=True)
class Patience:
    """How often and how long to ask again."""

    attempts: int = 4
    # A longer wait than this is the caller's to decide: the refusal is raised.
    longest: float = 30.0
    first: float = 0.2
    timeout: float = 60.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


@dataclass(frozen=True)
class Answer:
    """A 2xx answer."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    nonce: str | None = field(repr=False, default=None)

    def document(self, what: str) -> Object:
        """The body as a JSON object."""
        return parse_object(self.body, what)


def object_claims(identity: Identity) -> Object:
    """What every signed object of a party begins with."""
    return {"iss": identity.party, "aud": identity.pinned.gateway, "jti": new_id(), "iat": now()}


class Transport:
    """A party's connection to its gateway."""

    def __init__(self, identity: Identity, staff: str, language: str, patience: Patience) -> None:
        self.identity, self.staff, self.language, self.patience = identity, staff, language, patience
        # Proxies of the environment would see nothing but could not present our certificate either.
        self._http = httpx.Client(base_url=identity.gateway, verify=identity.tls, trust_env=False, timeout=patience.timeout)

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def actor(self, method: str, target: str, purpose: Purpose, body: bytes | None, nonce: str | None) -> str:
        """An actor token for one request."""
        claims = object_claims(self.identity)
        claims |= {
            "sub": self.staff,
            "exp": claims["iat"] + _LIVES,
            "pur": str(purpose),
            "htm": method,
            "htu": target,
            "cnf": {"x5t#S256": self.identity.certificate},
        }
        if nonce is not None:
            claims["nonce"] = nonce
        if body is not None:
            claims["req"] = digest(body)
        return sign(self.identity.signing, ACTOR_TYP, claims)

    def open(self, target: str) -> Answer:
        """Reads something that is open to every registered party."""
        return self._ask("GET", target, None, None, None, repeatable=True)

    def read(self, target: str, purpose: Purpose) -> Answer:
        """Reads something for a purpose, under a fresh nonce. Each read that is answered is an entry of its own."""
        return self._ask("GET", target, purpose, None, None, repeatable=False)

    def post(self, target: str, purpose: Purpose, media: str, body: Callable[[], bytes], repeatable: bool) -> Answer:
        """Changes something. `body` is made afresh for each attempt."""
        return self._ask("POST", target, purpose, media, body, repeatable)

    def _ask(
        self,
        method: str,
        target: str,
        purpose: Purpose | None,
        media: str | None,
        body: Callable[[], bytes] | None,
        repeatable: bool,
    ) -> Answer:
        for attempt in range(1, self.patience.attempts + 1):
            last = attempt == self.patience.attempts
            wait = self.patience.first * 2 ** (attempt - 1)
            try:
                return self._once(method, target, purpose, media, body() if body else None)
            except Refused as refused:
                if last or refused.status not in (429, 503):
                    raise
                wait = wait if refused.retry_after is None else refused.retry_after
                if wait > self.patience.longest:
                    raise
            except _Lost as lost:
                if last or not (repeatable or lost.never_sent):
                    raise Unreachable(f"{method} {self.identity.gateway}: {lost.why}") from None
            self.patience.sleep(wait)
        raise Unreachable("no attempt was allowed")

    def _once(self, method: str, target: str, purpose: Purpose | None, media: str | None, body: bytes | None) -> Answer:
        nonce = secrets.token_urlsafe(24) if method == "GET" and purpose else None
        headers = {"Accept-Language": self.language}
        if media:
            headers["Content-Type"] = media
        if purpose:
            headers["Tsunagi-Actor"] = self.actor(method, target, purpose, body, nonce)
        try:
            with self._http.stream(method, target, content=body, headers=headers) as response:
                content = _bounded(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _Lost(type(error).__name__, never_sent=True) from None
        except httpx.HTTPError as error:
            raise _Lost(type(error).__name__, never_sent=False) from None
        if response.is_success:
            return Answer(response.status_code, response.headers, content, nonce)
        if response.headers.get("Content-Type", "").split(";")[0] != "application/problem+json":
            raise Doubt(f"an answer {response.status_code} that is no problem document")
        raise refusal(response.status_code, parse_object(content, "problem document"), _seconds(response.headers.get("Retry-After")))


class _Lost(Exception):
    """No answer came."""

    def __init__(self, why: str, never_sent: bool) -> None:
        super().__init__(why)
        self.why, self.never_sent = why, never_sent


def _bounded(response: httpx.Response) -> bytes:
    found = bytearray()
    for part in response.iter_bytes():
        found += part
        if len(found) > _LARGEST_ANSWER:
            raise Doubt("an answer of more than 16 MiB")
    return bytes(found)


def _seconds(value: str | None) -> float | None:
    """`Retry-After`: seconds, or a date (RFC 9110 section 10.2.3)."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
