"""Whether a number may be called from here: what the operator's settings and the trunk say together; pure."""

from ringdown.config import Settings
from ringdown.telephony.destinations import DestinationRefusal, check_destination
from ringdown.telephony.models import Trunk

_HOME_REGION = "US"


def find_refusal(number: str, *, settings: Settings, trunk: Trunk | None = None) -> DestinationRefusal | None:
    """Why the E.164 number must not be called, or None. A number must pass the installation and its trunk."""
    prefixes = [tuple(settings.allowed_destination_prefixes)]
    premium_allowed, region = settings.premium_numbers_allowed, _HOME_REGION
    if trunk is not None:
        prefixes.append(trunk.allowed_prefixes)
        premium_allowed, region = premium_allowed or trunk.premium_allowed, trunk.default_region
    for allowed in prefixes:
        refusal = check_destination(number, allowed_prefixes=allowed, premium_allowed=premium_allowed, region=region)
        if refusal is not None:
            return refusal
    return None
