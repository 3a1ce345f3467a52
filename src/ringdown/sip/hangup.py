"""One BYE: sends it within a dialog, answers a challenge, and says when it is settled."""

from collections.abc import Callable
from typing import Literal

from ringdown.sip.dialog import Dialog
from ringdown.sip.digest import Authenticator
from ringdown.sip.message import Response
from ringdown.sip.stack import Stack


class Hangup:
    """Ends one dialog; `on_done(now)` is called once, whatever the peer answers (RFC 3261 §15.1.1)."""

    def __init__(
        self, stack: Stack, dialog: Dialog, *, authenticator: Authenticator, on_done: Callable[[float], None]
    ) -> None:
        self._stack = stack
        self._dialog = dialog
        self._authenticator = authenticator
        self._on_done = on_done
        authenticator.begin_request()
        self.status: int | None = None
        """The final response; `None` while there is none, or when the peer is gone."""

    def send(self, now: float) -> None:
        """Send the BYE."""
        dialog = self._dialog
        destination = dialog.next_hop()
        dialog.local_cseq += 1
        request = dialog.build_request(
            "BYE",
            via=self._stack.build_via(destination),
            cseq=dialog.local_cseq,
            fields=[
                *self._authenticator.authorize("BYE", dialog.remote_target),
                ("User-Agent", self._stack.user_agent),
            ],
        )
        self._stack.transactions.request(request, destination=destination, user=self, now=now)

    def on_response(self, response: Response, now: float) -> None:
        """Retry after a challenge; any other final response settles it."""
        if response.status in (401, 407) and self._authenticator.accept_challenge(response):
            self.send(now)
        elif response.status >= 200:
            self.status = response.status
            self._on_done(now)

    def on_failure(self, _failure: Literal["timeout", "transport"], now: float) -> None:
        """The peer is gone: settled as well."""
        self._on_done(now)
