"""An organization's own voices over HTTP: imported, cloned, trained, heard, used by agents and calls."""

import audioop
import base64
import io
from collections.abc import AsyncIterator, Mapping
from typing import Any

import av
import httpx
import pytest

from ringdown import values
from ringdown.agents import store as agent_store
from ringdown.config import Settings
from ringdown.gateway.speech import SpeechProviders
from ringdown.jobs.store import Job
from ringdown.providers.opening import OpenProviders
from ringdown.voices import schemas, service, store
from ringdown.voices.preview import Previews, choose_text
from tests.fakes.cartesia_studio_server import KEY as CARTESIA_KEY
from tests.fakes.cartesia_studio_server import FakeCartesiaStudioServer
from tests.fakes.elevenlabs_server import KEY, FakeElevenLabsServer
from tests.fakes.vendor_server import Fault
from tests.slices.carriers import choose_database, on_both  # noqa: F401 - a fixture
from tests.slices.conftest import BASE, Tenant

URL = f"{BASE}/voices"
RACHEL = {"name": "Rachel", "provider": "elevenlabs", "provider_voice_id": "rachel"}
FILE = {"filename": "me.wav", "data": base64.b64encode(b"RIFF sound").decode(), "content_type": "audio/wav"}
CLONE = {"name": "Front desk", "files": [FILE]}


@pytest.fixture
async def elevenlabs() -> AsyncIterator[FakeElevenLabsServer]:
    """ElevenLabs, with one account."""
    async with FakeElevenLabsServer().run() as server:
        yield server


@pytest.fixture
async def cartesia() -> AsyncIterator[FakeCartesiaStudioServer]:
    """Cartesia, with one account."""
    async with FakeCartesiaStudioServer().run() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, elevenlabs: FakeElevenLabsServer, cartesia: FakeCartesiaStudioServer) -> Settings:
    """Settings with both accounts."""
    speaks = {"kind": "text_to_speech", "timeout_seconds": 20}
    providers = (
        {**speaks, "name": "elevenlabs", "type": "elevenlabs", "url": elevenlabs.url, "key": KEY},
        {**speaks, "name": "sonic", "type": "cartesia", "url": cartesia.url, "key": CARTESIA_KEY},
    )
    return settings.model_copy(update={"rate_limit_enabled": False, "providers": providers})


async def _post(tenant: Tenant, body: Mapping[str, Any], path: str = "", *, status: int = 201) -> Any:
    response = await tenant.client.post(f"{URL}{path}", json=body)
    assert response.status_code == status, response.text
    return response.json()["data"] if status < 300 else response.json()["error"]


def _fields(error: Any) -> list[str]:
    assert error["code"] == "validation_error"
    return [item["field"] for item in error["details"]["errors"]]


