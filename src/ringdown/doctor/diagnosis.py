"""From what was seen of a trunk to what is wrong with it; pure."""

from ringdown.doctor import hearing, login, reachability, refusal
from ringdown.doctor.finding import Finding
from ringdown.doctor.observation import Observations


def diagnose(seen: Observations) -> list[Finding]:
    """The faults, in the order in which they are met on the way; empty for a healthy trunk."""
    findings = reachability.find_faults(seen)
    if seen.location_fault is not None or not reachability.is_heard(seen):
        return findings
    findings += _find_rewriting(seen)
    findings += login.find_faults(seen)
    findings += refusal.find_faults(seen)
    findings += hearing.find_faults(seen)
    return findings


def _find_rewriting(seen: Observations) -> list[Finding]:
    if seen.rewritten is None:
        return []
    written, returned = seen.rewritten
    return [
        Finding(
            "sip_alg",
            f"Something between us and the peer rewrites SIP (a SIP ALG in a router): our address {written} comes "
            f"back as {returned}.",
            "Switch the SIP ALG (SIP helper, SIP fixup) of the router off, or set `transport` to `tls`.",
        )
    ]
