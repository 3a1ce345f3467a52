"""Small flows and models that the conversation's tests talk to."""

from collections.abc import Mapping
from typing import Any

from ringdown.voice.flow import Flow
from ringdown.voice.flow_brain import FlowBrain
from ringdown.voice.model_brain import ModelBrain
from ringdown.voice.ports import ProviderError, ToolBox, ToolRequest
from tests.fakes.voices import FakeModel

# Ten words: two seconds of the fake voice.
GREETING = "Hello this is Ringdown with a reminder. Will you come?"


def question(**node: Any) -> FlowBrain:
    """A flow of one question, then "Thank you." or "Too bad."."""
    nodes: Mapping[str, Any] = {
        "ask": {"say": GREETING, "listen": {"kind": "yes_no"}, "slot": "coming", "on_failure": "failed"}
        | {"next": {"yes": "thanks", "no": "sorry"}}
        | node,
        "thanks": {"say": "Thank you.", "end": "hang_up"},
        "sorry": {"say": "Too bad.", "end": "hang_up"},
        "failed": {"say": "Another time.", "end": "hang_up"},
    }
    return FlowBrain(flow=Flow.parse({"start": "ask", "nodes": nodes, "summary": "Coming: {{coming}}"}), variables={})


def asking(listen: Mapping[str, Any], **node: Any) -> FlowBrain:
    """A flow of one question of another kind, whose answers all lead to "Thank you."."""
    return question(**({"listen": listen, "next": "thanks"} | node))


def model(
    *replies: str | list[str | ToolRequest | ProviderError], delay_s: float = 0.15, toolbox: ToolBox | None = None
) -> tuple[ModelBrain, FakeModel]:
    """A model brain that gives these replies."""
    fake = FakeModel([[reply] if isinstance(reply, str) else reply for reply in replies], delay_s=delay_s)
    return ModelBrain(model=fake, system_prompt="You are a test.", toolbox=toolbox), fake
