"""The `parameters` of OpenAI-compatible providers: those that the client library of each request knows."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from openai.resources.audio.speech import AsyncSpeech
from openai.resources.audio.transcriptions import AsyncTranscriptions
from openai.resources.chat.completions import AsyncCompletions
from openai.resources.embeddings import AsyncEmbeddings

from ringdown.providers.registry import ProviderKind

_REQUESTS: Mapping[ProviderKind, Callable[..., Any]] = {
    "speech_to_text": AsyncTranscriptions.create,
    "language_model": AsyncCompletions.create,
    "text_to_speech": AsyncSpeech.create,
    "embedding": AsyncEmbeddings.create,
}
# What the adapters set themselves.
_OURS = {
    *("self", "model", "stream", "extra_headers", "extra_query", "timeout", "temperature", "response_format"),
    *("messages", "stream_options", "tools", "tool_choice", "functions", "function_call", "n"),
    *("file", "language", "timestamp_granularities", "include", "chunking_strategy"),
    *("input", "voice", "stream_format", "encoding_format"),
}
#: Asks for word times (`verbose_json`), which not every model knows.
WORD_TIMES = "has_word_times"
#: Has the language detected that was spoken (`verbose_json`, too), instead of naming one.
LANGUAGE = "detects_language"
#: Whether the temperature of the agent is sent; some models refuse any.
TEMPERATURE = "has_temperature"


def find_parameters(kind: ProviderKind) -> frozenset[str]:
    """The names that `parameters` of a provider of this kind may have."""
    known = set(inspect.signature(_REQUESTS[kind]).parameters) - _OURS
    if kind == "speech_to_text":
        known |= {WORD_TIMES, LANGUAGE, "temperature"}
    if kind == "language_model":
        known.add(TEMPERATURE)
    return frozenset(known)
