"""Conversations with a speech-to-speech model as scripts on a virtual clock."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ringdown.voice import ports
from ringdown.voice.duplex_conversation import DuplexConversation
from ringdown.voice.events import ConversationEnd, Event, Noted, Turn, TurnFinished
from ringdown.voice.settings import ConversationSettings, GreetingSettings
from tests.fakes import virtual_time
from tests.fakes.duplex import FakeDuplexModel
from tests.fakes.voices import FRAME_MS, Codebook
from tests.unit.voice.script import Presses, Says

GREETING = "Hello from Ringdown."
GREETED = ConversationSettings(greeting=GreetingSettings(text=GREETING))


@dataclass
class Does:
    """Something happens at `at_ms`."""

    at_ms: int
    action: Callable[[DuplexConversation, FakeDuplexModel], None]


@dataclass
class FakeToolBox:
    """Tools whose results are known; each takes `delay_s`."""

    tools: dict[str, ports.ToolResult]
    after_words: frozenset[str] = frozenset()
    delay_s: float = 0.3
    requests: list[ports.ToolRequest] = field(default_factory=list)

    def specs(self) -> Sequence[ports.ToolSpec]:
        return [
            ports.ToolSpec(name, "", {}, runs="after_words" if name in self.after_words else "during")
            for name in self.tools
        ]

    def check(self, request: ports.ToolRequest) -> ports.ToolResult | None:
        del request
        return None

    async def call(self, request: ports.ToolRequest) -> ports.ToolResult:
        self.requests.append(request)
        await asyncio.sleep(self.delay_s)
        return self.tools[request.name]


@dataclass
class Played:
    """What came of a script."""

    turns: list[Turn]
    notes: list[Noted]
    end: ConversationEnd
    sent: list[bytes | None]
    codebook: Codebook
    ended_ms: int
    model: FakeDuplexModel
    conversation: DuplexConversation

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The transcript."""
        return [(turn.speaker, turn.text) for turn in self.turns]

    def heard_words(self, from_ms: int = 0, until_ms: int = 1 << 30) -> list[str]:
        """What the caller heard of the agent, from its audio."""
        pcm = b"".join(frame or self.codebook.silence for frame in self.sent)
        return [word for word, start, _ in self.codebook.decode(pcm) if from_ms <= start < until_ms]


def play(
    model: FakeDuplexModel,
    script: Sequence[Says | Presses | Does] = (),
    *,
    settings: ConversationSettings = GREETED,
    hang_up_ms: int = 60_000,
    **options: Any,
) -> Played:
    """Play a script until the conversation ends, or the caller hangs up at `hang_up_ms`."""
    return virtual_time.run(_play(model, script, settings, hang_up_ms, options))


async def _play(
    model: FakeDuplexModel,
    script: Sequence[Says | Presses | Does],
    settings: ConversationSettings,
    hang_up_ms: int,
    options: dict[str, Any],
) -> Played:
    turns, notes = list[Turn](), list[Noted]()

    def keep(event: Event) -> None:
        if isinstance(event, TurnFinished):
            turns.append(event.turn)
        else:
            notes.append(event)

    conversation = DuplexConversation(
        settings=settings, model=model, system_prompt="Be kind.", on_event=keep, **options
    )
    running = asyncio.create_task(conversation.run())
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    started, at_ms, sent = loop.time(), 0, list[bytes | None]()
    while not running.done() and at_ms < hang_up_ms:
        for step in script:
            if not isinstance(step, Says) and at_ms <= step.at_ms < at_ms + FRAME_MS:
                if isinstance(step, Presses):
                    conversation.press(step.key, at_ms)
                else:
                    step.action(conversation, model)
        sent.append(conversation.tick(_far_frame(script, at_ms, model.codebook), at_ms))
        at_ms += FRAME_MS
        await asyncio.sleep(started + at_ms / 1000 - loop.time())
    await conversation.finish()
    end = await running
    await conversation.summarise()
    return Played(turns, notes, end, sent, model.codebook, at_ms, model, conversation)


def _far_frame(script: Sequence[Says | Presses | Does], at_ms: int, codebook: Codebook) -> bytes:
    for step in script:
        if isinstance(step, Says) and step.at_ms <= at_ms < step.until_ms:
            words = step.text.split()
            return codebook.frame(words[(at_ms - step.at_ms) * len(words) // (step.until_ms - step.at_ms)])
    return codebook.silence