class Told:
    """What customers were told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, object]]] = []

    async def record_event(self, connection: object, *, event: str, data: Mapping[str, object], **_: object) -> None:
        self.events.append((event, data))


async def _watch(tenant: Tenant, voice_id: str) -> Told:
    """Run the job once, as the worker does."""
    told = Told()
    job = Job(
        organization_id=tenant.organization_id, id="job_1", kind=service.TRAINING_JOB, payload={"voice_id": voice_id},
        attempts=1, lease_id="lease_1", interval_ms=None,
    )  # fmt: skip
    await service.watch_training(tenant.database, settings=tenant.settings, job=job, record_event=told.record_event)
    return told


# --- import ----------------------------------------------------------------------------------------------------------


@on_both
async def test_a_voice_of_a_provider_is_imported_changed_and_deleted(
    tenant: Tenant, stranger: Tenant, elevenlabs: FakeElevenLabsServer
) -> None:
    voice = await _post(tenant, {"name": "Rachel", "provider_voice_id": "rachel"})
    assert voice | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "", "name": "Rachel", "provider": "elevenlabs", "type": "reference", "language": "en",
        "status": "active", "created_at": "", "updated_at": "", "description": None, "provider_voice_id": "rachel",
        "error": None,
    }  # fmt: skip
    url = f"{URL}/{voice['id']}"
    assert (await tenant.client.get(url)).json()["data"] == voice
    for method in ("PUT", "PATCH"):
        changed = (await tenant.client.request(method, url, json={"name": method, "description": "calm"})).json()
        assert (changed["data"]["name"], changed["data"]["description"]) == (method, "calm")
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert (await stranger.client.request(method, url, json={})).status_code == 404
    assert (await stranger.client.get(f"{url}/preview")).status_code == 404
    assert (await tenant.client.delete(url)).json()["data"] == {"id": voice["id"], "deleted": True}
    assert (await tenant.client.get(url)).status_code == 404
    assert "rachel" in elevenlabs.voices  # it is the provider's own


async def test_a_voice_of_cartesia_is_imported_by_type_and_by_name(tenant: Tenant) -> None:
    for name in ("cartesia", "sonic"):
        voice = await _post(tenant, {"name": "Ada", "provider": name, "provider_voice_id": "ada-1"})
        assert (voice["provider"], voice["language"]) == ("sonic", "de")


async def test_own_voices_are_listed_behind_those_of_the_installation(tenant: Tenant, stranger: Tenant) -> None:
    voice = await _post(tenant, RACHEL)
    everything = (await tenant.client.get(URL)).json()["data"]
    assert everything[-1] == voice
    assert (await tenant.client.get(f"{URL}?source=custom")).json()["data"] == [voice]
    for source in ("system", "ultravox"):
        assert (await tenant.client.get(f"{URL}?source={source}")).json()["data"] == everything[:-1]
    assert (await stranger.client.get(f"{URL}?source=custom")).json()["data"] == []
    assert (await tenant.client.get(f"{URL}?source=mine")).status_code == 422


async def test_a_bad_import_is_refused_by_name(tenant: Tenant) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"provider_voice_id": ""}, "provider_voice_id"),
        ({"provider_voice_id": "../x"}, "provider_voice_id"),
        ({"provider_voice_id": "nobody"}, "provider_voice_id"),
        ({"provider": "lmnt"}, "provider"),
        ({"speed": 1}, "speed"),
    ]
    for changes, field in cases:
        assert _fields(await _post(tenant, RACHEL | changes, status=422)) == [field], changes
    assert _fields(await _post(tenant, {}, status=422)) == ["name", "provider_voice_id"]
    assert (await tenant.client.get(f"{URL}?source=custom")).json()["data"] == []


async def test_without_a_provider_the_settings_are_named(tenant: Tenant) -> None:
    object.__setattr__(tenant.settings, "providers", ())
    for body, path in ((RACHEL, ""), (CLONE, "/clone")):
        error = await _post(tenant, body, path, status=422)
        assert _fields(error) == ["provider"]
        assert "RINGDOWN_PROVIDERS" in error["message"]


async def test_a_provider_that_fails_is_a_502(
    tenant: Tenant, elevenlabs: FakeElevenLabsServer, cartesia: FakeCartesiaStudioServer
) -> None:
    faults = (Fault(status=500), Fault(status=429), Fault("hang_up"), Fault(status=200, body=b'{"voice'))
    ada = {"name": "Ada", "provider": "sonic", "provider_voice_id": "ada-1"}
    for fault in faults:
        elevenlabs.fail("GET", "/v1/voices/rachel", fault)
        cartesia.fail("GET", "/voices/ada-1", fault)
        for body in (RACHEL, ada):
            error = await _post(tenant, body, status=502)
            assert error["details"] == {"provider": body["provider"], "retryable": True}, fault
    elevenlabs.fail("GET", "/v1/voices/rachel", Fault(status=401))
    assert _fields(await _post(tenant, RACHEL, status=422)) == ["provider_voice_id"]


# --- clone -----------------------------------------------------------------------------------------------------------


@on_both
async def test_a_clone_is_training_until_the_provider_says_otherwise(
    tenant: Tenant, elevenlabs: FakeElevenLabsServer
) -> None:
    elevenlabs.clone_state = {"category": "professional", "fine_tuning": {"state": {"eleven_v2": "queued"}}}
    voice = await _post(tenant, CLONE, "/clone")
    assert (voice["type"], voice["status"], voice["provider_voice_id"]) == ("custom", "training", "clone1")
    assert b"RIFF sound" in elevenlabs.clones[0]
    url = f"{URL}/{voice['id']}"
    assert (await _watch(tenant, voice["id"])).events == []
    assert (await tenant.client.get(f"{url}/preview")).status_code == 422
    agent = {"name": "A", "system_prompt": "Be kind.", "voice_id": voice["id"]}
    assert (await tenant.client.post(f"{BASE}/agents", json=agent)).status_code == 422
    elevenlabs.voices["clone1"] = {"category": "professional", "fine_tuning": {"state": {"eleven_v2": "fine_tuned"}}}
    [(event, data)] = (await _watch(tenant, voice["id"])).events
    assert (event, data["voice_id"], data["status"]) == ("voice.training.completed", voice["id"], "active")
    assert (await _watch(tenant, voice["id"])).events == []
    assert (await tenant.client.get(url)).json()["data"]["status"] == "active"
    assert (await tenant.client.delete(url)).status_code == 200
    assert "clone1" not in elevenlabs.voices


async def test_a_training_that_fails_is_told(tenant: Tenant, elevenlabs: FakeElevenLabsServer) -> None:
    elevenlabs.clone_state = {"category": "professional", "fine_tuning": {"state": {"eleven_v2": "failed"}}}
    voice = await _post(tenant, CLONE, "/clone")
    elevenlabs.fail("GET", "/v1/voices/clone1", Fault(status=500))
    assert (await _watch(tenant, voice["id"])).events == []  # being away is no failure of the training
    [(event, data)] = (await _watch(tenant, voice["id"])).events
    assert (event, data["error"]) == ("voice.training.failed", "the training failed")
    shown = (await tenant.client.get(f"{URL}/{voice['id']}")).json()["data"]
    assert (shown["status"], shown["error"]) == ("failed", "the training failed")


async def test_a_training_that_never_ends_is_given_up(tenant: Tenant, elevenlabs: FakeElevenLabsServer) -> None:
    elevenlabs.clone_state = {"category": "professional"}
    voice = await _post(tenant, CLONE, "/clone")
    async with tenant.database.write() as connection:
        known = await store.get_voice(connection, tenant.organization_id, voice["id"])
        fields = {name: getattr(known, name) for name in known.__dataclass_fields__}
        await store.update_voice(
            connection, store.OwnVoice(**{**fields, "created_at": values.now_ms() - 25 * 3_600_000})
        )
    assert [event for event, _ in (await _watch(tenant, voice["id"])).events] == ["voice.training.failed"]


async def test_cartesia_clones_one_recording(tenant: Tenant, cartesia: FakeCartesiaStudioServer) -> None:
    body = CLONE | {"provider": "sonic", "language": "en-US"}
    voice = await _post(tenant, body, "/clone")
    assert voice["language"] == "en-US"
    assert [event for event, _ in (await _watch(tenant, voice["id"])).events] == ["voice.training.completed"]
    assert b"RIFF sound" in cartesia.clones[0]
    assert _fields(await _post(tenant, body | {"files": [FILE, FILE]}, "/clone", status=422)) == ["files"]


async def test_a_bad_clone_is_refused_by_name(tenant: Tenant, elevenlabs: FakeElevenLabsServer) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"files": []}, "files"),
        ({"files": [FILE] * 11}, "files"),
        ({"files": [FILE | {"data": "no base64!"}]}, "files.0.data"),
        ({"files": [FILE | {"data": ""}]}, "files.0.data"),
        ({"files": [FILE | {"content_type": "text/html"}]}, "files.0.content_type"),
        ({"files": [FILE | {"filename": "a\nb"}]}, "files.0.filename"),
        ({"name": " "}, "name"),
        ({"language": "english please"}, "language"),
    ]
    for changes, field in cases:
        assert _fields(await _post(tenant, CLONE | changes, "/clone", status=422)) == [field], changes
    assert elevenlabs.requests == []


async def test_samples_beyond_the_limit_are_a_413(
    tenant: Tenant, elevenlabs: FakeElevenLabsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "MAX_SAMPLES_BYTES", 2_000_000)
    files = [FILE | {"data": base64.b64encode(bytes(1_000_001)).decode()}] * 2
    by_content = await tenant.client.post(f"{URL}/clone", json=CLONE | {"files": files})
    by_length = await tenant.client.post(f"{URL}/clone", content=b"{}", headers={"Content-Length": "40000000"})
    for response in (by_content, by_length):
        assert (response.status_code, response.json()["error"]["code"]) == (413, "payload_too_large")
    assert elevenlabs.requests == []


@on_both
async def test_a_repeated_clone_gets_the_first_answer(tenant: Tenant, elevenlabs: FakeElevenLabsServer) -> None:
    headers = {"X-Idempotency-Key": "once"}
    first, second = [await tenant.client.post(f"{URL}/clone", json=CLONE, headers=headers) for _ in range(2)]
    assert (first.status_code, first.json(), len(elevenlabs.clones)) == (201, second.json(), 1)


# --- use -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["elevenlabs", "sonic"])
async def test_a_call_speaks_with_an_own_voice(
    tenant: Tenant,
    stranger: Tenant,
    elevenlabs: FakeElevenLabsServer,
    cartesia: FakeCartesiaStudioServer,
    provider: str,
) -> None:
    identifier = "rachel" if provider == "elevenlabs" else "ada-1"
    voice = await _post(tenant, {"name": "Own", "provider": provider, "provider_voice_id": identifier})
    body = {"name": "A", "system_prompt": "Be kind.", "voice_id": voice["id"]}
    made = (await tenant.client.post(f"{BASE}/agents", json=body)).json()["data"]
    assert made["voice_id"] == voice["id"]
    assert (await stranger.client.post(f"{BASE}/agents", json=body)).status_code == 422
    async with tenant.database.read() as connection:
        agent = await agent_store.get_agent(connection, tenant.organization_id, made["id"])
    speaking = SpeechProviders(tenant.settings)
    try:
        speech = await speaking.open_speech(tenant.database, agent)
        pcm = b"".join([piece.pcm async for piece in speech.speaker.speak("Good morning.", sample_rate_hz=8000)])
    finally:
        await speaking.close()
    assert abs(len(pcm) - 8000) <= 400  # half a second
    assert audioop.rms(pcm, 2) > 6000
    if provider == "elevenlabs":
        assert elevenlabs.spoken[0][0] == "rachel"
        assert elevenlabs.spoken[0][1]["language_code"] == "en"
    else:
        assert (cartesia.spoken[0]["voice"]["id"], cartesia.spoken[0]["language"]) == ("ada-1", "en")


@on_both
async def test_an_agent_whose_voice_is_gone_speaks_with_the_default(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str]] = []
    monkeypatch.setattr(
        OpenProviders, "open_speaker", lambda _self, name, voice, *, language: opened.append((name, voice))
    )
    voice = await _post(tenant, RACHEL)
    agent = await tenant.add_agent(voice_id=voice["id"])
    speaking = SpeechProviders(tenant.settings)
    await speaking.open_speech(tenant.database, agent)
    assert (await tenant.client.delete(f"{URL}/{voice['id']}")).status_code == 200
    await speaking.open_speech(tenant.database, agent)
    await speaking.close()
    assert opened == [("elevenlabs", "rachel"), ("espeak", "en-us")]


# --- preview ---------------------------------------------------------------------------------------------------------


def _read_seconds(mp3: bytes) -> float:
    with av.open(io.BytesIO(mp3)) as container:
        frames = list(container.decode(audio=0))
    return sum(frame.samples / frame.sample_rate for frame in frames)


async def test_an_offline_voice_can_be_heard(tenant: Tenant) -> None:
    response = await tenant.client.get(f"{URL}/espeak:de/preview")
    assert (response.status_code, response.headers["content-type"]) == (200, "audio/mpeg")
    assert 2 < _read_seconds(response.content) < 10


async def test_a_preview_is_made_once(tenant: Tenant, elevenlabs: FakeElevenLabsServer) -> None:
    voice = await _post(tenant, RACHEL)
    first, second = [await tenant.client.get(f"{URL}/{voice['id']}/preview") for _ in range(2)]
    assert first.content == second.content
    assert 0.4 < _read_seconds(first.content) < 0.8
    assert len(elevenlabs.spoken) == 1


async def test_previews_are_forgotten_when_they_are_too_many(tenant: Tenant, elevenlabs: FakeElevenLabsServer) -> None:
    elevenlabs.voices["adam"] = {"category": "premade"}
    own = [await _post(tenant, RACHEL), await _post(tenant, RACHEL | {"provider_voice_id": "adam"})]
    async with tenant.database.read() as connection:
        voices = {voice.id: voice for voice in await store.list_usable(connection, tenant.organization_id)}
    previews = Previews(tenant.settings, max_kept_bytes=5_000)
    for index in (0, 1, 1, 0):
        await previews.get_preview(voices[own[index]["id"]])
    assert [voice for voice, _ in elevenlabs.spoken] == ["rachel", "adam", "rachel"]


async def test_a_preview_that_fails_is_a_502_and_not_remembered(
    tenant: Tenant, elevenlabs: FakeElevenLabsServer
) -> None:
    voice = await _post(tenant, RACHEL)
    path = "/v1/text-to-speech/rachel/stream"
    elevenlabs.fail("POST", path, Fault(status=500), Fault(status=401), Fault("hang_up"), Fault(status=200, body=b""))
    for retryable in (True, False, True, True):
        response = await tenant.client.get(f"{URL}/{voice['id']}/preview")
        assert (response.status_code, response.json()["error"]["code"]) == (502, "provider_error")
        assert response.json()["error"]["details"] == {"provider": "elevenlabs", "retryable": retryable}
    assert (await tenant.client.get(f"{URL}/{voice['id']}/preview")).status_code == 200


def test_there_is_a_sentence_for_each_language() -> None:
    assert choose_text("de-AT").startswith("Guten Tag")
    assert choose_text(None) == choose_text("en-US") == choose_text("xx")


async def test_voices_of_the_installation_cannot_be_changed(tenant: Tenant) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        response = await tenant.client.request(method, f"{URL}/espeak:en-us", json={})
        assert (response.status_code, _fields(response.json()["error"])) == (422, ["voice_id"])


async def test_voices_need_a_key(anonymous: httpx.AsyncClient) -> None:
    for method, path in [("POST", ""), ("POST", "/clone"), ("GET", "/x/preview"), ("PUT", "/x"), ("PATCH", "/x"),
                         ("DELETE", "/x"), ("GET", "/x")]:  # fmt: skip
        assert (await anonymous.request(method, f"{URL}{path}", json={})).status_code == 401
