"""Calls that we placed: their settings, what answers them, and what was found out about it."""

from ringdown.voice.ports import ToolRequest, ToolResult, ToolSpec
from ringdown.voice.settings import (
    ConversationSettings,
    GreetingSettings,
    MachineMode,
    MachineSettings,
    ScreeningSettings,
)
from tests.unit.voice.brains import model
from tests.unit.voice.script import Played, Stage, Step, play

MENU = "Welcome to Acme for sales press 1 for support press 2"
VOICEMAIL = "Hi you have reached Ann please leave a message after the tone"
MESSAGE = "This is Ringdown. Please call us back."
SCREENING = ScreeningSettings(name="This is Ann from Acme", reason="It is about your delivery.")
ASKED = "Hi please state your name and why you are calling"


def watching(mode: MachineMode, *, screening: ScreeningSettings | None = None) -> ConversationSettings:
    """Settings of a call that we placed."""
    return ConversationSettings(
        greeting=GreetingSettings(text="Hello this is Ringdown."),
        machine=MachineSettings(mode, MESSAGE),
        screening=screening,
    )


def answer(mode: MachineMode, *script: Step, stage: Stage | None = None, hang_up_ms: int = 40_000) -> Played:
    """What comes of a call that is answered like this."""
    brain, _ = model(*["Fine."] * 9)
    return play(brain, script, settings=watching(mode), stage=stage, hang_up_ms=hang_up_ms)


def verdicts(played: Played) -> list[tuple[object, object]]:
    """What was found, and why."""
    return [
        (note.details["verdict"], note.details["reason"]) for note in played.notes if note.kind == "machine.detected"
    ]


class Keys:
    """A tool that runs after the words."""

    def __init__(self, name: str = "send_digits") -> None:
        self._name = name

    def specs(self) -> list[ToolSpec]:
        return [ToolSpec(self._name, "Does something.", runs="after_words")]

    def check(self, request: ToolRequest) -> ToolResult | None:
        del request
        return None

    async def call(self, request: ToolRequest) -> ToolResult:
        raise AssertionError(request)
