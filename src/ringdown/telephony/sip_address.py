"""Where carriers reach our SIP, as far as the settings tell; pure."""

from urllib.parse import urlsplit

from ringdown.config import Settings

_NOT_REACHABLE = ("0.0.0.0", "::", "127.0.0.1", "::1", "localhost")


def find_sip_host(settings: Settings) -> str:
    """`host[:port]` of our SIP: the public host, the one it listens on, or that of the public URL."""
    host = settings.public_host if settings.public_host != "stun" else None
    if host is None and settings.sip_host not in _NOT_REACHABLE:
        host = settings.sip_host
    if host is None:
        host = urlsplit(settings.base_url).hostname or settings.sip_host
    shown = f"[{host}]" if ":" in host else host
    return shown if settings.sip_port == 5060 else f"{shown}:{settings.sip_port}"


def make_voice_url(settings: Settings) -> str:
    """Where Twilio asks what to do with a call."""
    return f"{settings.base_url}/telephony/twilio/voice"
