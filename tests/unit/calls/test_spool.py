"""Recordings on their way from the spool into the store."""

from pathlib import Path

import pytest
from obstore.exceptions import GenericError
from obstore.store import LocalStore

from ringdown.calls.models import Call, CallSettings
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool


@pytest.fixture
def store(tmp_path: Path) -> RecordingStore:
    return RecordingStore(LocalStore(prefix=tmp_path / "recordings", mkdir=True))


@pytest.fixture
def spool(tmp_path: Path, store: RecordingStore) -> Spool:
    return Spool(tmp_path / "spool", store)


CALL = Call(
    organization_id="org_1", id="call_1", seq=1, direction="inbound", status="in_progress", agent_id="agt_1",
    to_number=None, from_number=None, settings=CallSettings(), variables={}, metadata={}, created_at=0, updated_at=0,
)  # fmt: skip


async def test_a_recording_moves_into_the_store(spool: Spool, store: RecordingStore) -> None:
    spool.path(CALL).write_bytes(b"sound")
    assert await spool.keep(CALL)
    assert not spool.path(CALL).exists()
    assert (await store.get_file("org_1", "call_1")).size == 5


async def test_a_crash_after_the_move_loses_no_recording(spool: Spool) -> None:
    spool.path(CALL).write_bytes(b"sound")
    assert await spool.keep(CALL)
    assert await spool.keep(CALL)


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_call_without_sound_leaves_nothing(spool: Spool, is_there: bool) -> None:
    if is_there:
        spool.path(CALL).touch()
    assert not await spool.keep(CALL)
    assert not spool.path(CALL).exists()


@pytest.mark.parametrize("failure", [OSError("disk full"), GenericError("disk full")])
async def test_a_store_that_fails_leaves_the_file(
    spool: Spool, store: RecordingStore, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(store, "save", fail)
    spool.path(CALL).write_bytes(b"sound")
    assert not await spool.keep(CALL)
    assert spool.path(CALL).exists()
