"""A SIP carrier for tests: registrar, OPTIONS and calls with audio, healthy by default, able to have the usual faults.

Written on plain sockets, so that a fault of our own stack cannot hide behind the same fault here; only the message
parser is shared.
"""

import asyncio
import contextlib
import hashlib
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ringdown.sip.address import NameAddr, Uri
from ringdown.sip.digest import parse_digest
from ringdown.sip.message import Request, Response, Via, parse_message
from tests.fakes import carrier_sockets
from tests.fakes.carrier_media import CarrierMedia, MediaBehaviour
from tests.fakes.carrier_sockets import Address, Send, Transport

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, UPDATE"
REALM = "carrier.example"
_FORMS = {"from": "From", "p_asserted_identity": "P-Asserted-Identity", "remote_party_id": "Remote-Party-Id"}
_RING_S = 0.15


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What the carrier does with requests; each default is that of a healthy one."""

    transport: Transport = "udp"
    tls: ssl.SSLContext | None = None
    is_silent: bool = False
    ignores: frozenset[str] = frozenset()
    """Methods that are left without an answer."""
    users: Mapping[str, str] = field(default_factory=lambda: {"alice": "secret"})
    unknown_user_status: int = 404
    """Of a REGISTER; 401 hides which users there are."""
    wrong_password_status: int = 401
    registration_status: int = 200
    asks_caller: bool = True
    """Whether a call needs the credentials too."""
    caller_id_form: Literal["from", "p_asserted_identity", "remote_party_id"] = "from"
    caller_ids: str = r".*"
    """The callers that may be shown, as a pattern."""
    numbers: str = r".*"
    """How a number must be dialled, as a pattern."""
    refusal_status: int = 403
    max_calls: int = 10
    sdp_refusal_status: int = 488
    rewrites_to: str | None = None
    """The address that a SIP ALG between us puts in place of ours."""
    observed_host: str | None = None
    """The caller's address as the carrier claims to see it, through a NAT."""
    media: MediaBehaviour = field(default_factory=MediaBehaviour)


@dataclass(slots=True)
class _LiveCall:
    invite: Request
    send: Send
    media: CarrierMedia
    answer: Response
    ringing: asyncio.TimerHandle | None = None


