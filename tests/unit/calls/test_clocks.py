"""The media clocks of live calls on the disk: the furthest word counts, and a torn file is none."""

from pathlib import Path

from ringdown.calls import clocks
from ringdown.calls.clocks import ClockFile, MediaClock
from ringdown.calls.models import Call, CallSettings, UnfinishedCall


def leave(call_id: str, *, media_ms: int = 0) -> UnfinishedCall:
    call = Call(
        organization_id="org_1", id=call_id, seq=1, status="ringing", direction="outbound", agent_id="agt_1",
        to_number="+12125551234", from_number=None, settings=CallSettings(), variables={}, metadata={}, trunk_id=None,
        created_at=0, updated_at=0,
    )  # fmt: skip
    return UnfinishedCall(call, "att_1", None, media_ms)


def test_a_call_is_as_far_as_its_gateway_wrote_down_last(tmp_path: Path) -> None:
    file = ClockFile(tmp_path, "here/127.0.0.1:5060")
    file.write({"call_1": MediaClock(1000, 500)})
    file.write({"call_1": MediaClock(1000, 3900), "call_2": MediaClock(2000, 10)})
    (found,) = clocks.advance(tmp_path, [leave("call_1", media_ms=2000)])
    assert (found.media_ms, found.started_at) == (3900, 1000)


def test_the_database_counts_where_it_is_further(tmp_path: Path) -> None:
    ClockFile(tmp_path, "here/127.0.0.1:5060").write({"call_1": MediaClock(1000, 500)})
    (found,) = clocks.advance(tmp_path, [leave("call_1", media_ms=800)])
    assert (found.media_ms, found.started_at) == (800, 1000)


def test_gateways_of_one_machine_have_files_of_their_own(tmp_path: Path) -> None:
    ClockFile(tmp_path, "here/127.0.0.1:5060").write({"call_1": MediaClock(1000, 500)})
    ClockFile(tmp_path, "here/127.0.0.1:5062").write({"call_2": MediaClock(2000, 700)})
    found = clocks.advance(tmp_path, [leave("call_1"), leave("call_2"), leave("call_3")])
    assert [each.media_ms for each in found] == [500, 700, 0]
    assert found[2].started_at is None


def test_what_a_gateway_left_outlives_its_successor_too(tmp_path: Path) -> None:
    ClockFile(tmp_path, "here/127.0.0.1:5060").write({"call_1": MediaClock(1000, 500), "call_2": MediaClock(1500, 90)})
    left = clocks.advance(tmp_path, [leave("call_1"), leave("call_3")])
    successor = ClockFile(tmp_path, "here/127.0.0.1:5060", left=left)
    successor.write({"call_4": MediaClock(3000, 20)})
    successor.write({})
    found = clocks.advance(tmp_path, [leave("call_1"), leave("call_2"), leave("call_3")])
    assert [(each.started_at, each.media_ms) for each in found] == [(1000, 500), (None, 0), (None, 0)]


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    ClockFile(tmp_path, "here/127.0.0.1:5060").write({"call_1": MediaClock(1000, 500)})
    for path in (tmp_path / "clocks").iterdir():
        path.write_text('{"call_1": [1000')
    (found,) = clocks.advance(tmp_path, [leave("call_1", media_ms=200)])
    assert (found.media_ms, found.started_at) == (200, None)


def test_a_machine_without_such_files_knows_nothing(tmp_path: Path) -> None:
    assert clocks.advance(tmp_path, [leave("call_1", media_ms=200)])[0].media_ms == 200


def test_a_disk_that_refuses_ends_no_call(tmp_path: Path) -> None:
    file = ClockFile(tmp_path, "here/127.0.0.1:5060")
    (tmp_path / "clocks").rmdir()
    file.write({"call_1": MediaClock(1000, 500)})
