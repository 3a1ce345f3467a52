"""Requests of ours outside of any dialog, such as OPTIONS and REGISTER, and what came of them; does no I/O."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from ringdown.sip.address import NameAddr
from ringdown.sip.destination import Destination
from ringdown.sip.dialog import new_tag
from ringdown.sip.digest import Authenticator, Credentials
from ringdown.sip.events import NO_RESPONSE, TRANSPORT_FAILED
from ringdown.sip.message import Headers, Request, Response
from ringdown.sip.stack import Stack
from ringdown.sip.transaction import ClientTransaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The final response; or our own verdict, `is_local`: 408 when nothing came, 503 when nothing could be sent."""

    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    round_trip_ms: float | None = None
    """From the last request to its final response."""
    is_local: bool = False
    source: tuple[str, int] | None = None
    """The address that the response came from."""
    observed: tuple[str, int] | None = None
    """Our address as the peer saw it (RFC 3581)."""
    hop: Destination | None = None
    """Where the request was sent."""
    fault: str | None = None
    """Why nothing came, e.g. `connection refused`, `timed out`, `certificate: …`, `not TLS`, `host unknown: …`."""


class Inquirer:
    """Asks one peer, one request at a time, with one Call-ID and a rising CSeq; answers its challenges.

    Raises `ValueError` for an address that cannot be used.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        target: str,
        from_uri: str,
        to_uri: str | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.connection: int | None = None
        """The stream that took the last request."""
        self._stack = stack
        self._target = target
        self._from = NameAddr(from_uri, None, {"tag": new_tag()}).serialize()
        self._to = NameAddr(to_uri or target).serialize()
        self._authenticator = Authenticator(credentials)
        self._call_id = secrets.token_hex(16)
        self._cseq = 0

    def ask(
        self,
        method: str,
        *,
        hop: Destination,
        now: float,
        timeout_s: float,
        on_reply: Callable[[Reply], None],
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        """Send a request, again after each challenge; `on_reply` is called once, within `timeout_s`.

        Raises `ValueError` for a method, target or header that cannot be sent.
        """
        self._authenticator.begin_request()
        question = _Question(method, hop, tuple(headers), body, on_reply, now + timeout_s)
        self._send(question, now)

    def _send(self, question: "_Question", now: float) -> None:
        self._cseq += 1
        routes = [field for field in question.headers if field[0].lower() == "route"]
        fields = [
            ("Via", self._stack.build_via(question.hop)),
            *routes,
            ("Max-Forwards", "70"),
            ("From", self._from),
            ("To", self._to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} {question.method}"),
            ("User-Agent", self._stack.user_agent),
            *self._authenticator.authorize(question.method, self._target),
            *(field for field in question.headers if field not in routes),
        ]
        request = Request.build(question.method, self._target, fields, question.body)
        attempt = _Attempt(self, question, now)
        transaction = self._stack.transactions.request(request, destination=question.hop, user=attempt, now=now)
        attempt.transaction = transaction
        transaction.expire_after(max(question.deadline - now, 0.0), now)

    def take_response(self, attempt: "_Attempt", response: Response, now: float) -> None:
        """A final response came."""
        question, transaction = attempt.question, attempt.transaction
        assert transaction is not None
        self.connection = transaction.connection
        is_challenge = response.status in (401, 407)
        if is_challenge and now < question.deadline and self._authenticator.accept_challenge(response):
            self._send(question, now)
            return
        source = transaction.answered_from
        question.on_reply(
            Reply(
                status=response.status,
                reason=response.reason,
                headers=response.headers,
                body=response.body,
                round_trip_ms=(now - attempt.sent_at) * 1000,
                source=None if source is None else (source.host, source.port),
                observed=None if source is None else self._stack.transactions.reach.observed.get(source.host),
                hop=question.hop,
            )
        )

    def take_failure(self, attempt: "_Attempt", failure: Literal["timeout", "transport"]) -> None:
        """No final response will come."""
        assert attempt.transaction is not None
        status, reason = (408, NO_RESPONSE) if failure == "timeout" else (503, TRANSPORT_FAILED)
        hop, why = attempt.question.hop, attempt.transaction.fault
        attempt.question.on_reply(Reply(status=status, reason=reason, is_local=True, hop=hop, fault=why))


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    hop: Destination
    headers: tuple[tuple[str, str], ...]
    body: bytes
    on_reply: Callable[[Reply], None]
    deadline: float


class _Attempt:
    """One request of a question: the first, or the one after a challenge."""

    def __init__(self, inquirer: Inquirer, question: _Question, sent_at: float) -> None:
        self.question = question
        self.sent_at = sent_at
        self.transaction: ClientTransaction | None = None
        self._inquirer = inquirer

    def on_response(self, response: Response, now: float) -> None:
        """A response came."""
        if response.status >= 200:
            self._inquirer.take_response(self, response, now)

    def on_failure(self, failure: Literal["timeout", "transport"], _now: float) -> None:
        """No final response will come."""
        self._inquirer.take_failure(self, failure)