class Carrier:
    """One carrier on one port; `run` starts and stops it."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.port = 0
        self.requests: list[Request] = []
        self.bindings: dict[str, list[str]] = {}
        self.medias: list[CarrierMedia] = []
        self.most_calls = 0
        self._calls: dict[str, _LiveCall] = {}
        self._nonces: set[str] = set()
        self._answers: dict[tuple[str, str], bytes] = {}

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["Carrier"]:
        """Serve on a free port of the loopback address."""
        async with carrier_sockets.listen(self.behaviour.transport, self._receive, self.behaviour.tls) as port:
            self.port = port
            try:
                yield self
            finally:
                for call in self._calls.values():
                    if call.ringing is not None:
                        call.ringing.cancel()
                await asyncio.gather(*(media.close() for media in self.medias))

    @property
    def live_calls(self) -> int:
        """How many calls ring or are up."""
        return len(self._calls)

    def _receive(self, data: bytes, source: Address, send: Send) -> None:
        if self.behaviour.is_silent:
            return
        message = parse_message(data)
        if isinstance(message, Response):
            return
        repeated = self._answers.get((message.via.branch, message.method))
        if repeated is not None:
            send(repeated)
            return
        self.requests.append(message)
        request = self._as_it_arrives(message, source)
        match request.method:
            case method if method == "ACK" or method in self.behaviour.ignores:
                return
            case "OPTIONS" | "UPDATE":
                answer = _respond(request, 200)
            case "REGISTER":
                answer = self._register(request)
            case "INVITE":
                answer = self._invite(request, send)
            case "CANCEL":
                answer = self._cancel(request)
            case "BYE":
                answer = self._bye(request)
            case _:
                answer = _respond(request, 405)
        self._send(answer, send)

    def _send(self, answer: Response, send: Send) -> None:
        if answer.status >= 200:
            self._answers[answer.via.branch, answer.cseq_method] = answer.serialize()
        send(answer.serialize())

    def _as_it_arrives(self, request: Request, source: Address) -> Request:
        """The request with `received` and `rport` (RFC 3581), and with what a SIP ALG on the way has rewritten."""
        host = self.behaviour.rewrites_to
        via = request.via
        params = {**via.params, "received": self.behaviour.observed_host or source[0], "rport": str(source[1])}
        request.via = Via(via.transport, host or via.host, via.port, params)
        request.headers.replace_first("Via", request.via.serialize())
        contact = request.headers.get("Contact")
        if host is not None and contact is not None:
            request.headers.replace_first("Contact", re.sub(r"@[^:;>]+", f"@{host}", contact))
        return request

    def _register(self, request: Request) -> Response:
        user = Uri.parse(request.to.uri).user or ""
        refusal = self._check_credentials(request, user)
        if refusal is not None:
            return refusal
        if self.behaviour.registration_status != 200:
            return _respond(request, self.behaviour.registration_status)
        bindings = self.bindings.setdefault(user, [])
        for contact in request.headers.get_all("Contact"):
            uri = NameAddr.parse(contact).uri
            if uri in bindings:
                bindings.remove(uri)
            if "expires=0" not in contact and request.headers.get("Expires") != "0":
                bindings.append(uri)
        return _respond(request, 200, [("Contact", f"<{uri}>;expires=60") for uri in bindings])

    def _check_credentials(self, request: Request, user: str | None) -> Response | None:
        """The refusal, or None when the digest is right (RFC 2617, without qop)."""
        is_call = request.method == "INVITE"
        value = request.headers.get("Proxy-Authorization" if is_call else "Authorization")
        if value is None:
            return self._challenge(request)
        params = parse_digest(value)
        name = params.get("username", "")
        if name not in self.behaviour.users or (user is not None and user != name):
            status = self.behaviour.unknown_user_status
            return self._challenge(request) if status == 401 else _respond(request, status)
        secret = _md5(f"{name}:{REALM}:{self.behaviour.users[name]}")
        subject = _md5(f"{request.method}:{params.get('uri')}")
        expected = _md5(f"{secret}:{params.get('nonce')}:{subject}")
        if params.get("response") != expected or params.get("nonce") not in self._nonces:
            status = self.behaviour.wrong_password_status
            return self._challenge(request) if status == 401 else _respond(request, status)
        return None

    def _challenge(self, request: Request) -> Response:
        nonce = secrets.token_hex(8)
        self._nonces.add(nonce)
        status, name = (407, "Proxy-Authenticate") if request.method == "INVITE" else (401, "WWW-Authenticate")
        return _respond(request, status, [(name, f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5')])

    def _invite(self, request: Request, send: Send) -> Response:
        call = self._calls.get(request.call_id)
        if call is not None:  # a re-INVITE: nothing changes
            return _respond(request, 200, self._call_fields(), body=call.answer.body)
        refusal = self._check_credentials(request, None) if self.behaviour.asks_caller else None
        refusal = refusal or self._refuse_call(request)
        if refusal is not None:
            return refusal
        media = CarrierMedia(self.behaviour.media)
        self.medias.append(media)
        body = media.answer(request.body)
        if body is None:
            return _respond(request, self.behaviour.sdp_refusal_status)
        answer = _respond(request, 200, self._call_fields(), body=body)
        call = self._calls[request.call_id] = _LiveCall(request, send, media, answer)
        self.most_calls = max(self.most_calls, len(self._calls))
        call.ringing = asyncio.get_running_loop().call_later(_RING_S, self._answer, call)
        ringing = _respond(request, 180, [("Contact", f"<sip:carrier@127.0.0.1:{self.port}>")])
        ringing.headers.replace_first("To", answer.headers.get("To") or "")
        return ringing

    def _refuse_call(self, request: Request) -> Response | None:
        behaviour = self.behaviour
        shown = request.headers.get(_FORMS[behaviour.caller_id_form])
        caller = Uri.parse(NameAddr.parse(shown).uri).user if shown else None
        number = Uri.parse(request.uri).user or ""
        is_refused = caller is None or not re.fullmatch(behaviour.caller_ids, caller)
        is_refused |= not re.fullmatch(behaviour.numbers, number) or len(self._calls) >= behaviour.max_calls
        return _respond(request, behaviour.refusal_status) if is_refused else None

    def _answer(self, call: _LiveCall) -> None:
        call.ringing = None
        call.media.start()
        self._send(call.answer, call.send)

    def _cancel(self, request: Request) -> Response:
        call = self._calls.get(request.call_id)
        if call is not None and call.ringing is not None:
            call.ringing.cancel()
            del self._calls[request.call_id]
            self._send(_respond(call.invite, 487), call.send)
        return _respond(request, 200)

    def _bye(self, request: Request) -> Response:
        call = self._calls.pop(request.call_id, None)
        if call is None:
            return _respond(request, 481)
        self._closing = asyncio.create_task(call.media.close())
        return _respond(request, 200)

    def _call_fields(self) -> list[tuple[str, str]]:
        transport = "" if self.behaviour.transport == "udp" else f";transport={self.behaviour.transport}"
        contact = ("Contact", f"<sip:carrier@127.0.0.1:{self.port}{transport}>")
        return [contact, ("Content-Type", "application/sdp")]


def _respond(
    request: Request, status: int, fields: list[tuple[str, str]] | None = None, *, body: bytes = b""
) -> Response:
    tag = hashlib.md5(request.call_id.encode()).hexdigest()[:8]
    return Response.build(request, status, tag=tag, fields=[("Allow", ALLOW), *(fields or [])], body=body)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
