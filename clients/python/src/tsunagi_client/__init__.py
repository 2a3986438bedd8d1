"""Client for gateways that speak protocol `tsunagi/1`, for case systems written in Python.

Built from the protocol document on `httpx`, `jwcrypto` and `sd-jwt`; it shares no code with the gateway.
"""

from .agreements import Agreement, AgreementHead
from .audit import Event, EventPage, Received
from .cases import CaseHead, CasePage, Explanation, MessageHead, Reading
from .certificates import Certificate, Revocation, verify_certificate
from .client import Client
from .codes import Acknowledged, AgreementAct, Purpose
from .consents import Consent, ConsentDraft, ConsentPart, ConsentStanding, Item, Taken
from .coordination import CertificateDraft, HeldCertificate, Person, SignedCertificate, SignedRevocation
from .delivery import Accepted, Delivered
from .directory import Form, Party
from .disclosures import ConsentSummary, DisclosedItem, Disclosure, DisclosureList, Named
from .errors import (
    BadRequest,
    Doubt,
    Forbidden,
    Gone,
    NotAuthenticated,
    NotFound,
    OutboxError,
    RateLimited,
    Refused,
    ReplayConflict,
    SetupError,
    StateConflict,
    TsunagiError,
    Unacceptable,
    Unavailable,
    Unexpected,
    Unreachable,
    Violation,
)
from .identity import Identity, Pinned
from .ledger import Entry, Receipt
from .message import ConsentReference, Draft, Message, Reference
from .outbox import Fate, Outbox, Parcel
from .release import Release
from .statistics import StatisticsSubject, StatisticsTable, YearlyStatistics
from .tlog import Checkpoint
from .transport import Patience

__version__ = "0.1.0"

__all__ = [
    "Accepted",
    "Acknowledged",
    "Agreement",
    "AgreementAct",
    "AgreementHead",
    "BadRequest",
    "CaseHead",
    "CasePage",
    "Certificate",
    "CertificateDraft",
    "Checkpoint",
    "Client",
    "Consent",
    "ConsentDraft",
    "ConsentPart",
    "ConsentReference",
    "ConsentStanding",
    "ConsentSummary",
    "Delivered",
    "DisclosedItem",
    "Disclosure",
    "DisclosureList",
    "Doubt",
    "Draft",
    "Entry",
    "Event",
    "EventPage",
    "Explanation",
    "Fate",
    "Forbidden",
    "Form",
    "Gone",
    "HeldCertificate",
    "Identity",
    "Item",
    "Message",
    "MessageHead",
    "Named",
    "NotAuthenticated",
    "NotFound",
    "Outbox",
    "OutboxError",
    "Parcel",
    "Party",
    "Patience",
    "Person",
    "Pinned",
    "Purpose",
    "RateLimited",
    "Reading",
    "Receipt",
    "Received",
    "Reference",
    "Refused",
    "Release",
    "ReplayConflict",
    "Revocation",
    "SetupError",
    "SignedCertificate",
    "SignedRevocation",
    "StateConflict",
    "StatisticsSubject",
    "StatisticsTable",
    "Taken",
    "TsunagiError",
    "Unacceptable",
    "Unavailable",
    "Unexpected",
    "Unreachable",
    "Violation",
    "YearlyStatistics",
    "verify_certificate",
]
