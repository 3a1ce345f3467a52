"""Turns an agent and a call into a conversation: greeting, brain, limits; knows no SIP and no RTP."""

from collections.abc import Callable, Mapping

from ringdown.agents.models import Agent
from ringdown.agents.models import VadSettings as AgentVadSettings
from ringdown.calls.models import Call
from ringdown.gateway.speech import Speech
from ringdown.voice import flows, settings
from ringdown.voice.brain import Brain
from ringdown.voice.conversation import Conversation
from ringdown.voice.detector import SpeechDetector
from ringdown.voice.events import Event
from ringdown.voice.flow import Flow
from ringdown.voice.flow_brain import FlowBrain
from ringdown.voice.model_brain import ModelBrain
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
    detector: SpeechDetector,
    on_event: Callable[[Event], None],
    sample_rate_hz: int = 8000,
) -> Conversation:
    """The conversation of one call, at the sample rate of its media. The call's own settings win over the agent's."""
    variables = {"agent_name": agent.name, "phone_number": call.phone_number or "", **call.variables}
    template = call.settings.greeting or agent.greeting.text
    greeting = _render(template, variables)
    is_receptionist = agent.flow is None and speech.model is None
    return Conversation(
        # The receptionist's flow says the greeting itself, and fills in the variables.
        settings=_build_settings(
            agent,
            call,
            variables,
            greeting=None if is_receptionist else greeting,
            sample_rate_hz=sample_rate_hz,
        ),
        brain=_build_brain(agent, speech, variables, greeting=template if greeting else None),
        recognizer=speech.recognizer,
        speaker=speech.speaker,
        detector=detector,
        on_event=on_event,
    )


def _build_brain(agent: Agent, speech: Speech, variables: Mapping[str, str], *, greeting: str | None) -> Brain:
    if agent.flow is None and speech.model is not None:
        prompt = render_template(agent.system_prompt, variables)
        begins = agent.greeting
        wording = begins.prompt if begins.first_speaker == "agent" else begins.fallback_prompt or begins.prompt
        return ModelBrain(
            model=speech.model,
            system_prompt=prompt,
            temperature=agent.temperature,
            greeting_prompt=_render(wording, variables),
        )
    flow = flows.receptionist(greeting) if agent.flow is None else Flow.parse(agent.flow, has_model=True)
    return FlowBrain(flow=flow, variables=variables, language=agent.language_hint)


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
