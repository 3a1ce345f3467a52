"""Agents between the wire and the inside: a request's changes, and an answer's JSON; pure."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ringdown import errors, values
from ringdown.agents import extraction
from ringdown.agents.models import (
    Agent,
    Greeting,
    InactivityMessage,
    ScreeningSettings,
    TransferNumber,
    VadSettings,
    VoicemailSettings,
)
from ringdown.agents.schemas import UpdateAgent
from ringdown.agents.setting_schemas import GreetingSettings, InactivityMessageBody, VadSettingsBody

_DEFAULT_INACTIVITY_MS = 30_000
# The name of the person behind `transfer_number`.
_ONLY_DESTINATION = "a person"
_CONTRADICTION = "says something else than {}; send one of them"

# Our name of each field that is kept as it was sent, and what `null` makes of it.
_PLAIN_FIELDS: dict[str, tuple[str, object]] = {
    "description": ("description", None),
    "temperature": ("temperature", 0.3),
    "recording_enabled": ("recording_enabled", None),
    "language_hint": ("language_hint", "en-US"),
    "join_timeout": ("join_timeout_ms", 30_000),
    "max_duration": ("max_duration_ms", 3_600_000),
    "time_exceeded_message": ("time_exceeded_message", None),
    "initial_output_medium": ("initial_output_medium", "MESSAGE_MEDIUM_VOICE"),
    "flow": ("flow", None),
    "template_id": ("template_id", None),
    "call_template_name": ("call_template_name", None),
    "success_criteria": ("success_criteria", None),
    "extraction_schema": ("extraction_schema", None),
    "recognizer": ("recognizer", None),
}
# `null` changes nothing of these.
_REQUIRED_FIELDS = ("name", "system_prompt", "status")


def read_changes(body: UpdateAgent, *, greeting: Greeting) -> dict[str, Any]:
    """The fields of `Agent` that the body sets, except the names of voices, models and recognizers.

    `greeting` is the agent's present one. Raises `ValidationFailed` when two spellings contradict each other, or for a
    schema that cannot be used.
    """
    sent = body.model_fields_set
    changes: dict[str, Any] = {name: getattr(body, name) for name in _REQUIRED_FIELDS if getattr(body, name)}
    for wire_name, (name, default) in _PLAIN_FIELDS.items():
        if wire_name in sent:
            value = getattr(body, wire_name)
            changes[name] = default if value is None else value
    if "greeting" in sent or "greeting_settings" in sent:
        changes["greeting"] = _read_greeting(body, greeting)
    if sent & {"inactivity_message", "inactivity_timeout", "inactivity_messages"}:
        changes["inactivity_messages"] = _read_inactivity_messages(body)
    if "vad_settings" in sent:
        changes["vad"] = _read_vad(body.vad_settings or VadSettingsBody())
    if body.extraction_schema is not None:
        _check_extraction_schema(body.extraction_schema)
    return {**changes, **_read_calling(body)}


def _check_extraction_schema(schema: dict[str, Any]) -> None:
    try:
        extraction.check_schema(schema)
    except ValueError as error:
        raise errors.invalid("extraction_schema", str(error)) from None


def _read_calling(body: UpdateAgent) -> dict[str, Any]:
    sent, changes = body.model_fields_set, dict[str, Any]()
    for name in ("tools", "knowledge_bases"):
        if name in sent:
            changes[name] = tuple(dict.fromkeys(getattr(body, name) or ()))
    if "languages" in sent:
        changes["languages"] = tuple(dict.fromkeys(body.languages or ()))
    if "voicemail_settings" in sent:
        wanted = body.voicemail_settings
        changes["voicemail"] = VoicemailSettings(**wanted.model_dump()) if wanted else VoicemailSettings()
    if "screening_settings" in sent:
        screening = body.screening_settings
        changes["screening"] = ScreeningSettings(**screening.model_dump()) if screening else ScreeningSettings()
    if sent & {"transfer_number", "transfer_numbers"}:
        changes["transfer_numbers"] = _read_transfer_numbers(body)
    return changes


def _read_transfer_numbers(body: UpdateAgent) -> tuple[TransferNumber, ...]:
    listed = tuple(TransferNumber(**entry.model_dump()) for entry in body.transfer_numbers or ())
    names = [entry.name.casefold() for entry in listed]
    if len(set(names)) < len(names):
        raise errors.invalid("transfer_numbers", "has a name twice")
    if not listed:
        short = body.transfer_number
        return () if short is None else (TransferNumber(name=_ONLY_DESTINATION, phone_number=short),)
    if body.transfer_number not in (None, listed[0].phone_number):
        raise errors.invalid("transfer_number", _CONTRADICTION.format("transfer_numbers"))
    return listed


def _read_greeting(body: UpdateAgent, present: Greeting) -> Greeting:
    sent = body.model_fields_set
    if "greeting_settings" not in sent:
        return dataclasses.replace(present, text=body.greeting)
    wanted = body.greeting_settings or GreetingSettings()
    if "greeting" in sent and wanted.text not in (None, body.greeting):
        raise errors.invalid("greeting", _CONTRADICTION.format("greeting_settings.text"))
    return Greeting(
        first_speaker=wanted.first_speaker,
        text=body.greeting if "greeting" in sent else wanted.text,
        prompt=wanted.prompt,
        delay_ms=wanted.delay,
        uninterruptible=wanted.uninterruptible,
        fallback_delay_ms=wanted.fallback_delay,
        fallback_text=wanted.fallback_text,
        fallback_prompt=wanted.fallback_prompt,
    )


def _read_inactivity_messages(body: UpdateAgent) -> tuple[InactivityMessage, ...]:
    listed = tuple(_read_inactivity_message(message) for message in body.inactivity_messages or ())
    text, timeout_ms = body.inactivity_message, body.inactivity_timeout
    if listed:
        if text not in (None, listed[0].message):
            raise errors.invalid("inactivity_message", _CONTRADICTION.format("inactivity_messages"))
        # In whole seconds, as an answer shows it.
        if timeout_ms is not None and timeout_ms // 1000 != listed[0].duration_ms // 1000:
            raise errors.invalid("inactivity_timeout", _CONTRADICTION.format("inactivity_messages"))
        return listed
    if text is None:
        if timeout_ms is not None:
            raise errors.invalid("inactivity_timeout", "needs an inactivity_message")
        return ()
    return (InactivityMessage(_DEFAULT_INACTIVITY_MS if timeout_ms is None else timeout_ms, text),)


def _read_inactivity_message(message: InactivityMessageBody) -> InactivityMessage:
    return InactivityMessage(message.duration, message.message, message.endBehavior)


def _read_vad(vad: VadSettingsBody) -> VadSettings:
    return VadSettings(
        turn_endpoint_delay_ms=vad.turn_endpoint_delay,
        minimum_turn_duration_ms=vad.minimum_turn_duration,
        minimum_interruption_duration_ms=vad.minimum_interruption_duration,
        frame_activation_threshold=vad.frame_activation_threshold,
    )


@dataclass(frozen=True, slots=True)
class NumberReference:
    """A phone number as an agent shows it."""

    id: str
    phone_number: str


def render_agent(
    agent: Agent,
    *,
    model: str,
    voice_name: str | None,
    crm_webhook_url: str | None,
    inbound_numbers: Sequence[NumberReference],
    outbound_numbers: Sequence[NumberReference],
) -> dict[str, object]:
    """The agent as the API shows it, with the name of the model it would use now."""
    inactivity = agent.inactivity_messages[0] if agent.inactivity_messages else None
    return {
        "id": agent.id,
        "name": agent.name,
        "description": agent.description,
        "status": agent.status,
        "model": model,
        "voice_id": agent.voice_id,
        "voice_name": voice_name,
        "system_prompt": agent.system_prompt,
        "greeting": agent.greeting.text,
        "inactivity_message": inactivity.message if inactivity else None,
        "inactivity_timeout": inactivity.duration_ms // 1000 if inactivity else None,
        "max_duration": agent.max_duration_ms // 1000,
        "temperature": agent.temperature,
        "tools": agent.tools,
        "knowledge_base_ids": agent.knowledge_bases,
        "knowledge_bases": agent.knowledge_bases,
        "inbound_phone_numbers": inbound_numbers,
        "outbound_phone_numbers": outbound_numbers,
        "created_at": values.to_wire_time(agent.created_at),
        "updated_at": values.to_wire_time(agent.updated_at),
        **_render_conversation(agent),
        "flow": agent.flow,
        "template_id": agent.template_id,
        "call_template_name": agent.call_template_name,
        "success_criteria": agent.success_criteria,
        "extraction_schema": agent.extraction_schema,
        "crm_webhook_url": crm_webhook_url,
        **_render_calling(agent),
    }


def _render_calling(agent: Agent) -> dict[str, object]:
    fallbacks, voicemail, screening = agent.fallbacks, agent.voicemail, agent.screening
    numbers = [
        {"name": entry.name, "phone_number": entry.phone_number, "mode": entry.mode} for entry in agent.transfer_numbers
    ]
    return {
        "recognizer": agent.recognizer,
        "fallbacks": {"recognizers": fallbacks.recognizers, "models": fallbacks.models, "voices": fallbacks.voices},
        "languages": agent.languages,
        "voicemail_settings": {
            "detection": voicemail.detection,
            "action": voicemail.action,
            "message": voicemail.message,
        },
        "screening_settings": {"name": screening.name, "reason": screening.reason},
        "transfer_number": numbers[0]["phone_number"] if numbers else None,
        "transfer_numbers": numbers,
    }


def _render_conversation(agent: Agent) -> dict[str, object]:
    greeting, vad = agent.greeting, agent.vad
    return {
        "greeting_settings": {
            "first_speaker": greeting.first_speaker,
            "text": greeting.text,
            "prompt": greeting.prompt,
            "delay": values.format_duration(greeting.delay_ms),
            "uninterruptible": greeting.uninterruptible,
            "fallback_delay": _format(greeting.fallback_delay_ms),
            "fallback_text": greeting.fallback_text,
            "fallback_prompt": greeting.fallback_prompt,
        },
        "inactivity_messages": [
            {
                "duration": values.format_duration(message.duration_ms),
                "message": message.message,
                "endBehavior": message.end_behavior,
            }
            for message in agent.inactivity_messages
        ],
        "join_timeout": values.format_duration(agent.join_timeout_ms),
        # An agent that says nothing records its calls.
        "recording_enabled": agent.recording_enabled is not False,
        "language_hint": agent.language_hint,
        "time_exceeded_message": agent.time_exceeded_message,
        "initial_output_medium": agent.initial_output_medium,
        "vad_settings": {
            "turn_endpoint_delay": values.format_duration(vad.turn_endpoint_delay_ms),
            "minimum_turn_duration": values.format_duration(vad.minimum_turn_duration_ms),
            "minimum_interruption_duration": values.format_duration(vad.minimum_interruption_duration_ms),
            "frame_activation_threshold": vad.frame_activation_threshold,
        },
    }


def _format(duration_ms: int | None) -> str | None:
    return None if duration_ms is None else values.format_duration(duration_ms)
