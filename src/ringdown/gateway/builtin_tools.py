"""The tools that every agent has for its call: what a model is told of them, and what its requests mean. No I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from ringdown import values
from ringdown.agents.models import Agent
from ringdown.calls.models import Call, CallCommand, Transfer
from ringdown.contacts.models import MAX_REASON_LENGTH
from ringdown.tools.arguments import parse_arguments
from ringdown.tools.models import BUILTIN_NAMES
from ringdown.voice import opt_out
from ringdown.voice.ports import ToolRequest, ToolSpec

TRANSFER = "transfer_call"
SEND_DIGITS = "send_digits"
LEAVE_VOICEMAIL = "leave_voicemail"
SCHEDULE_CALLBACK = "schedule_callback"
SEARCH_KNOWLEDGE = "search_knowledge"
OPT_OUT = opt_out.TOOL

_DIGITS = re.compile(r"[0-9*#A-Da-dWw,]{1,64}")


@dataclass(frozen=True, slots=True)
class Callback:
    """A promise to call again; `at_ms` is milliseconds UTC."""

    at_ms: int
    reason: str | None


def list_specs(agent: Agent, call: Call) -> Sequence[ToolSpec]:
    """The built-in tools of this call: those that the agent names, and those that belong to its other settings."""
    specs = []
    if call.direction == "outbound" or SEND_DIGITS in agent.tools:
        specs.append(_SEND_DIGITS_SPEC)
    if call.direction == "outbound":
        specs.append(_LEAVE_VOICEMAIL_SPEC)
    if SCHEDULE_CALLBACK in agent.tools:
        specs.append(_SCHEDULE_CALLBACK_SPEC)
    if agent.transfer_numbers:
        specs.append(_describe_transfer([number.name for number in agent.transfer_numbers]))
    if agent.knowledge_bases:
        specs.append(_SEARCH_KNOWLEDGE_SPEC)
    if values.is_e164(call.phone_number or ""):
        specs.append(_OPT_OUT_SPEC)
    return specs


def list_permitted(agent: Agent, call: Call) -> frozenset[str]:
    """The names of the built-in tools of this call: what a model was not told of, it does not use either."""
    of_flow = [node["tool"]["name"] for node in _list_nodes(agent) if node.get("tool")]
    return BUILTIN_NAMES & {*of_flow, *(spec.name for spec in list_specs(agent, call))}


def read_arguments(request: ToolRequest) -> Mapping[str, object]:
    """The arguments of a request. Raises `ValueError`."""
    return parse_arguments(request.arguments)


def read_transfer(agent: Agent, arguments: Mapping[str, object]) -> Transfer:
    """To whom the caller is handed over: one of the agent's own numbers, or of its flow. Raises `ValueError`."""
    wanted, introduction = arguments.get("destination"), _read_text(arguments, "introduction")
    for number in agent.transfer_numbers:
        if isinstance(wanted, str) and wanted.strip().casefold() == number.name.casefold():
            return Transfer(to=number.phone_number, mode=number.mode, introduction=introduction)
    for node in _list_nodes(agent):
        is_number = isinstance(wanted, str) and wanted.startswith("+")
        if is_number and node.get("end") == "transfer" and node.get("transfer_to") == wanted:
            return Transfer(to=str(wanted), mode=node.get("mode") or "blind", introduction=introduction)
    names = ", ".join(number.name for number in agent.transfer_numbers)
    raise ValueError(f"destination must be one of: {names or 'none'}.")


def read_digits(arguments: Mapping[str, object]) -> str:
    """The keys to press. Raises `ValueError`."""
    digits = str(arguments.get("digits", ""))
    if _DIGITS.fullmatch(digits) is None:
        raise ValueError("digits must be 1 to 64 keys: 0-9, *, #, A-D; w waits half a second.")
    return digits.upper()


def read_message(arguments: Mapping[str, object]) -> str:
    """What to say to a voicemail. Raises `ValueError`."""
    message = _read_text(arguments, "message")
    if message is None:
        raise ValueError("message must be the words to leave.")
    return message


def read_callback(arguments: Mapping[str, object]) -> Callback:
    """When to call again, and why. Raises `ValueError`."""
    text = str(arguments.get("at", ""))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("at must be an ISO 8601 time with its offset, such as 2026-04-05T15:30:00-04:00.") from None
    if at.tzinfo is None:
        raise ValueError("at needs the offset from UTC, such as 2026-04-05T15:30:00-04:00.")
    return Callback(int(at.timestamp() * 1000), _read_text(arguments, "reason"))


