"""Loads aiortc at its first use: its import takes a fifth of a second, and many gateways never meet a browser."""

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringdown.gateway.webrtc_ice import IceLink

if TYPE_CHECKING:
    from ringdown.gateway.webrtc_dtls import DtlsSession


class HandshakeFailed(Exception):
    """No keys were agreed on; the text is a sentence without its full stop."""


async def new_dtls_session(link: IceLink, *, on_closed: Callable[[], None]) -> "DtlsSession":
    """A session that has sent nothing yet. The import runs in a thread, so that live calls go on meanwhile."""
    module = await asyncio.to_thread(importlib.import_module, "ringdown.gateway.webrtc_dtls")
    session: DtlsSession = module.DtlsSession(link, on_closed=on_closed)
    return session
