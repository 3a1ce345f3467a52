"""Every use case of campaigns, webhooks and credits is killed before and after each of its commits: nothing is lost.

What the next process, or a caller who repeats the request with its key, makes of it is what an undisturbed process
makes of it: the same rows, and a ledger that adds up.
"""

import dataclasses
from collections.abc import Iterator

import pytest

from ringdown.batch_calls import retry, spreading
from ringdown.billing import service as billing
from ringdown.calls import retention
from ringdown.config import Settings
from ringdown.contacts import dnc_service, importing
from ringdown.contacts import service as contacts
from ringdown.db.engine import Database
from ringdown.privacy import erasing
from ringdown.webhooks import service as webhooks
from tests.slices import crash_calling, crash_telling
from tests.slices.crashing import UseCase, World
from tests.slices.judging import JudgingServer
from tests.slices.judging import server as server


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages so small that a handful of rows take many commits."""
    for module in (retry, spreading):
        monkeypatch.setattr(module, "PAGE", 2)
        monkeypatch.setattr(module, "_PAGES_AT_ONCE", 1)
        monkeypatch.setattr(module, "_PAGES_PER_JOB", 1)
    for module, name, size in (
        (billing, "_FOLDED_AT_ONCE", 1),
        (contacts, "_DELETED_AT_ONCE", 2),
        (dnc_service, "_BATCH_ROWS", 2),
        (erasing, "_CALLS", 1),
        (erasing, "_CONTACTS", 1),
        (erasing, "_PLACES", 1),
        (importing, "_BATCH_ROWS", 2),
        (retention, "_STRETCH", {"recordings_seq": 1, "transcripts_seq": 1}),
        (webhooks, "_REPLAY_PAGE", 2),
    ):
        monkeypatch.setattr(module, name, size)
    yield


@pytest.fixture
def world(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(database, settings, monkeypatch)


@pytest.mark.parametrize("case", [*crash_calling.USE_CASES, *crash_telling.USE_CASES], ids=lambda case: case.name)
async def test_a_crash_at_any_commit_makes_no_difference(world: World, case: UseCase) -> None:
    await world.run(case)


async def test_a_crash_while_a_model_reads_a_call_makes_no_difference(world: World, server: JudgingServer) -> None:
    model = {"model_url": server.url, "model_name": "fast-model", "analysis_timeout_seconds": 20.0}
    await world.run(dataclasses.replace(crash_calling.ANALYSIS, fields=model))
    assert len(server.requests) >= 1 + crash_calling.ANALYSIS.commits
