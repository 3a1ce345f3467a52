"""Loads the carriers' packages at their first use, and runs their blocking clients in threads of their own."""

import asyncio
import functools
import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ringdown.config import Settings
from ringdown.telephony.carrier import Carrier, CarrierAccount, CarrierFailed

#: How long a client waits for one answer, in seconds.
REQUEST_TIMEOUT_S = 15.0
# A use of a carrier is up to five requests, and Telnyx' package takes seconds to load.
_TIMEOUT_S = 40.0
_MAX_THREADS = 8

T = TypeVar("T")


class Carriers:
    """The carriers of the settings; hanging ones never hold up other work of the process."""

    def __init__(self, settings: Settings, *, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        self._urls = {"telnyx": settings.telnyx_url, "twilio": settings.twilio_url}
        self._timeout_s = timeout_s

    async def run(self, account: CarrierAccount, work: Callable[[Carrier], T]) -> T:
        """Do `work` with the carrier of an account. Raises `CarrierFailed`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await loop.run_in_executor(_get_threads(), self._run, account, work)
        except TimeoutError:
            raise CarrierFailed(account.provider, "failed", "no answer in time", is_sent=True) from None

    def _run(self, account: CarrierAccount, work: Callable[[Carrier], T]) -> T:
        module = importlib.import_module(f"ringdown.telephony.{account.provider}_carrier")
        with module.open_carrier(account, url=self._urls[account.provider], timeout_s=self._timeout_s) as carrier:
            return work(carrier)


@functools.cache
def _get_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="carrier")
