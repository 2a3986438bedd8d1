"""Closed lists of the protocol that a program chooses from. The schemas hold those of the rows."""

from enum import StrEnum
from typing import Final


class Purpose(StrEnum):
    """What a message or a read is for (利用目的)."""

    PLACEMENT = "placement_coordination"
    PLANNING = "service_planning"
    PROVISION = "service_provision"
    BACKUP = "backup_consultation"
    ADDON = "addon_certification"
    BENEFIT = "benefit_decision"
    AUDIT = "audit_review"
    ADMINISTRATION = "administration"


class AgreementAct(StrEnum):
    """What a party says about an agreement version."""

    ACCEPT = "accept"
    REJECT = "reject"
    ACCEDE = "accede"
    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"


class Acknowledged(StrEnum):
    """What a reader says about a release."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


# Kinds that open an exchange; every other kind is sent in a case.
OPENING: Final = frozenset(
    "referral third_party_referral provider_consultation resource_info training_notice periodic_consultation council_notice "
    "provider_notice".split()
)
# Towards these, presence and number of rows and the time of sending would tell (protocol section 2).
PROVIDERS: Final = frozenset(
    "consultation_office group_home support_facility lodging_training day_service rehab_facility".split()
)
# Lengths that the `_sd` list of `body` may have towards a provider.
LADDER: Final = (32, 64, 128, 256)


def kind_of(party: str) -> str:
    """The kind in `<kind>:<code>`."""
    return party.partition(":")[0]
