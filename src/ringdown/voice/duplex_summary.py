"""The summary of a call, written by a language model from what was said."""

from collections.abc import Sequence

from ringdown.voice import ports

_PROMPT = "Summarise this phone call in one to three sentences for the person who ordered it. Only the summary."
_SPEAKERS = {"user": "Caller", "assistant": "Agent"}


async def write_summary(model: ports.LanguageModel, history: Sequence[ports.Message]) -> str | None:
    """The model's summary; None when the caller said nothing. Raises `ports.ProviderError`."""
    if not any(message.role == "user" for message in history):
        return None
    lines = [
        f"{_SPEAKERS[message.role]}: {message.content}"
        for message in history
        if message.role in _SPEAKERS and message.content
    ]
    messages = (ports.Message("system", _PROMPT), ports.Message("user", "\n".join(lines)))
    parts = [part.text async for part in model.reply(messages) if isinstance(part, ports.TextDelta)]
    return "".join(parts).strip() or None
