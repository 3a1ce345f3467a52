"""How a call ended: one pure function per source of an ending. Every way a call can end is a row here."""

from ringdown.calls.models import Ending

CANCELLED = Ending("cancelled")
NO_ANSWER = Ending("no_answer")
NO_MEDIA = Ending("no_media")
UNREACHABLE = Ending("unreachable")
# No way to the number is set up here: calling again would not help.
NO_ROUTE = Ending("invalid_destination")
INTERNAL = Ending("internal_error")
PROVIDER_FAILED = Ending("provider_error")
HUNG_UP_BY_US = Ending("agent_hangup")

OUT_OF_CREDITS = Ending("insufficient_credits")

NO_COMMON_AUDIO = Ending("carrier_error")

_CARRIER = Ending("carrier_error")
_BUSY = Ending("busy")
_DECLINED = Ending("declined")
_INVALID = Ending("invalid_destination")

# RFC 3261 §21, RFC 8197 (607), RFC 8688 (608). Every other status, refused credentials among them, is between us
# and the carrier.
_BY_STATUS = {
    404: _INVALID,
    408: NO_ANSWER,
    410: _INVALID,
    416: _INVALID,
    480: NO_ANSWER,
    484: _INVALID,
    485: _INVALID,
    486: _BUSY,
    487: CANCELLED,
    600: _BUSY,
    603: _DECLINED,
    604: _INVALID,
    607: _DECLINED,
    608: _DECLINED,
}

_BY_CONVERSATION = {
    "agent_hangup": HUNG_UP_BY_US,
    "dismissed": OUT_OF_CREDITS,
    "inactivity": Ending("inactivity"),
    "max_duration": Ending("max_duration"),
    "provider_error": PROVIDER_FAILED,
    "stopped": HUNG_UP_BY_US,
    "voicemail": Ending("voicemail"),
}

_BY_DIALOG = {
    "bye": Ending("user_hangup"),
    "cancelled": CANCELLED,
    "timeout": _CARRIER,
    "transport": _CARRIER,
    "expired": _CARRIER,
    "local": HUNG_UP_BY_US,
}


def from_sip_status(status: int, *, is_local: bool) -> Ending:
    """The ending of a call whose INVITE got a final status of 300 to 699.

    `is_local`: the status was made here because nothing was heard from the peer (Timer B, transport error).
    """
    return UNREACHABLE if is_local else _BY_STATUS.get(status, _CARRIER)


def from_conversation(reason: str) -> Ending:
    """The ending of a call whose conversation ended by itself."""
    return _BY_CONVERSATION[reason]


def from_dialog(cause: str) -> Ending:
    """The ending of an answered call whose SIP dialog ended."""
    return _BY_DIALOG[cause]
