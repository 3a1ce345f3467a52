"""Whether a number may be called from here: what the operator's settings and the trunk say together; pure."""

from urllib.parse import unquote

from ringdown.config import Settings
from ringdown.telephony import numbering
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


def find_refusal_of_user(user: str, *, settings: Settings, trunk: Trunk | None = None) -> DestinationRefusal | None:
    """Why the user part of a SIP URI that somebody else names must not be called, or None.

    Every number that it may mean must be allowed. A trunk is sent names, and numbers that can be read, but no other
    digits: nobody knows what they call there.
    """
    dialled = unquote(user)
    readings = (
        numbering.list_readings(dialled, "e164", region=_HOME_REGION) if trunk is None else trunk.list_readings(dialled)
    )
    for number in (dialled, *readings):
        refusal = find_refusal(number, settings=settings, trunk=trunk)
        if refusal is not None and (refusal.reason != "invalid" or (trunk is not None and number in readings)):
            return refusal
    is_name = any(character.isalpha() for character in dialled.partition(";")[0]) or not dialled
    if trunk is None or readings or is_name:
        return None
    return DestinationRefusal("invalid", "is not a phone number that can be dialled")
