"""Turns in the order of their start, although their words come late, out of order, or never."""

from ringdown.voice import ports
from ringdown.voice.duplex_log import DuplexLog
from ringdown.voice.duplex_reply import DuplexReply
from ringdown.voice.events import Event, TurnFinished


def new_log() -> tuple[DuplexLog, list[tuple[str, str]]]:
    lines = list[tuple[str, str]]()

    def keep(event: Event) -> None:
        assert isinstance(event, TurnFinished)
        lines.append((event.turn.speaker, event.turn.text))

    return DuplexLog(keep), lines


def test_words_that_come_in_the_wrong_order_are_put_right() -> None:
    log, lines = new_log()
    log.start_caller("a", start_ms=0)
    log.stop_caller("a", end_ms=500)
    log.start_caller("b", start_ms=900)
    log.stop_caller("b", end_ms=1500)
    log.name_caller("b", "second")
    assert lines == []
    assert not log.is_settled
    log.name_caller("a", " first ")
    assert lines == [("contact", "first"), ("contact", "second")]
    assert log.is_settled


def test_a_sound_without_words_is_no_turn() -> None:
    log, lines = new_log()
    log.start_caller("a", start_ms=0)
    log.name_caller("a", "")
    assert (lines, log.is_settled, log.history()) == ([], True, ())


def test_words_are_waited_for_only_so_long_after_the_turn() -> None:
    log, lines = new_log()
    log.start_caller("a", start_ms=0)
    log.give_up(60_000)
    assert lines == []  # still speaking
    log.stop_caller("a", end_ms=60_000)
    log.give_up(70_000)
    assert lines == []
    log.give_up(76_000)
    assert lines == [("contact", "[unclear]")]
    log.name_caller("a", "too late")
    assert lines == [("contact", "[unclear]")]


def test_the_history_holds_what_was_done_in_its_place() -> None:
    log, lines = new_log()
    log.add_caller("book it", start_ms=0, end_ms=500)
    request = ports.ToolRequest("c1", "book", "{}")
    log.add_tool(request, ports.ToolResult("no slot", is_error=True), at_ms=700)
    entry = log.start_agent(start_ms=900)
    log.stop_agent(entry, "Sorry.", end_ms=1200, is_interrupted=False, latency=None)
    assert [message.role for message in log.history()] == ["user", "assistant", "tool", "assistant"]
    assert log.history()[1].tool_calls == (request,)
    assert log.history()[2].content == '{"error": "no slot"}'
    assert lines == [("contact", "book it"), ("agent", "Sorry.")]


def test_a_reply_knows_what_of_each_item_was_heard() -> None:
    reply = DuplexReply("answer", sample_rate_hz=8000)
    for item_id in ("a", "b", "c"):
        reply.add_words(item_id, "one two three four five")
        reply.add_audio(item_id, bytes(16 * 1000))
    for at_ms in range(0, 1600, 20):
        assert reply.frame(at_ms) is not None
    assert reply.unheard_items() == [("b", 600), ("c", 0)]
    assert reply.heard_text() == "one two three four five one two three"
    assert reply.remaining_ms() == 1400
    assert not reply.is_heard()


def test_a_long_reply_lets_go_of_what_was_played() -> None:
    reply = DuplexReply("answer", sample_rate_hz=8000)
    reply.add_words("a", "word " * 100)
    for at_ms in range(0, 20_000, 20):
        reply.add_audio("a", bytes([at_ms // 20 % 256, 0]) * 160)
        assert reply.frame(at_ms) == bytes([at_ms // 20 % 256, 0]) * 160
        assert len(reply._pcm) < 16 * 1200
    reply.add_audio("a", b"\1\0" * 10)
    assert reply.frame(20_000) is None
    reply.is_written = True
    assert reply.frame(20_000) == (b"\1\0" * 10).ljust(320, b"\0")
    assert reply.is_played()
    assert reply.is_heard()
