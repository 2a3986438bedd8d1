"""A party's client: an identity folder, one connection, and what a party does over it."""

from pathlib import Path
from types import TracebackType

from .agreements import Agreements
from .audit import Audit
from .cases import Cases
from .consents import Consents
from .coordination import Certificates
from .delivery import Accepted, Delivered, Delivery
from .directory import Directory
from .disclosures import Disclosures
from .errors import SetupError
from .identity import Identity, Pinned
from .outbox import FOLDER, Outbox
from .statistics import Statistics
from .transport import Patience, Transport

# The ledger says plainly that nobody was named.
_UNNAMED = "unnamed"


class Client:
    """Speaks for one party.

    `staff` is the pseudonym of who asks, as it stands in the ledger's openings: never a name. `language` (`en` or `ja`) is that of refusals.
    """

    def __init__(
        self,
        identity: Identity | Path | str,
        *,
        staff: str | None = None,
        language: str = "en",
        patience: Patience | None = None,
        outbox: Path | None = None,
    ) -> None:
        if language not in ("en", "ja"):
            raise SetupError("language is en or ja")
        self.identity = identity if isinstance(identity, Identity) else Identity.load(identity)
        self._transport = Transport(self.identity, staff or self.identity.staff or _UNNAMED, language, patience or Patience())
        self._delivery = Delivery(self._transport, Outbox(outbox or self.identity.folder / FOLDER))
        self.directory = Directory(self._transport)
        self.agreements = Agreements(self._delivery)
        self.consents = Consents(self._delivery, self.directory)
        self.cases = Cases(self._delivery, self.directory, self.agreements)
        self.certificates = Certificates(self._delivery, self.directory)
        self.disclosures = Disclosures(self._transport)
        self.statistics = Statistics(self._transport)
        self.audit = Audit(self._transport, self.directory)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.party})"

    def close(self) -> None:
        """Ends the connections."""
        self._transport.close()

    @property
    def party(self) -> str:
        """Who this is."""
        return self.identity.party

    @property
    def pinned(self) -> Pinned:
        """What is trusted of the gateway."""
        return self.identity.pinned

    @property
    def outbox(self) -> Outbox:
        """What was signed, and what became of it."""
        return self._delivery.outbox

    def deliver(self, jti: str) -> Accepted:
        """Sends something of the outbox again: the same bytes, the same id, the same answer."""
        return self._delivery.deliver(jti)

    def deliver_waiting(self) -> Delivered:
        """Sends everything that waits in the outbox: what a program does when it starts."""
        return self._delivery.deliver_waiting()
