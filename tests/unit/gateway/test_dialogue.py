"""The greeting of a call: whose it is, what its variables make of it, and that every kind of agent says it."""

import asyncio
from collections.abc import Sequence

import pytest

from ringdown.agents.models import Agent, Greeting
from ringdown.calls.models import Call, CallSettings
from ringdown.gateway import dialogue
from ringdown.gateway.speech import Speech
from ringdown.voice.conversation import Conversation
from ringdown.voice.flows import RECEPTIONIST_GREETING
from ringdown.voice.ports import ToolRequest, ToolResult, ToolSpec
from tests.fakes import virtual_time
from tests.fakes.voices import FRAME_MS, Codebook, FakeDetector, FakeModel, FakeRecognizer, FakeSpeaker

FLOW = {"start": "bye", "nodes": {"bye": {"say": "Will {{first_name}} come?", "end": "hang_up"}}}
RECEPTIONIST = "Please leave your message now, and stop speaking when you are done."
VARIABLES = {"first_name": "Ana", "Company Name": "Acme", "tricky": "{{first_name}}"}


def make_agent(**fields: object) -> Agent:
    required = {"organization_id": "org_1", "id": "agt_1", "name": "Desk", "status": "active"}
    rest = {"voice_id": "voice_1", "system_prompt": "Be kind.", "created_at": 0, "updated_at": 0}
    return Agent(**{**required, **rest, **fields})  # type: ignore[arg-type]


def make_call(greeting: str | None) -> Call:
    return Call(
        organization_id="org_1", id="call_1", seq=1, status="ringing", direction="outbound", agent_id="agt_1",
        to_number="+12025550142", from_number=None, settings=CallSettings(greeting=greeting), variables=VARIABLES,
        metadata={}, created_at=0, updated_at=0,
    )  # fmt: skip


class NoTools:
    def specs(self) -> Sequence[ToolSpec]:
        return ()

    def check(self, request: ToolRequest) -> ToolResult | None:
        del request
        return None

    async def call(self, request: ToolRequest) -> ToolResult:
        raise AssertionError(request)


def first_words(
    agent: Agent, greeting: str | None, *, model: FakeModel | None = None, sample_rate_hz: int = 8000
) -> str:
    """What the agent says to a silent caller until it stops."""
    codebook, turns = Codebook(sample_rate_hz), []
    conversation = dialogue.build_conversation(
        agent=agent,
        call=make_call(greeting),
        speech=Speech(FakeRecognizer(codebook), FakeSpeaker(codebook), model),
        toolbox=NoTools(),
        act=lambda _request: None,
        detector=FakeDetector(),
        on_event=lambda event: turns.append(event.turn.text),
        sample_rate_hz=sample_rate_hz,
    )
    virtual_time.run(_listen(conversation, codebook.silence))
    return turns[0]


async def _listen(conversation: Conversation, silence: bytes) -> None:
    running = asyncio.create_task(conversation.run())
    for at_ms in range(0, 7000, FRAME_MS):
        await asyncio.sleep(FRAME_MS / 1000)
        conversation.tick(silence, at_ms)
    await conversation.finish()
    await running


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (None, "Hello Ana."),
        ("Hi from {{Company Name}}.", "Hi from Acme."),
        ("I am {{agent_name}}.", "I am Desk."),
        ("Hi {{tricky}}.", "Hi {{first_name}}."),
    ],
)
def test_a_calls_own_greeting_wins_and_is_filled_once(greeting: str | None, said: str) -> None:
    own = Greeting(text="Hello {{first_name}}.")
    assert first_words(make_agent(greeting=own), greeting) == f"{said} {RECEPTIONIST}"
    assert first_words(make_agent(greeting=own, flow=FLOW), greeting) == f"{said} Will Ana come?"
    assert first_words(make_agent(greeting=own), greeting, model=FakeModel([])) == said


@pytest.mark.parametrize("greeting", ["  ", "{{nobody}}", " {{nobody}} "])
def test_a_greeting_without_words_is_none(greeting: str) -> None:
    assert first_words(make_agent(), greeting) == f"{RECEPTIONIST_GREETING} {RECEPTIONIST}"
    assert first_words(make_agent(flow=FLOW), greeting) == "Will Ana come?"
    assert first_words(make_agent(), greeting, model=FakeModel([["Good day."]])) == "Good day."


def test_a_wideband_call_is_greeted_in_wideband() -> None:
    # The fake voice refuses any other rate than its codebook's.
    assert first_words(make_agent(flow=FLOW), "Hi.", sample_rate_hz=16_000) == "Hi. Will Ana come?"
