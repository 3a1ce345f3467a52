"""Why the audio of a test call does not pass, or not well: addresses, firewalls, digits, clocks; pure."""

from ringdown.doctor.finding import Finding
from ringdown.doctor.observation import Audio, Observations
from ringdown.sip import network

#: Crystals differ by up to 100 ppm, clocks of virtual machines by some more; beyond, buffers run full within a minute.
MAX_DRIFT_PPM = 500.0
#: The first report may be older than our first packet.
MIN_REPORTS = 2


def find_faults(seen: Observations) -> list[Finding]:
    """The findings about addresses, packets both ways, keypad events and the far clock."""
    audio = seen.audio
    if audio is None:
        return []
    findings = [_judge_inbound(audio, seen), _judge_outbound(audio), _judge_digits(audio, seen), _judge_clock(audio)]
    return [finding for finding in findings if finding is not None]


def _judge_inbound(audio: Audio, seen: Observations) -> Finding | None:
    if audio.packets_received or not audio.is_sent_to_us:
        return None
    if audio.packets_unauthenticated:
        return Finding(
            "srtp_mismatch",
            "The peer's audio does not fit the SRTP keys that were agreed on.",
            "Set `srtp` to `off`, or have the peer use SDES with the keys of its answer.",
        )
    if _is_peer_address_hidden(audio):
        return _explain_private(audio, seen)
    if audio.foreign_sources:
        return Finding(
            "rtp_other_source",
            f"The audio comes from {audio.foreign_sources[0]}, while the peer's SDP names "
            f"{audio.host}:{audio.port}, so that it is not heard.",
            "Have the peer send RTP from the address in its SDP (symmetric RTP), or name the sending address there.",
        )
    if _is_own_address_hidden(audio):
        return Finding(
            "private_address",
            f"Our SDP names the private address {audio.own_host}, while the peer sees us at {audio.observed_host}, "
            "and no audio comes.",
            f"Set `RINGDOWN_PUBLIC_HOST` to `{audio.observed_host}` (or to `stun`).",
        )
    return Finding(
        "rtp_blocked_inbound",
        f"No audio comes in: not one RTP packet of {audio.host} has arrived.",
        "Let the firewall pass UDP to the ports `RINGDOWN_RTP_PORT_MIN` to `RINGDOWN_RTP_PORT_MAX` of this machine.",
    )


def _explain_private(audio: Audio, seen: Observations) -> Finding:
    remedy = "Have the peer name its public address in the SDP (its NAT or `external media address` setting)"
    is_from_peer = any(source.rpartition(":")[0] == audio.signalling_host for source in audio.foreign_sources)
    if is_from_peer and seen.trunk.nat == "off":
        remedy += ", or set `nat` to `auto`: audio is then answered where it comes from"
    elif is_from_peer:
        remedy += "; calls go on meanwhile, since `nat` is `auto`"
    return Finding(
        "private_address",
        f"The peer's SDP names the private address {audio.host}, while the peer signals from "
        f"{audio.signalling_host}: audio sent there is lost.",
        f"{remedy}.",
    )


def _is_peer_address_hidden(audio: Audio) -> bool:
    """Two hosts of one private network may share the work; audio from elsewhere shows that they do not."""
    if audio.host == audio.signalling_host or not network.is_private(audio.host):
        return False
    return bool(audio.foreign_sources) or not network.is_private(audio.signalling_host)


def _is_own_address_hidden(audio: Audio) -> bool:
    return audio.observed_host not in (None, audio.own_host) and network.is_private(audio.own_host)


def _judge_outbound(audio: Audio) -> Finding | None:
    """Only a peer that reports by RTCP can show that our packets do not arrive."""
    if audio.reports_received < MIN_REPORTS or audio.is_reported:
        return None
    return Finding(
        "rtp_blocked_outbound",
        f"Our audio does not arrive: the peer's RTCP reports know of no packet of ours sent to "
        f"{audio.host}:{audio.port}.",
        "Let the firewall pass UDP from the ports `RINGDOWN_RTP_PORT_MIN` to `RINGDOWN_RTP_PORT_MAX` to the peer's "
        "media addresses.",
    )


def _judge_digits(audio: Audio, seen: Observations) -> Finding | None:
    if audio.has_dtmf or seen.trunk.dtmf == "inband":
        return None
    return Finding(
        "dtmf_refused",
        "The peer refuses telephone events, so that keypad digits do not pass as events (RFC 4733).",
        "Set `dtmf` to `inband`, or have the peer allow telephone-event."
        if seen.trunk.dtmf == "rfc4733"
        else "Set `dtmf` to `inband` to say that tones are meant (`auto` uses them too), or have the peer allow "
        "telephone-event.",
    )


def _judge_clock(audio: Audio) -> Finding | None:
    drift = audio.clock_drift_ppm
    if drift is None or abs(drift) < MAX_DRIFT_PPM:
        return None
    return Finding(
        "clock_drift",
        f"The far end's clock runs {abs(drift):.0f} ppm too {'fast' if drift > 0 else 'slow'}: its audio "
        f"{'piles up' if drift > 0 else 'runs dry'} by {abs(drift) * 0.06:.0f} ms a minute.",
        "Have the peer mend its clock (NTP, the timing source of its PBX or virtual machine); no setting here helps.",
    )
