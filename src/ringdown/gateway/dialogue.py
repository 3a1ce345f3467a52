"""Turns an agent and a call into a conversation: greeting, brain, limits; knows no SIP and no RTP."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ringdown.agents.models import Agent
from ringdown.agents.models import VadSettings as AgentVadSettings
from ringdown.calls.models import Call
from ringdown.gateway.speech import Speech
from ringdown.voice import flows, settings
from ringdown.voice.brain import Brain
from ringdown.voice.conversation import Conversation
from ringdown.voice.detector import SpeechDetector
from ringdown.voice.duplex_conversation import DuplexConversation
from ringdown.voice.events import Event
from ringdown.voice.flow import Flow
from ringdown.voice.flow_brain import FlowBrain
from ringdown.voice.guided_brain import GuidedBrain
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.ports import ToolBox, ToolRequest
from ringdown.voice.sentences import render_template

_CONSENT = "takes_call"
_CONSULTATION_MS = 120_000
_DOCUMENTED_VAD = AgentVadSettings()
_OUR_VAD = settings.VadSettings()


def build_conversation(
    *,
    agent: Agent,
    call: Call,
    speech: Speech,
    toolbox: ToolBox,
    detector: SpeechDetector,
    on_event: Callable[[Event], None],
    act: Callable[[ToolRequest], None],
    sample_rate_hz: int = 8000,
) -> Conversation | DuplexConversation:
    """The conversation of one call, at the sample rate of its media. The call's own settings win over the agent's.

    `act` does what the agent asked for after its words.
    """
    variables = {"agent_name": agent.name, "phone_number": call.phone_number or "", **call.variables}
    template = call.settings.greeting or agent.greeting.text
    greeting = _render(template, variables)
    is_receptionist = agent.flow is None and speech.model is None and speech.duplex is None
    # The receptionist's flow says the greeting itself, and fills in the variables.
    own = _build_settings(
        agent, call, variables, greeting=None if is_receptionist else greeting, sample_rate_hz=sample_rate_hz
    )
    if speech.duplex is not None:
        return DuplexConversation(
            settings=own,
            model=speech.duplex,
            system_prompt=_render_prompt(agent, variables),
            on_event=on_event,
            toolbox=toolbox,
            temperature=agent.temperature,
            greeting_prompt=_find_greeting_prompt(agent, variables),
            speaker=speech.speaker,
            summary_model=speech.model,
            act=act,
        )
    return Conversation(
        settings=own,
        brain=_build_brain(agent, speech, variables, toolbox=toolbox, greeting=template if greeting else None),
        recognizer=speech.recognizer,
        speaker=speech.speaker,
        detector=detector,
        on_event=on_event,
        act=act,
        speaker_for=speech.speaker_for,
    )


def _build_brain(
    agent: Agent, speech: Speech, variables: Mapping[str, str], *, toolbox: ToolBox, greeting: str | None
) -> Brain:
    model, language = speech.model, agent.language_hint
    if agent.flow is None and model is None:
        return FlowBrain(flow=flows.receptionist(greeting), variables=variables, language=language, toolbox=toolbox)
    if agent.flow is None:
        assert model is not None
        return ModelBrain(
            model=model,
            system_prompt=_render_prompt(agent, variables),
            temperature=agent.temperature,
            greeting_prompt=_find_greeting_prompt(agent, variables),
            toolbox=toolbox,
            language=language,
        )
    flow = Flow.parse(agent.flow, has_model=True)
    if model is None:
        return FlowBrain(flow=flow, variables=variables, language=language, toolbox=toolbox)
    return GuidedBrain(
        flow=flow,
        variables=variables,
        model=model,
        system_prompt=_render_prompt(agent, variables),
        temperature=agent.temperature,
        language=language,
        toolbox=toolbox,
    )


def _render_prompt(agent: Agent, variables: Mapping[str, str]) -> str:
    """The prompt, and what a model cannot know by itself: the time, which callbacks and bookings need."""
    now = datetime.now(UTC)
    return f"{render_template(agent.system_prompt, variables)}\n\nIt is {now:%A, %Y-%m-%d %H:%M} UTC."


def _find_greeting_prompt(agent: Agent, variables: Mapping[str, str]) -> str | None:
    begins = agent.greeting
    wording = begins.prompt if begins.first_speaker == "agent" else begins.fallback_prompt or begins.prompt
    return _render(wording, variables)


def _build_settings(
    agent: Agent, call: Call, variables: Mapping[str, str], *, greeting: str | None, sample_rate_hz: int
) -> settings.ConversationSettings:
    return settings.ConversationSettings(
        language=agent.language_hint,
        greeting=settings.GreetingSettings(
            first_speaker=agent.greeting.first_speaker,
            text=greeting,
            delay_ms=agent.greeting.delay_ms,
            uninterruptible=agent.greeting.uninterruptible,
            fallback_delay_ms=agent.greeting.fallback_delay_ms,
            fallback_text=_render(agent.greeting.fallback_text, variables),
        ),
        inactivity_messages=tuple(
            settings.InactivityMessage(
                duration_ms=entry.duration_ms,
                message=render_template(entry.message, variables),
                end_behavior=entry.end_behavior,
            )
            for entry in agent.inactivity_messages
        ),
        max_duration_ms=call.settings.max_duration_ms or agent.max_duration_ms,
        time_exceeded_message=_render(agent.time_exceeded_message, variables),
        vad=_build_vad(agent.vad),
        sample_rate_hz=sample_rate_hz,
        languages=agent.languages,
        machine=_build_machine(agent, variables) if call.direction == "outbound" else settings.MachineSettings(),
        screening=_build_screening(agent, variables) if call.direction == "outbound" else None,
    )


def _build_machine(agent: Agent, variables: Mapping[str, str]) -> settings.MachineSettings:
    voicemail = agent.voicemail
    return settings.MachineSettings(
        mode=voicemail.action if voicemail.detection else "off", message=_render(voicemail.message, variables)
    )


def _build_screening(agent: Agent, variables: Mapping[str, str]) -> settings.ScreeningSettings | None:
    """Services that ask who calls are answered where somebody said what, or where machines are looked for anyway."""
    screening = agent.screening
    if not agent.voicemail.detection and screening.name is None and screening.reason is None:
        return None
    return settings.ScreeningSettings(
        name=_render(screening.name, variables) or agent.name, reason=_render(screening.reason, variables) or ""
    )


def build_consultation(
    *, introduction: str, language: str, speech: Speech, detector: SpeechDetector, sample_rate_hz: int
) -> Conversation:
    """The conversation with somebody who is to take a caller over: introduces the caller and asks for consent."""
    ask = "Will you take the call? Say yes or no, or press one for yes and two for no."
    flow = Flow.parse(
        {
            "start": "ask",
            "nodes": {
                "ask": {
                    "say": f"{introduction} {ask}",
                    "listen": {"kind": "yes_no"},
                    "slot": _CONSENT,
                    "keypad": {"1": "yes", "2": "no"},
                    "reprompt": ask,
                    "max_reprompts": 2,
                    "next": {"yes": "accept", "no": "decline"},
                    "on_failure": "decline",
                },
                "accept": {"say": "Thank you. I am connecting you.", "end": "hang_up"},
                "decline": {"say": "Thank you. Goodbye.", "end": "hang_up"},
            },
        }
    )
    return Conversation(
        settings=settings.ConversationSettings(
            language=language, max_duration_ms=_CONSULTATION_MS, sample_rate_hz=sample_rate_hz
        ),
        brain=FlowBrain(flow=flow, variables={}, language=language),
        recognizer=speech.recognizer,
        speaker=speech.speaker,
        detector=detector,
        on_event=lambda _event: None,
    )


def has_consented(conversation: Conversation) -> bool:
    """Whether the person takes the call."""
    return conversation.report().slots.get(_CONSENT) == "yes"


def _render(text: str | None, variables: Mapping[str, str]) -> str | None:
    """The words; None when there are none, such as of a variable without a value."""
    return render_template(text, variables).strip() or None if text else None


def _build_vad(vad: AgentVadSettings) -> settings.VadSettings:
    """What somebody set by hand is obeyed; a documented default, made for another detector, means our own default."""
    chosen = {
        name: ours if getattr(vad, name) == getattr(_DOCUMENTED_VAD, name) else getattr(vad, name)
        for name in AgentVadSettings.__slots__
        for ours in (getattr(_OUR_VAD, name),)
    }
    return settings.VadSettings(**chosen)
