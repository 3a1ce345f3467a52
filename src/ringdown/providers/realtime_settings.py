"""What `parameters` of an OpenAI Realtime provider may say, and the session that follows from them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ringdown.providers.realtime_audio import AudioFormat
from ringdown.voice.ports import ToolSpec


class RealtimeParameters(BaseModel):
    """The parameters, with their defaults; an unknown one is refused.

    `turn_detection` `server_vad` ends a turn after `silence_duration_ms`; `semantic_vad` waits for the sense, as
    patiently as `eagerness` says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    audio_format: AudioFormat | None = None
    transcription_model: str = "gpt-4o-mini-transcribe"
    turn_detection: Literal["server_vad", "semantic_vad"] = "server_vad"
    silence_duration_ms: int = Field(500, ge=100, le=5_000)
    prefix_padding_ms: int = Field(300, ge=0, le=2_000)
    threshold: float = Field(0.5, ge=0, le=1)
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    noise_reduction: Literal["near_field", "far_field"] | None = None
    speed: float = Field(1.0, ge=0.25, le=1.5)
    max_output_tokens: int | None = Field(None, ge=1, le=4_096)

    @property
    def end_silence_ms(self) -> int:
        """The silence that the end of a turn includes, as far as it is known."""
        return self.silence_duration_ms if self.turn_detection == "server_vad" else 0


def read_parameters(parameters: Mapping[str, Any]) -> RealtimeParameters:
    """The parameters of a table. Raises `ValueError`: `name`, and what is wrong with it, without full stop."""
    try:
        return RealtimeParameters.model_validate(dict(parameters))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ValueError(f"{name} is not known; known are {', '.join(RealtimeParameters.model_fields)}") from None
        raise ValueError(f"{name}: {first['msg']}") from None


def describe_session(
    parameters: RealtimeParameters,
    *,
    instructions: str,
    tools: Sequence[ToolSpec],
    audio: Mapping[str, object],
    voice: str | None,
    language: str,
) -> dict[str, Any]:
    """The `session` of a `session.update` event."""
    hears: dict[str, Any] = {
        "format": dict(audio),
        "transcription": {"model": parameters.transcription_model},
        "turn_detection": _describe_turns(parameters),
    }
    if language:
        hears["transcription"]["language"] = language.lower().partition("-")[0]
    if parameters.noise_reduction is not None:
        hears["noise_reduction"] = {"type": parameters.noise_reduction}
    speaks: dict[str, Any] = {"format": dict(audio), "speed": parameters.speed}
    if voice:
        speaks["voice"] = voice
    session: dict[str, Any] = {
        "type": "realtime",
        "instructions": instructions,
        "output_modalities": ["audio"],
        "audio": {"input": hears, "output": speaks},
        "tools": [_describe_tool(tool) for tool in tools],
        "tool_choice": "auto",
    }
    if parameters.max_output_tokens is not None:
        session["max_output_tokens"] = parameters.max_output_tokens
    return session


def _describe_turns(parameters: RealtimeParameters) -> dict[str, Any]:
    rules = {"type": parameters.turn_detection, "create_response": True, "interrupt_response": True}
    if parameters.turn_detection == "semantic_vad":
        return {**rules, "eagerness": parameters.eagerness}
    names = ("silence_duration_ms", "prefix_padding_ms", "threshold")
    return {**rules, **{name: getattr(parameters, name) for name in names}}


def _describe_tool(tool: ToolSpec) -> dict[str, Any]:
    schema = dict(tool.parameters) or {"type": "object", "properties": {}}
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": schema}
