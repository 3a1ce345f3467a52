"""The use case of analysing a call that is over: at once from the flow, or by a job that asks a model.

The results and `call.analyzed` are one transaction. What a call without a model has come to is known when it ends, so
that it is analysed in the transaction of its end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import values
from ringdown.agents import brains
from ringdown.agents import store as agent_store
from ringdown.agents.models import BUILTIN_MODEL, Agent
from ringdown.calls import analysis, analysis_asking, announcement
from ringdown.calls.analysis import Verdict
from ringdown.calls.analysis_asking import UnusableAnswer
from ringdown.calls.analysis_request import make_request
from ringdown.calls.models import OUTCOMES, Call, Outcome, TranscriptTurn
from ringdown.calls.store import calls as store
from ringdown.calls.store import search
from ringdown.calls.store import turns as turn_store
from ringdown.config import Settings
from ringdown.contacts import store as contact_store
from ringdown.db.engine import Database
from ringdown.jobs import queue
from ringdown.jobs.loop import TryLater
from ringdown.jobs.store import Job
from ringdown.providers.registry import read_providers
from ringdown.voice.ports import LanguageModel, ProviderError

log = structlog.get_logger(__name__)

#: The kind of the job that analyses one call.
JOB_KIND = "calls.analyse"
#: A model that could not be asked so often, which takes the better part of an hour, is not waited for any longer. Less
#: than the failures after which jobs are parked.
MAX_ATTEMPTS = 12
# The gateway writes the summary of a call whose words are not kept, within half of this.
_SUMMARY_WAIT_MS = 30_000

# Less than a job may take; all models that may be asked share it, twice the longest answer goes to the first.
_ATTEMPT_S = 90.0

#: Gives the model of a name. Raises `ProviderError`.
OpenModel = Callable[[str], Awaitable[LanguageModel]]
#: Gets the analysed call in the transaction that stores its results.
Follower = Callable[[AsyncConnection, Call], Awaitable[None]]

_followers: list[Follower] = []


def register(follower: Follower) -> None:
    """Have `follower` called with every call that a job has analysed; at import, so that none is missed."""
    if follower not in _followers:
        _followers.append(follower)


def list_models(settings: Settings, agent: Agent | None) -> list[str]:
    """The names of the models that may be asked about the agent's calls, in order; none means: from the flow."""
    if agent is None or not settings.analysis_enabled:
        return []
    book = read_providers(settings)
    own = brains.find_model(settings, agent.model)
    names = (own, *agent.fallbacks.models) if own not in (None, BUILTIN_MODEL) else ()
    wanted = (settings.analysis_model,) if settings.analysis_model is not None else names
    return [name for name in dict.fromkeys(wanted) if name and book.find("language_model", name) is not None]


async def begin(
    connection: AsyncConnection,
    ended: Call,
    *,
    reported: Outcome | None,
    turns: Sequence[TranscriptTurn],
    settings: Settings,
) -> dict[str, object] | None:
    """Analyse a call in the transaction that ends it: the columns to set, or None when a job is to ask a model."""
    if ended.started_at is None:
        return {}
    agent = await agent_store.find_agent(connection, ended.organization_id, ended.agent_id)
    if not list_models(settings, agent) or not analysis.is_worth_reading(ended, turns):
        return analysis.conclude(ended, agent=agent, reported=reported, now_ms=ended.updated_at)
    await queue.defer_job(
        connection,
        kind=JOB_KIND,
        payload={"call_id": ended.id, "outcome": reported},
        organization_id=ended.organization_id,
        delay_ms=0 if ended.is_transcribed else _SUMMARY_WAIT_MS,
        unique_key=ended.id,
    )
    return None


@dataclass(frozen=True, slots=True)
class _Subject:
    """A call that is to be analysed, and what is known of it."""

    call: Call
    agent: Agent | None
    turns: Sequence[TranscriptTurn]


@dataclass(frozen=True, slots=True)
class _Judgement:
    """A model's verdict, or why there is none."""

    verdict: Verdict | None = None
    model: str | None = None
    error: str | None = None


async def run_job(database: Database, *, settings: Settings, job: Job, open_model: OpenModel) -> None:
    """Analyse the job's call; safe to run again. Raises `TryLater` when no model could be asked."""
    subject = await _find_subject(database, job)
    if subject is None:
        return
    judgement = await _judge(subject, settings=settings, attempt=job.attempts, open_model=open_model)
    await _store(database, job, agent=subject.agent, judgement=judgement)


async def _find_subject(database: Database, job: Job) -> _Subject | None:
    """None when the call was deleted, or is analysed already."""
    owner, call_id = job.organization_id, job.payload["call_id"]
    async with database.read() as connection:
        call = await store.find_call(connection, owner, call_id)
        if call is None or analysis.is_analysed(call):
            return None
        agent = await agent_store.find_agent(connection, owner, call.agent_id)
        spoken = await turn_store.list_turns(connection, owner, [call_id])
    return _Subject(call, agent, spoken[call_id])


async def _judge(subject: _Subject, *, settings: Settings, attempt: int, open_model: OpenModel) -> _Judgement:
    names = list_models(settings, subject.agent)
    if subject.agent is None or not names or not analysis.is_worth_reading(subject.call, subject.turns):
        return _Judgement()
    if attempt > MAX_ATTEMPTS:
        log.warning("call analysed without its model", call_id=subject.call.id, attempts=attempt - 1)
        return _Judgement(error=f"The model could not be asked in {attempt - 1} attempts.")
    request = make_request(subject.call, subject.agent, subject.turns)
    failure: ProviderError | None = None
    try:
        async with asyncio.timeout(_ATTEMPT_S):
            for name in names:
                try:
                    model = await open_model(name)
                    verdict = await analysis_asking.ask(model, request, timeout_s=settings.analysis_timeout_seconds)
                except ProviderError as error:
                    failure = failure or error
                else:
                    return _Judgement(verdict, name)
    except TimeoutError:
        raise TryLater("no model has answered in time") from failure
    except UnusableAnswer as unusable:
        log.warning("call analysed without its model", call_id=subject.call.id, error=str(unusable))
        return _Judgement(error=str(unusable))
    raise TryLater(str(failure)) from failure


async def _store(database: Database, job: Job, *, agent: Agent | None, judgement: _Judgement) -> None:
    async with database.write() as connection:
        call = await store.find_call(connection, job.organization_id, job.payload["call_id"], lock=True)
        if call is None or analysis.is_analysed(call):
            return
        now = values.now_ms()
        changes = analysis.conclude(
            call,
            agent=agent,
            reported=next((outcome for outcome in OUTCOMES if outcome == job.payload["outcome"]), None),
            now_ms=now,
            verdict=judgement.verdict,
            model=judgement.model,
            error=judgement.error,
        )
        analysed = await store.update_call(connection, call, **changes, updated_at=now)
        if analysed.summary != call.summary:
            spoken = await turn_store.list_turns(connection, call.organization_id, [call.id])
            await search.index_text(connection, analysed, [turn.text for turn in spoken[call.id]])
        for follower in _followers:
            await follower(connection, analysed)
        if analysed.contact_id is not None and analysed.started_at is not None:
            await contact_store.revise_outcome(
                connection,
                analysed.organization_id,
                analysed.contact_id,
                called_at=analysed.started_at,
                outcome=analysed.outcome,
            )
        await announcement.announce_analysis(connection, analysed)
