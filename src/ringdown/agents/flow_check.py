"""Whether a flow can run: its graph, its outcomes, and a pronunciation for every word that is to be recognized."""

from collections.abc import Mapping
from typing import Any

from ringdown import errors
from ringdown.agents.models import OUTCOMES
from ringdown.errors import FieldError
from ringdown.providers import pronunciation
from ringdown.voice.flow import Flow, FlowError
from ringdown.voice.ports import ProviderError


class VoiceProviderFailed(errors.RingdownError):
    """The offline voice, which knows how words are pronounced, failed."""

    code, status = "provider_error", 502


async def check_flow(document: Mapping[str, Any], *, has_model: bool, language: str) -> None:
    """Raises `ValidationFailed` naming node and field, or node and word; `VoiceProviderFailed`.

    Only English is recognized by words; a flow in another language is answered with the keypad.
    """
    try:
        flow = Flow.parse(document, has_model=has_model)
    except FlowError as error:
        raise errors.invalid(_name_field(error.node, error.field), error.message) from error
    _check_outcomes(flow)
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
        FieldError(_name_field(node, "listen.options"), f"the word {word!r} has no pronunciation; use another word")
        for word in unknown
        for node in dict.fromkeys(nodes_of_word[word])
    ]
    if refused:
        raise errors.ValidationFailed(refused)


def _name_field(node: str, field: str) -> str:
    return f"flow.nodes.{node}.{field}" if node else f"flow.{field}"
