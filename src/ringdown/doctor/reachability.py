"""Why the peer of a trunk cannot be spoken with: name, port, TLS, silence; pure."""

import ipaddress

from ringdown.doctor.finding import Finding
from ringdown.doctor.observation import Contact, Observations
from ringdown.sip import fault, network
from ringdown.sip.address import join_host_port

_CERTIFICATE = "certificate: "
_PEER_REFUSES_OURS = "the peer refuses ours"
#: Faults that say that the request cannot have arrived, so that asking once more is of no use.
_FINAL = (fault.REFUSED, fault.NOT_TLS, fault.IS_TLS)


def is_final(contact: Contact) -> bool:
    """Whether nothing else need be tried at this address."""
    why = contact.outcome.fault or ""
    return why in _FINAL or why.startswith(_CERTIFICATE)


def is_heard(seen: Observations) -> bool:
    """Whether the peer has said anything at all."""
    outcomes = [contact.outcome for contact in seen.contacts]
    outcomes += [seen.login.outcome] if seen.login else []
    outcomes += [seen.call.outcome] if seen.call else []
    return any(outcome.is_heard for outcome in outcomes)


def is_out_of_reach(own_host: str, host: str) -> bool:
    """Whether our address is one from which only this machine can be reached, and the peer is elsewhere."""
    addresses = [ipaddress.ip_address(one.partition("%")[0]) for one in (own_host, host) if network.is_literal(one)]
    return len(addresses) == 2 and addresses[0].is_loopback and not addresses[1].is_loopback


def find_faults(seen: Observations) -> list[Finding]:
    """One finding for each fault of the way to the peer; none when it is heard at every address."""
    if seen.location_fault is not None:
        return [_explain_location(seen)]
    if any(is_out_of_reach(seen.own_host, contact.destination.host) for contact in seen.contacts):
        return [_explain_own_address(seen)]
    silent = [contact for contact in seen.contacts if not contact.outcome.is_heard]
    if is_heard(seen) and len(seen.contacts) == len(silent):
        silent = []  # a peer that does not answer OPTIONS, but requests that matter
    found: dict[str, Finding] = {}
    for contact in silent:
        finding = _explain(contact, seen)
        found.setdefault(finding.code, finding)
    return list(found.values()) or _explain_ignored(seen)


def _explain_ignored(seen: Observations) -> list[Finding]:
    """A peer that is there, but leaves a request of ours without an answer."""
    asked = [("REGISTER", seen.login.outcome)] if seen.login is not None else []
    asked += [("the test call", seen.call.outcome)] if seen.call is not None else []
    ignored = next(((name, outcome) for name, outcome in asked if not outcome.is_heard), None)
    if ignored is None:
        return []
    name, outcome = ignored
    return [
        Finding(
            "no_answer",
            f"The peer is there, but does not answer {name} ({outcome}).",
            "Have the peer allow this machine's address; if a firewall drops long UDP packets, set `transport` to "
            "`tcp` or `tls`.",
        )
    ]


def _explain_own_address(seen: Observations) -> Finding:
    return Finding(
        "local_address",
        f"SIP listens on {seen.own_host}, from which only this machine can be reached, and the peer is elsewhere.",
        "Set `RINGDOWN_SIP_HOST` to `0.0.0.0`, or to this machine's address on the network.",
    )


def _explain_location(seen: Observations) -> Finding:
    return Finding(
        "host_unknown",
        seen.location_fault or "",
        "Correct the name in `hosts` (or `outbound_proxy`), or the name server of this machine.",
    )


def _explain(contact: Contact, seen: Observations) -> Finding:
    hop = contact.destination
    place = join_host_port(hop.host, hop.port)
    where = f"{place} over {hop.transport.upper()}"
    why = contact.outcome.fault or fault.TIMED_OUT
    same_port = {way.transport for way in seen.other_ways if way.port == hop.port}
    if why.startswith(_CERTIFICATE):
        return _explain_certificate(place, why.removeprefix(_CERTIFICATE))
    if why == fault.CLOSED and hop.transport == "tls":
        # With TLS 1.3 a client certificate is refused after the handshake, and the reason may get lost.
        return _explain_own_certificate(
            f"The peer at {place} agrees on TLS and closes the connection, as when it misses a certificate of ours."
        )
    if why == fault.REFUSED:
        return Finding(
            "port_closed",
            f"Nobody listens at {where}: the port is closed.",
            _suggest_transport(seen) or "Correct the port in `hosts`, or have the peer (or its firewall) open it.",
        )
    if why == fault.NOT_TLS or (hop.transport == "tls" and "tcp" in same_port):
        return Finding(
            "tls_absent",
            f"TLS is expected, but the peer at {place} does not speak it.",
            _suggest_transport(seen) or "Correct the port in `hosts`, or set `transport` to `tcp` or `udp`.",
        )
    if why == fault.IS_TLS or (hop.transport == "tcp" and "tls" in same_port):
        return Finding("tls_required", f"The peer at {place} speaks TLS only.", "Set `transport` to `tls`.")
    return Finding(
        "no_answer",
        f"The peer at {where} does not answer ({why}).",
        _suggest_transport(seen)
        or "Have the peer allow this machine's address, and let the firewall pass SIP both ways.",
    )


def _explain_certificate(place: str, why: str) -> Finding:
    if why.startswith(_PEER_REFUSES_OURS):
        return _explain_own_certificate(f"The peer at {place} does not accept our TLS certificate: {why}.")
    return Finding(
        "tls_certificate",
        f"The TLS certificate of {place} is wrong: {why}.",
        "Set `tls_ca` to the authority that signed it, `tls_server_name` to the name it is for, "
        "or have the peer install a valid one.",
    )


def _explain_own_certificate(sentence: str) -> Finding:
    return Finding(
        "tls_certificate",
        sentence,
        "Set `tls_certificate` and `tls_private_key` to the pair that the peer has issued or knows.",
    )


def _suggest_transport(seen: Observations) -> str | None:
    if not seen.other_ways:
        return None
    way = seen.other_ways[0]
    where = join_host_port(way.host, way.port)
    return f"It answers at {where} over {way.transport.upper()}: set `transport` to `{way.transport}`."
