"""The job that analyses calls, and the language models that it asks."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ringdown.batch_calls import analysed as analysed  # registers itself
from ringdown.calls import analysing
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.jobs import loop
from ringdown.jobs.store import Job
from ringdown.lifecycle import CannotStart
from ringdown.providers.registry import ProviderBook, read_providers
from ringdown.voice.ports import LanguageModel


class _Models:
    """The language models, each opened when it is first asked; they have more time than in a conversation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        patient = {"timeout_seconds": settings.analysis_timeout_seconds}
        models = read_providers(settings).list("language_model")
        self._book = ProviderBook(tuple(model.model_copy(update=patient) for model in models))
        self._opening = asyncio.Lock()
        self._providers: Any = None
        if settings.analysis_model is not None and self._book.find("language_model", settings.analysis_model) is None:
            known = ", ".join(model.name for model in models) or "none"
            raise CannotStart(
                f"analysis_model (RINGDOWN_ANALYSIS_MODEL): must be a language model; there are: {known}."
            )

    async def open(self, name: str) -> LanguageModel:
        """The model of this name. Raises `ValueError` for one whose settings cannot be used."""
        async with self._opening:
            provider = self._book.find("language_model", name)
            assert provider is not None
            # Imports the vendor's client, for half a second.
            opening = await asyncio.to_thread(importlib.import_module, "ringdown.providers.opening")
            await asyncio.to_thread(opening.check_parameters, provider)
            if self._providers is None:
                self._providers = opening.OpenProviders(self._settings, self._book)
            model: LanguageModel = self._providers.open_model(name)
            return model

    async def close(self) -> None:
        """Close the connections."""
        if self._providers is not None:
            await self._providers.close()


@asynccontextmanager
async def open_handlers(
    settings: Settings, database: Database, asked: asyncio.Event
) -> AsyncIterator[Mapping[str, loop.Handler]]:
    """The handlers by kind of job; a model that still writes when a stop is `asked` for is not waited for.

    Raises `CannotStart` for an `analysis_model` that nobody knows.
    """
    models = _Models(settings)

    async def analyse(job: Job) -> None:
        working = asyncio.create_task(analysing.run_job(database, settings=settings, job=job, open_model=models.open))
        stopping = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise loop.TryLater("the worker stops")
            await working
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    try:
        yield {analysing.JOB_KIND: analyse}
    finally:
        await models.close()
