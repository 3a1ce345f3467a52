"""The connection to an OpenAI-compatible server, and what its failures mean; knows neither chat nor speech."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

import httpx2
import openai

from ringdown.voice.ports import ProviderError

PROVIDER = "openai"
_CONNECT_TIMEOUT_S = 5.0
# 408 and 409 are the server's own lock and request timeouts, which its client library retries too.
_RETRYABLE_STATUSES = frozenset({408, 409, 425, 429})
_LASTING_CODES = frozenset({"insufficient_quota", "invalid_request_error", "billing_hard_limit_reached"})
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")

_Result = TypeVar("_Result")


def open_client(*, base_url: str, api_key: str | None, timeout_s: float) -> openai.AsyncOpenAI:
    """A client that never retries by itself: the conversation decides that. `timeout_s` bounds each read."""
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=api_key or "none",  # local servers want no key, the client library wants one
        max_retries=0,
        timeout=httpx2.Timeout(timeout_s, connect=min(_CONNECT_TIMEOUT_S, timeout_s)),
    )


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what the client library raises into `ProviderError`.

    Texts of the server are left out: they repeat keys and what was said.
    """
    try:
        yield
    except TimeoutError as error:
        raise ProviderError(PROVIDER, "no answer in time", retryable=True) from error
    except openai.APITimeoutError as error:
        raise ProviderError(PROVIDER, "no answer in time", retryable=True) from error
    except openai.APIConnectionError as error:
        raise ProviderError(PROVIDER, "no connection", retryable=True) from error
    except openai.APIStatusError as error:
        raise _from_status(error) from error
    except openai.APIResponseValidationError as error:
        raise ProviderError(PROVIDER, "an answer that cannot be read", retryable=True) from error
    except openai.APIError as error:  # an error event in the middle of a stream
        code = _read_code(error)
        raise ProviderError(PROVIDER, _join("failed while answering", code), retryable=_is_passing(code)) from error
    except (openai.OpenAIError, httpx2.HTTPError, httpx2.StreamError) as error:
        raise ProviderError(PROVIDER, "the answer broke off", retryable=True) from error
    except ValueError as error:  # JSON and UTF-8 that cannot be decoded
        raise ProviderError(PROVIDER, "an answer that cannot be read", retryable=True) from error


def _from_status(error: openai.APIStatusError) -> ProviderError:
    code = _read_code(error)
    is_retryable = error.status_code >= 500 or error.status_code in _RETRYABLE_STATUSES
    message = _join(f"HTTP {error.status_code}", code)
    return ProviderError(PROVIDER, message, retryable=is_retryable and _is_passing(code))


def _is_passing(code: str) -> bool:
    return code not in _LASTING_CODES


def _read_code(error: openai.APIError) -> str:
    """The error's code or type, if it looks like one."""
    for candidate in (error.code, error.type):
        if isinstance(candidate, str) and _CODE.fullmatch(candidate):
            return candidate
    return ""


def _join(message: str, code: str) -> str:
    return f"{message} ({code})" if code else message


async def bound(steps: AsyncIterator[_Result], *, timeout_s: float) -> AsyncIterator[_Result]:
    """The same steps; raises `TimeoutError` when one of them takes longer than `timeout_s`."""
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                step = await anext(steps)
        except StopAsyncIteration:
            return
        yield step
