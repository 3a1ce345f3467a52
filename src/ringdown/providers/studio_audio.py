"""Raw audio of hosted voices on its way to a call: whole samples, at the call's rate, never waited for too long."""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

from ringdown.providers.resample import Resampler
from ringdown.voice.ports import ProviderError, Speech

#: The rate at which hosted voices are asked for 16-bit samples.
STUDIO_RATE_HZ: Literal[24000] = 24000


async def speak_chunks(
    chunks: AsyncIterator[bytes], *, provider: str, sample_rate_hz: int, timeout_s: float
) -> AsyncIterator[Speech]:
    """The audio at `sample_rate_hz`; raises `ProviderError` when there is none, or nothing comes for too long."""
    resampler = Resampler(from_hz=STUDIO_RATE_HZ, to_hz=sample_rate_hz)
    left, has_audio = b"", False
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                chunk = await anext(chunks, None)
        except TimeoutError as error:
            raise ProviderError(provider, "no answer in time", retryable=True) from error
        if chunk is None:
            break
        left += chunk
        whole = len(left) - len(left) % 2
        pcm, left = resampler.push(left[:whole]), left[whole:]
        if pcm:
            has_audio = True
            yield Speech(pcm)
    rest = resampler.flush()
    if rest:
        yield Speech(rest)
    elif not has_audio:
        raise ProviderError(provider, "no audio", retryable=True)
