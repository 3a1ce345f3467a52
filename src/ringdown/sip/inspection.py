"""What a new request is refused for before anybody looks at its meaning (RFC 3261 §8.2); keeps nothing."""

from ringdown.sip.address import UnsupportedScheme, Uri
from ringdown.sip.admission import Refusal
from ringdown.sip.message import Request
from ringdown.sip.stack import ALLOW, list_unsupported

_SDP = "application/sdp"
# The registered ones; others are not "not allowed" but unknown (§21.5.2).
_METHODS = (
    "ACK, BYE, CANCEL, INFO, INVITE, MESSAGE, NOTIFY, OPTIONS, PRACK, PUBLISH, REFER, REGISTER, SUBSCRIBE, UPDATE"
)
_ACCEPTED = (_SDP, "application/*", "*/*")


def inspect(request: Request) -> Refusal | None:
    """The refusal of a request outside of a dialog, in the order of §8.2; `None`: it may go on."""
    uri_status = _inspect_uri(request.uri)
    if uri_status == 400:
        return Refusal(400, reason="Malformed Request-URI")
    if request.method not in _METHODS.split(", "):
        return Refusal(501, (("Allow", ALLOW),))
    if request.method not in ("INVITE", "OPTIONS"):
        return None  # refused for its method, or for the dialog it names
    if uri_status is not None:
        return Refusal(uri_status)
    if unsupported := list_unsupported(request):
        return Refusal(420, (("Unsupported", ", ".join(unsupported)),))
    return _inspect_content(request) if request.method == "INVITE" else None


def _inspect_uri(text: str) -> int | None:
    try:
        uri = Uri.parse(text)
    except UnsupportedScheme:
        return 416
    except ValueError:
        return 400
    return 400 if uri.headers else None  # headers have no place there, and nobody shall make us send any (§19.1.1)


def _inspect_content(request: Request) -> Refusal | None:
    headers = request.headers
    kind = (headers.get("Content-Type") or _SDP).partition(";")[0].strip().lower()
    is_optional = "handling=optional" in (headers.get("Content-Disposition") or "").lower().replace(" ", "")
    is_sdp = kind == _SDP or (kind.startswith("multipart/") and request.body.startswith(b"v="))
    if request.body and not is_sdp and not is_optional:
        return Refusal(415, (("Accept", _SDP),))
    if request.body and (headers.get("Content-Encoding") or "identity").lower() != "identity":
        return Refusal(415, (("Accept-Encoding", "identity"),))
    accepted = [value.partition(";")[0].strip().lower() for value in headers.get_all("Accept")]
    if accepted and not any(kind in _ACCEPTED for kind in accepted):
        return Refusal(406, (("Warning", f'399 ringdown "only {_SDP} can be sent"'),))
    return None
