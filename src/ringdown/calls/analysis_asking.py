"""Asks a model about a call: once by a tool, and once more in plain JSON when that answer cannot be used."""

import asyncio
from collections.abc import Sequence

from ringdown.calls.analysis import Verdict
from ringdown.calls.analysis_answer import MAX_ANSWER_CHARACTERS, ReadAnswer, read_answer
from ringdown.calls.analysis_request import TOOL_NAME, AnalysisRequest
from ringdown.voice.ports import LanguageModel, Message, ProviderError, TextDelta, ToolRequest, ToolSpec

# The same call shall be judged the same way.
_TEMPERATURE = 0.0
_MAX_REPEATED_CHARACTERS = 4_000


class UnusableAnswer(Exception):
    """The model has answered twice, and neither answer could be read; the message says what was wrong."""


async def ask(model: LanguageModel, request: AnalysisRequest, *, timeout_s: float) -> Verdict:
    """The model's verdict; `timeout_s` bounds each of the two answers.

    What does not fit after the second answer is left out of the verdict. Raises `UnusableAnswer`, and `ProviderError`
    when the model cannot be asked.
    """
    messages = request.messages
    first = ReadAnswer(None)
    try:
        answer = await _collect(model, messages, tools=[request.tool], timeout_s=timeout_s)
    except ProviderError:
        pass  # some servers know no tools, some models write them wrong: plain text is asked for before giving up
    else:
        first = read_answer(answer, request)
        if first.verdict is not None and first.problem is None:
            return first.verdict
        messages = request.ask_again(answer[:_MAX_REPEATED_CHARACTERS], first.problem or "")
    second = read_answer(await _collect(model, messages, tools=(), timeout_s=timeout_s), request)
    verdict = second.verdict or first.verdict
    if verdict is None:
        raise UnusableAnswer(f"The model's answer cannot be used: {second.problem}")
    return verdict


async def _collect(
    model: LanguageModel, messages: Sequence[Message], *, tools: Sequence[ToolSpec], timeout_s: float
) -> str:
    """The arguments of the tool, else the text. Raises `ProviderError`."""
    text = arguments = ""
    try:
        async with asyncio.timeout(timeout_s):
            async for part in model.reply(messages, tools=tools, temperature=_TEMPERATURE):
                if isinstance(part, ToolRequest) and part.name == TOOL_NAME:
                    arguments = part.arguments
                elif isinstance(part, TextDelta) and len(text) < MAX_ANSWER_CHARACTERS:
                    text += part.text
    except TimeoutError as error:
        raise ProviderError("analysis", "no answer in time", retryable=True) from error
    return arguments or text
