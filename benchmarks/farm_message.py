"""Reads and writes the SIP messages of the phone farm; shares nothing with the product, so as to be a witness.

Just as much of RFC 3261 as a phone behind one carrier needs: requests over UDP, one Via or several, no challenges.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}
_REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    503: "Service Unavailable",
    603: "Decline",
}
_BRANCH = re.compile(r";\s*branch\s*=\s*([^;,\s]+)", re.IGNORECASE)
_TAG = re.compile(r";\s*tag\s*=\s*([^;,\s]+)", re.IGNORECASE)
_URI = re.compile(r"<([^>]+)>")
_AUDIO = re.compile(rb"^m=audio (\d+) ", re.MULTILINE)
_HOST = re.compile(rb"^c=IN IP4 (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """A request, or a response when `status` is not 0; header values are as written."""

    method: str
    uri: str
    status: int
    vias: tuple[str, ...]
    headers: Mapping[str, str]
    """The last value of each by its long name in lower case."""
    body: bytes

    @property
    def call_id(self) -> str:
        return self.headers["call-id"]

    @property
    def cseq(self) -> int:
        return int(self.headers["cseq"].split()[0])

    @property
    def branch(self) -> str:
        found = _BRANCH.search(self.vias[0])
        return found[1] if found else ""

    @property
    def number(self) -> str:
        """The user part of the Request-URI."""
        return self.uri.partition(":")[2].partition("@")[0].partition(";")[0]

    @property
    def to_tag(self) -> str:
        found = _TAG.search(self.headers["to"])
        return found[1] if found else ""

    @property
    def contact(self) -> str:
        """The URI that requests of the dialog go to."""
        written = self.headers.get("contact", "")
        found = _URI.search(written)
        return found[1] if found else written.partition(";")[0]


def read(data: bytes) -> Message:
    """Parse a datagram. Raises `ValueError` when a field is lacking that every message has."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("utf-8").split("\r\n")
    vias, headers = list[str](), dict[str, str]()
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        name = _COMPACT.get(name, name)
        if name == "via":
            vias.append(value.strip())
        else:
            headers[name] = value.strip()
    if not vias or not {"from", "to", "call-id", "cseq"} <= headers.keys():
        raise ValueError("a mandatory field is lacking")
    method, uri, *_ = first.split(" ")
    if method == "SIP/2.0":
        return Message(headers["cseq"].split()[1], "", int(uri), tuple(vias), headers, body)
    return Message(method, uri, 0, tuple(vias), headers, body)


def respond(request: Message, status: int, *, tag: str = "", port: int = 0, body: bytes = b"") -> bytes:
    """The response to a request; with `port`, the Contact is there on loopback."""
    to = request.headers["to"]
    if tag and not request.to_tag:
        to = f"{to};tag={tag}"
    lines = [f"SIP/2.0 {status} {_REASONS[status]}", *(f"Via: {via}" for via in request.vias)]
    lines += [f"From: {request.headers['from']}", f"To: {to}", f"Call-ID: {request.call_id}"]
    lines += [f"CSeq: {request.headers['cseq']}", "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS"]
    if port:
        lines.append(f"Contact: <sip:farm@127.0.0.1:{port}>")
    if body:
        lines.append("Content-Type: application/sdp")
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def hang_up(invite: Message, *, tag: str, port: int, cseq: int, branch: str) -> bytes:
    """The BYE of the side that was called, in the dialog of this INVITE."""
    lines = [f"BYE {invite.contact} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch={branch};rport"]
    lines += [f"From: {invite.headers['to']};tag={tag}", f"To: {invite.headers['from']}", f"Call-ID: {invite.call_id}"]
    return "\r\n".join([*lines, f"CSeq: {cseq} BYE", "Max-Forwards: 70", "Content-Length: 0", "", ""]).encode()


def read_audio_port(body: bytes) -> int:
    """Where an SDP wants audio sent, on loopback; 0 when it offers none."""
    audio = _AUDIO.search(body)
    return int(audio[1]) if audio and _HOST.search(body) else 0


def build_sdp(port: int) -> bytes:
    """The answer of a phone that speaks PCMU, 20 ms."""
    lines = ["v=0", "o=farm 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", f"m=audio {port} RTP/AVP 0"]
    return "\r\n".join([*lines, "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=sendrecv", ""]).encode()
