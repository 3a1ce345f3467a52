"""Whether a flow can run: its graph, its outcomes, and a pronunciation for every word that is to be recognized."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ringdown import errors
from ringdown.agents.models import OUTCOMES
from ringdown.errors import FieldError
from ringdown.providers import pronunciation
from ringdown.tools.models import BUILTIN_NAMES, Tool
from ringdown.voice.flow import Flow
from ringdown.voice.flow_nodes import FlowError
from ringdown.voice.ports import ProviderError

# The other built-in tools follow the words, for which nodes have fields of their own.
_NODE_TOOLS = frozenset(("schedule_callback", "search_knowledge", "opt_out"))


class VoiceProviderFailed(errors.RingdownError):
    """The offline voice, which knows how words are pronounced, failed."""

    code, status = "provider_error", 502


async def check_flow(
    document: Mapping[str, Any],
    *,
    has_model: bool,
    language: str,
    tools: Sequence[Tool] = (),
    destinations: Collection[str] = (),
) -> None:
    """Raises `ValidationFailed` naming node and field, or node and word; `VoiceProviderFailed`.

    `tools` are the agent's, `destinations` the names of its transfer numbers.

    Only English is recognized by words; a flow in another language is answered with the keypad.
    """
    try:
        flow = Flow.parse(document, has_model=has_model)
    except FlowError as error:
        raise errors.invalid(_name_field(error.node, error.field), error.message) from error
    _check_outcomes(flow)
    _check_names(flow, tools=tools, destinations=destinations)
    if language.lower().split("-")[0] == "en":
        await _check_words(flow)


def _check_outcomes(flow: Flow) -> None:
    if flow.outcome is None or isinstance(flow.outcome, str):
        named = {"outcome": flow.outcome}
    else:
        named = {
            f"outcome.{slot}.{value}": outcome
            for slot, by_value in flow.outcome.items()
            for value, outcome in by_value.items()
        }
    refused = [
        FieldError(_name_field("", field), f"must be one of: {', '.join(OUTCOMES)}")
        for field, outcome in named.items()
        if outcome is not None and outcome not in OUTCOMES
    ]
    if refused:
        raise errors.ValidationFailed(refused)


def _check_names(flow: Flow, *, tools: Sequence[Tool], destinations: Collection[str]) -> None:
    """Whether the agent has the tools that nodes use, and the people to whom they transfer."""
    known = {*_NODE_TOOLS, *(tool.model_tool_name for tool in tools)}
    # What an MCP server has is known only once it was asked.
    is_open = any(tool.kind == "mcp" for tool in tools)
    refused = []
    for node in flow.nodes.values():
        name = node.tool.name if node.tool is not None else None
        if name is not None and name not in known and (not is_open or name in BUILTIN_NAMES):
            message = f"is not a tool of the agent; known are: {', '.join(sorted(known))}"
            refused.append(FieldError(_name_field(node.name, "tool.name"), message))
        to = node.transfer.to if node.transfer is not None else None
        if to is not None and not to.startswith("+") and to not in destinations:
            message = f"must be a phone number, or one of transfer_numbers: {', '.join(destinations) or 'none'}"
            refused.append(FieldError(_name_field(node.name, "transfer_to"), message))
    if refused:
        raise errors.ValidationFailed(refused)


async def _check_words(flow: Flow) -> None:
    nodes_of_word: dict[str, list[str]] = {}
    for node, phrase in flow.phrases():
        for word in phrase.split():
            nodes_of_word.setdefault(word, []).append(node)
    if not nodes_of_word:
        return
    try:
        unknown = await pronunciation.check_words(nodes_of_word)
    except ProviderError as error:
        raise VoiceProviderFailed(str(error), {"provider": error.provider, "retryable": error.retryable}) from error
    refused = [
        FieldError(
            _name_field(node, "listen.options" if node else "keywords"),
            f"the word {word!r} has no pronunciation; use another word",
        )
        for word in unknown
        for node in dict.fromkeys(nodes_of_word[word])
    ]
    if refused:
        raise errors.ValidationFailed(refused)


def _name_field(node: str, field: str) -> str:
    return f"flow.nodes.{node}.{field}" if node else f"flow.{field}"
