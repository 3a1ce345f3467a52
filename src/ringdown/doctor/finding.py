"""One fault of a trunk or a webhook endpoint, in words for its operator."""

from dataclasses import dataclass
from typing import Literal

Code = Literal[
    "local_address",
    "host_unknown",
    "port_closed",
    "no_answer",
    "tls_certificate",
    "tls_absent",
    "tls_required",
    "credentials_missing",
    "credentials_wrong",
    "user_wrong",
    "password_wrong",
    "registration_refused",
    "caller_id_refused",
    "number_form_refused",
    "concurrency_limit",
    "call_refused",
    "no_common_codec",
    "srtp_mismatch",
    "private_address",
    "rtp_blocked_inbound",
    "rtp_blocked_outbound",
    "rtp_other_source",
    "dtmf_refused",
    "sip_alg",
    "clock_drift",
    "webhook_failing",
    "webhook_parked",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """A `code` for programs, a `sentence` that says what is wrong, a `remedy` that names the setting to change."""

    code: Code
    sentence: str
    remedy: str
