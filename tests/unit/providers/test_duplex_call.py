"""A whole conversation over a Realtime server: real WebSocket, a media clock as fast as the server answers."""

import asyncio
from collections.abc import Callable

from ringdown.providers.openai_realtime import OpenAIRealtime
from ringdown.voice.duplex_conversation import DuplexConversation
from ringdown.voice.events import Event, Turn, TurnFinished
from ringdown.voice.settings import ConversationSettings, GreetingSettings, Timeouts
from tests.fakes.realtime_server import FakeRealtimeServer
from tests.unit.providers.test_openai_realtime import PATIENCE_S, silence, speech

GREETED = ConversationSettings(greeting=GreetingSettings(text="Good morning."), timeouts=Timeouts(model_s=PATIENCE_S))
FRAME_BYTES = 320


class Phone:
    """Ticks a conversation with the caller's audio, and lets the server keep up."""

    def __init__(self, server: FakeRealtimeServer) -> None:
        self.turns: list[Turn] = []
        self.at_ms = 0
        self.model = OpenAIRealtime(base_url=server.url, api_key=None, model="gpt-realtime")
        self.conversation = DuplexConversation(
            settings=GREETED, model=self.model, system_prompt="", on_event=self._keep
        )
        self.running = asyncio.create_task(self.conversation.run())

    def _keep(self, event: Event) -> None:
        if isinstance(event, TurnFinished):
            self.turns.append(event.turn)

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(turn.speaker, turn.text) for turn in self.turns]

    async def say(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), FRAME_BYTES):
            await self._tick(pcm[at : at + FRAME_BYTES])

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Let silent time pass until something is the case."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await self._tick(silence(20))

    async def _tick(self, frame: bytes) -> None:
        self.conversation.tick(frame, self.at_ms)
        self.at_ms += 20
        await asyncio.sleep(0.001)

    async def hang_up(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.conversation.finish()
            await self.running
        await self.model.close()


async def test_a_call_is_greeted_answered_and_hung_up_by_the_model() -> None:
    async with FakeRealtimeServer(
        replies=[["Goodbye then.", ("end_call", "{}")]], transcripts=["that is all"]
    ).run() as server:
        phone = Phone(server)
        await phone.wait_for(lambda: len(phone.turns) == 1)
        await phone.say(speech(600))
        await phone.wait_for(phone.running.done)
        await phone.hang_up()
    assert phone.running.result().reason == "agent_hangup"
    assert phone.lines == [("agent", "Good morning."), ("contact", "that is all"), ("agent", "Goodbye then.")]
    assert server.problems == []


async def test_the_model_forgets_what_an_interrupted_caller_did_not_hear() -> None:
    async with FakeRealtimeServer(replies=[[" ".join(["word"] * 40)], ["Yes?"]]).run() as server:
        phone = Phone(server)
        await phone.wait_for(lambda: len(phone.turns) == 1)
        await phone.say(speech(300))
        await phone.wait_for(lambda: phone.conversation._floor.reply is not None)
        await phone.say(silence(800))
        await phone.say(speech(400))
        await phone.wait_for(lambda: len(phone.turns) == 5)
        await phone.hang_up()
    interrupted = phone.turns[2]
    assert interrupted.interrupted
    [(_, heard_ms)] = server.session.truncated
    assert heard_ms == interrupted.end_ms - interrupted.start_ms
    assert len(interrupted.text.split()) in range(heard_ms // 100 - 1, heard_ms // 100 + 2)
    assert server.problems == []


async def test_a_call_survives_a_connection_that_is_cut_in_its_middle() -> None:
    async with FakeRealtimeServer(replies=[["one two three four five"], ["Where were we?"]]).run() as server:
        phone = Phone(server)
        await phone.wait_for(lambda: len(phone.turns) == 1)
        server.fault = "cut"
        await phone.say(speech(300))
        await phone.wait_for(lambda: len(server.sessions) == 2)
        await phone.wait_for(lambda: phone.turns[-1].text.endswith("Where were we?"))
        await phone.hang_up()
    assert [item["role"] for item in server.session.items.values() if item["type"] == "message"][:2] == [
        "assistant",
        "user",
    ]
    assert server.problems == []


async def test_the_last_words_are_waited_for_after_the_hang_up() -> None:
    async with FakeRealtimeServer(transcripts=["call me back"]).run() as server:
        phone = Phone(server)
        await phone.wait_for(lambda: len(phone.turns) == 1)
        await phone.say(speech(800))
        await phone.wait_for(lambda: phone.conversation._floor.is_caller_speaking)
        await phone.hang_up()
    assert phone.lines[-1] == ("contact", "call me back")
