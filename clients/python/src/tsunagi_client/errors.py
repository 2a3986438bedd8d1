"""What can go wrong, as types.

Promises: no message of an error quotes a value of a message, a token, a key or a name of a person. A refusal quotes the gateway's problem
document, which names rows and rules and holds no values (protocol section 5).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class TsunagiError(Exception):
    """Everything this package raises on purpose."""


class SetupError(TsunagiError):
    """An identity folder, a file of it, or an argument cannot be used. Names the file, never its content."""


class Unreachable(TsunagiError):
    """No answer: the connection or the TLS handshake failed. What was signed waits in the outbox."""


class Doubt(TsunagiError):
    """An answer, a release or a file cannot be believed. `what` says which check failed."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class OutboxError(TsunagiError):
    """The outbox cannot keep or find something. Names ids and files, never their content."""


@dataclass(frozen=True)
class Violation:
    """One thing that was wrong: a row of the catalogue or a claim, and the rule it breaks."""

    field: str
    rule: str
    field_class: str | None = None


class Refused(TsunagiError):
    """The gateway said no (RFC 9457). The text is the gateway's: what is wrong, and what to do next."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str = "",
        detail: str = "",
        instance: str = "",
        violations: tuple[Violation, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.status, self.code, self.title, self.detail = status, code, title, detail
        self.instance, self.violations, self.retry_after = instance, violations, retry_after
        named = "; ".join(f"{one.field}: {one.rule}" for one in violations)
        super().__init__(" ".join(part for part in (f"{status} {code}: {title}.", detail, f"[{named}]" if named else "") if part))

    @property
    def next_step(self) -> str:
        """What the gateway advises."""
        return self.detail

    @property
    def judges_the_object(self) -> bool:
        """Whether what was signed was judged, and not who called, how, or when: the same object would be refused again."""
        return self.code in JUDGED


class BadRequest(Refused):
    """400, 405, 406, 411, 413, 415, 431: the request has not the form it should."""


class NotAuthenticated(Refused):
    """401: the actor token."""


class Forbidden(Refused):
    """403: party, key, agreement, consent or purpose do not allow it."""


class NotFound(Refused):
    """404: it is not there, or not yours."""


class ReplayConflict(Refused):
    """409: another object has this id."""


class StateConflict(Refused):
    """409: not possible now. `possible` says what is."""

    @property
    def possible(self) -> tuple[str, ...]:
        """The kinds that this sender may send to this recipient now."""
        kinds = (one.rule for one in self.violations if one.field == "kind")
        return tuple(kind for kind in kinds if kind != "nothing_possible")


class Gone(Refused):
    """410: the message is too old, or the case was erased."""


class Unacceptable(Refused):
    """422: the content breaks the form, or says more than its reader may see."""


class RateLimited(Refused):
    """429: later. `retry_after` says when."""


class Unavailable(Refused):
    """5xx: not now; nothing happened."""


class Unexpected(Refused):
    """A status this version does not know."""


BY_STATUS: Mapping[int, type[Refused]] = {
    400: BadRequest,
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
    405: BadRequest,
    406: BadRequest,
    410: Gone,
    411: BadRequest,
    413: BadRequest,
    415: BadRequest,
    422: Unacceptable,
    429: RateLimited,
    431: BadRequest,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
BY_CODE: Mapping[str, type[Refused]] = {"state_conflict": StateConflict, "replay_conflict": ReplayConflict}

# The codes of protocol section 5 that are about what was signed.
JUDGED = frozenset(
    (
        "bad_token bad_disclosure limit_exceeded too_large issuer_mismatch key_not_allowed key_revoked binding_mismatch no_agreement "
        "agreement_not_in_force no_consent consent_ended consent_scope purpose_not_allowed recipient_not_allowed operation_not_allowed "
        "replay_conflict state_conflict message_too_old erased schema_unknown schema_mismatch schema_invalid over_disclosure "
        "padding_required prohibited_my_number bad_identifier not_found"
    ).split()
)


def violations_of(document: Mapping[str, Any]) -> tuple[Violation, ...]:
    """The rows of `violations` or `warnings`."""
    rows = document.get("violations", [])
    if not isinstance(rows, list):
        raise Doubt("problem document")
    found = []
    for row in rows:
        if not isinstance(row, dict) or not all(isinstance(row.get(name, ""), str) for name in ("field", "rule", "class")):
            raise Doubt("problem document")
        found.append(Violation(str(row.get("field", "")), str(row.get("rule", "")), row.get("class")))
    return tuple(found)


def refusal(status: int, document: Mapping[str, Any], retry_after: float | None = None) -> Refused:
    """The typed error of a problem document; `Doubt` where the document contradicts itself or would steer a terminal."""
    code = document.get("code")
    texts = [document.get(name, "") for name in ("code", "title", "detail", "instance")]
    violations = violations_of(document)
    texts += [text for one in violations for text in (one.field, one.rule, one.field_class or "")]
    agrees = document.get("status") == status and document.get("type") == f"urn:tsunagi:problem:{code}"
    if not agrees or not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise Doubt("problem document")
    made = BY_CODE.get(str(code), BY_STATUS.get(status, Unexpected))
    return made(status, str(texts[0]), str(texts[1]), str(texts[2]), str(texts[3]), violations, retry_after)