def read_query(arguments: Mapping[str, object]) -> str:
    """What to look for. Raises `ValueError`."""
    query = _read_text(arguments, "query")
    if query is None:
        raise ValueError("query must be the words to look for.")
    return query


def read_reason(arguments: Mapping[str, object]) -> str | None:
    """Why somebody does not want to be called any more, if they said so."""
    reason = _read_text(arguments, "reason")
    return None if reason is None else reason[:MAX_REASON_LENGTH]


def to_command(agent: Agent, call: Call, request: ToolRequest) -> CallCommand:
    """What the gateway does when the words before the request have been played. Raises `ValueError`."""
    arguments = read_arguments(request)
    if request.name == TRANSFER:
        transfer = read_transfer(agent, arguments)
        asked: dict[str, object] = {"to": transfer.to, "mode": transfer.mode, "introduction": transfer.introduction}
        return CallCommand(call.organization_id, call.id, "transfer", asked)
    if request.name == SEND_DIGITS:
        return CallCommand(call.organization_id, call.id, "send_digits", {"digits": read_digits(arguments)})
    raise ValueError(f"There is no tool {request.name} that runs after the words.")


def _read_text(arguments: Mapping[str, object], name: str) -> str | None:
    value = arguments.get(name)
    return values.clean_text(str(value)).strip()[:1000] or None if value is not None else None


def _list_nodes(agent: Agent) -> Sequence[Mapping[str, Any]]:
    """The nodes of the agent's flow as they are stored: parsing them all would hold up the media of other calls."""
    return () if agent.flow is None else tuple(cast("Mapping[str, Any]", agent.flow["nodes"]).values())


def _describe_transfer(names: Sequence[str]) -> ToolSpec:
    return ToolSpec(
        name=TRANSFER,
        description="Hand the caller over to a person. Tell the caller so in the same answer. Use it when the caller "
        "asks for a person, or needs what you cannot do.",
        parameters=_object(
            {
                "destination": {"type": "string", "enum": list(names), "description": "To whom."},
                "introduction": {
                    "type": "string",
                    "description": "One sentence for that person: who is calling, and about what.",
                },
            },
            required=("destination",),
        ),
        runs="after_words",
    )


def _object(properties: Mapping[str, object], *, required: Sequence[str]) -> Mapping[str, object]:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


_SEND_DIGITS_SPEC = ToolSpec(
    name=SEND_DIGITS,
    description="Press keys on the phone's keypad, such as to answer an automatic menu. Say nothing with it when a "
    "machine is listening.",
    parameters=_object(
        {"digits": {"type": "string", "description": "The keys: 0-9, *, #; w waits half a second."}},
        required=["digits"],
    ),
    runs="after_words",
)
_LEAVE_VOICEMAIL_SPEC = ToolSpec(
    name=LEAVE_VOICEMAIL,
    description="Leave a message after the beep and hang up, when an answering machine or a voicemail has answered. "
    "Say nothing with it.",
    parameters=_object({"message": {"type": "string", "description": "The words to leave."}}, required=["message"]),
    runs="after_words",
)
_SCHEDULE_CALLBACK_SPEC = ToolSpec(
    name=SCHEDULE_CALLBACK,
    description="Promise to call this person again at a time that they named. Confirm the time in words first.",
    parameters=_object(
        {
            "at": {"type": "string", "description": "ISO 8601 with the offset, such as 2026-04-05T15:30:00-04:00."},
            "reason": {"type": "string", "description": "What the call will be about."},
        },
        required=["at"],
    ),
)
_OPT_OUT_SPEC = ToolSpec(
    name=OPT_OUT,
    description="Put the number of this person on the do-not-call list, at once and for good. Use it as soon as the "
    "person asks not to be called any more, or to be taken off the list; then confirm it in words and say goodbye.",
    parameters=_object(
        {"reason": {"type": "string", "description": "Why, in a few words, if the person said so."}}, required=[]
    ),
)
_SEARCH_KNOWLEDGE_SPEC = ToolSpec(
    name=SEARCH_KNOWLEDGE,
    description="Look up facts in the documents that you were given. Use it before you answer a question of fact; say "
    "that you do not know when nothing is found.",
    parameters=_object(
        {"query": {"type": "string", "description": "What to look for, in the words of the documents."}},
        required=["query"],
    ),
)
