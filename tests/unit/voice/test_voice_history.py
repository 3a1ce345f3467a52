"""How much of a long call a model is told."""

from ringdown.voice.history import History, Round, Turn
from ringdown.voice.ports import Message, ToolRequest, ToolResult
from tests.unit.voice.toolboxes import is_valid


def test_results_of_long_ago_are_told_in_short() -> None:
    history = History()
    for number in range(200):
        request = ToolRequest(f"call_{number}", "look_up", "{}")
        results = {request.tool_call_id: ToolResult(f"{number} " + "x" * 32_000)}
        history.add(Turn([Message("user", "And?")], [Round("", (request,), results)], heard="Done."))
    messages = history.messages()
    assert is_valid(messages)
    told = [message.content for message in messages if message.role == "tool"]
    assert len(told[-1]) > 32_000
    assert told[0].startswith("0 xxx")
    assert told[0].endswith(" … (cut)")
    assert sum(map(len, told)) < 220_000
