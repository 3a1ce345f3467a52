"""Loads aiortc for the gateways that take browser calls: others do without its 0.2 s at their start, and its memory."""

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringdown.gateway.webrtc_ice import IceLink

if TYPE_CHECKING:
    from ringdown.gateway.webrtc_dtls import DtlsSession

_MODULE = "ringdown.gateway.webrtc_dtls"


class HandshakeFailed(Exception):
    """No keys were agreed on; the text is a sentence without its full stop."""


async def load() -> None:
    """Import it, in a thread. Before there are calls: it holds them up by tens of milliseconds."""
    await asyncio.to_thread(importlib.import_module, _MODULE)


def new_dtls_session(link: IceLink, *, on_closed: Callable[[], None]) -> "DtlsSession":
    """A session that has sent nothing yet."""
    session: DtlsSession = importlib.import_module(_MODULE).DtlsSession(link, on_closed=on_closed)
    return session
