"""The use cases of an organization's own voices: import, clone, watch the training, change, delete."""

import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from ringdown import errors, values
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.jobs import queue
from ringdown.jobs.store import Job
from ringdown.providers import registry
from ringdown.providers.registry import ProviderSettings
from ringdown.voice.ports import ProviderError
from ringdown.voices import schemas, store, studio
from ringdown.voices.schemas import CloneVoice, ImportVoice, UpdateVoice
from ringdown.voices.store import OwnVoice
from ringdown.voices.studio import Sample, Studio, StudioVoice
from ringdown.web import idempotency

#: The job that looks how a clone is getting on.
TRAINING_JOB = "voices.training"
# The first look comes at once; then ever later ones, for a day.
_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 5_000, 300_000
_GIVEN_UP_AFTER_MS = 24 * 3600 * 1000


class RecordEvent(Protocol):
    """Tells customers of a fact, in the caller's transaction."""

    async def __call__(
        self,
        connection: AsyncConnection,
        *,
        organization_id: str,
        event: Literal["voice.training.completed", "voice.training.failed"],
        data: Mapping[str, object],
        now_ms: int,
        subject_id: str,
    ) -> object:
        """Store the fact."""


async def import_voice(database: Database, *, settings: Settings, organization_id: str, body: ImportVoice) -> OwnVoice:
    """Add a voice that the provider has. Raises `ValidationFailed` and `VoiceProviderUnavailable`."""
    provider = studio.find_provider(settings, body.provider)
    async with _open(provider, field="provider_voice_id") as account:
        found = await account.find_voice(body.provider_voice_id)
    if found is None:
        raise errors.invalid("provider_voice_id", f"there is no such voice at {provider.name}")
    if found.status != "active":
        raise errors.invalid("provider_voice_id", "this voice cannot speak yet")
    language = body.language or found.language
    voice = _make(organization_id, provider, body, found, voice_type="reference", language=language)
    async with database.write() as connection:
        await store.insert_voice(connection, voice)
        await idempotency.bind_resource(connection, voice.id)
    return voice


async def clone_voice(database: Database, *, settings: Settings, organization_id: str, body: CloneVoice) -> OwnVoice:
    """Have a voice made of recordings; it is `training` until the provider says otherwise.

    Raises `ValidationFailed`, `PayloadTooLarge` and `VoiceProviderUnavailable`.
    """
    provider = studio.find_provider(settings, body.provider)
    samples = [Sample(*each) for each in schemas.read_samples(body)]
    if sum(len(sample.content) for sample in samples) > schemas.MAX_SAMPLES_BYTES:
        limit = schemas.MAX_SAMPLES_BYTES
        raise errors.PayloadTooLarge(f"The files have more than {limit >> 20} MB.", {"limit_bytes": limit})
    async with _open(provider, field="files") as account:
        made = await account.clone_voice(body.name, samples, language=body.language)
    voice = _make(organization_id, provider, body, made, voice_type="custom", language=body.language)
    async with database.write() as connection:
        await store.insert_voice(connection, voice)
        await idempotency.bind_resource(connection, voice.id)
        await _look_later(connection, voice, delay_ms=0)
    return voice


async def update_voice(database: Database, *, organization_id: str, voice_id: str, body: UpdateVoice) -> OwnVoice:
    """Change what the body names. Raises `NotFound`."""
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    if changes.get("name", "") is None:
        del changes["name"]  # a voice has a name
    async with database.write() as connection:
        present = await store.get_voice(connection, organization_id, voice_id, lock=True)
        voice = dataclasses.replace(present, **changes, updated_at=values.now_ms())
        await store.update_voice(connection, voice)
    return voice


async def delete_voice(database: Database, *, settings: Settings, organization_id: str, voice_id: str) -> None:
    """Delete a voice, a clone at its provider too. Raises `NotFound` and `VoiceProviderUnavailable`."""
    async with database.read() as connection:
        voice = await store.get_voice(connection, organization_id, voice_id)
    provider = registry.read_providers(settings).find("text_to_speech", voice.provider)
    if voice.type == "custom" and provider is not None:
        async with _open(provider, field="voice_id") as account:
            await account.delete_voice(voice.provider_voice)
    async with database.write() as connection:
        await store.delete_voice(connection, organization_id, voice_id)


async def watch_training(database: Database, *, settings: Settings, job: Job, record_event: RecordEvent) -> None:
    """Look how a clone is getting on, and tell when it is done; runs as a job, any number of times."""
    organization_id, voice_id = job.organization_id, str(job.payload["voice_id"])
    async with database.read() as connection:
        voice = await store.find_voice(connection, organization_id, voice_id)
    if voice is None or voice.status != "training":
        return
    seen = await _ask(settings, voice)
    async with database.write() as connection:
        voice = await store.find_voice(connection, organization_id, voice_id, lock=True)
        if voice is None or voice.status != "training":
            return
        now = values.now_ms()
        if seen.status == "training" and now - voice.created_at > _GIVEN_UP_AFTER_MS:
            seen = StudioVoice(seen.id, status="failed", error="it was not ready after a day")
        if seen.status == "training":
            pause_ms = min(_LONGEST_PAUSE_MS, max(_FIRST_PAUSE_MS, (now - voice.created_at) // 2))
            await _look_later(connection, voice, delay_ms=pause_ms)
            return
        voice = dataclasses.replace(voice, status=seen.status, error=seen.error, updated_at=now)
        await store.update_voice(connection, voice)
        is_ready = seen.status == "active"
        await record_event(
            connection,
            organization_id=organization_id,
            event="voice.training.completed" if is_ready else "voice.training.failed",
            data={"voice_id": voice.id, "name": voice.name, "status": voice.status, "error": voice.error},
            now_ms=now,
            subject_id=voice.id,
        )


async def _ask(settings: Settings, voice: OwnVoice) -> StudioVoice:
    """How the provider finds a voice. One that is busy is asked again by the next run of the job."""
    provider = registry.read_providers(settings).find("text_to_speech", voice.provider)
    if provider is None:
        return StudioVoice(voice.provider_voice, status="training")
    account = await studio.open_studio(provider)
    try:
        found = await account.find_voice(voice.provider_voice)
    except ProviderError as error:
        state: Literal["training", "failed"] = "training" if error.retryable else "failed"
        return StudioVoice(voice.provider_voice, status=state, error=str(error))
    finally:
        await account.close()
    return found or StudioVoice(voice.provider_voice, status="failed", error="the provider has lost it")


async def _look_later(connection: AsyncConnection, voice: OwnVoice, *, delay_ms: int) -> None:
    await queue.defer_job(
        connection,
        kind=TRAINING_JOB,
        payload={"voice_id": voice.id},
        organization_id=voice.organization_id,
        delay_ms=delay_ms,
    )


@asynccontextmanager
async def _open(provider: ProviderSettings, *, field: str) -> AsyncIterator[Studio]:
    account = await studio.open_studio(provider)
    try:
        yield account
    except ProviderError as error:
        raise studio.to_refusal(error, field=field) from error
    finally:
        await account.close()


def _make(
    organization_id: str,
    provider: ProviderSettings,
    body: ImportVoice | CloneVoice,
    found: StudioVoice,
    *,
    voice_type: store.VoiceType,
    language: str | None,
) -> OwnVoice:
    now = values.now_ms()
    return OwnVoice(
        organization_id=organization_id,
        id=values.new_id("voice"),
        name=body.name,
        description=body.description,
        provider=provider.name,
        provider_voice=found.id,
        type=voice_type,
        language=language,
        status=found.status,
        created_at=now,
        updated_at=now,
    )
