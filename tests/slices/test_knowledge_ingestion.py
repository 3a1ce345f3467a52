"""Sources of every kind read by the worker's real jobs and searched over HTTP."""

import dataclasses
import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from ringdown.jobs.loop import Handler
from ringdown.jobs.store import Job
from ringdown.knowledge import chunk_store, embedding, ingestion, store, vectors
from ringdown.knowledge.documents import DocumentStore
from ringdown.knowledge.embedding import Embedding
from ringdown.knowledge.extraction import Extractor
from ringdown.knowledge.ingestion import Ingestion
from ringdown.knowledge.models import Chunk, Passage
from ringdown.knowledge.pieces import Piece, Request
from ringdown.knowledge.search import search_knowledge
from ringdown.outbound import OutboundClient
from ringdown.voice.ports import ProviderError
from tests.fakes import documents as samples
from tests.fakes.web_server import Answer, FakeWebServer
from tests.slices.conftest import Tenant
from tests.slices.knowledge_worker import run_due_jobs
from tests.slices.test_knowledge import BASES, add, create, encode

HTML = {"content-type": "text/html; charset=utf-8"}


class FakeEmbedder:
    """Vectors by the words of a text, where `synonyms` mean the same."""

    model = "fake-embedding"

    def __init__(self) -> None:
        self.synonyms: dict[str, str] = {"physician": "doctor"}
        self.texts: list[str] = []
        self.failure: Exception | None = None

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.failure is not None:
            raise self.failure
        self.texts += texts
        return [self._embed(text) for text in texts]

    def _embed(self, text: str) -> list[float]:
        vector = np.zeros(64)
        for word in text.lower().replace(".", "").replace("?", "").split():
            word = self.synonyms.get(word, word)
            vector[hashlib.sha256(word.encode()).digest()[0] % 64] += 1
        return [float(value) for value in vector]


class CountingExtractor(Extractor):
    """The real extractor, which can break off before the piece number `stop_at` as a killed worker does."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__(piece_characters=20_000)
        self.stop_at = stop_at
        self.starts: list[int] = []

    async def extract(self, content: bytes, request: Request) -> Piece:
        if len(self.starts) == self.stop_at:
            raise ConnectionAbortedError("the worker was killed")
        self.starts.append(request.start)
        return await super().extract(content, request)


@dataclasses.dataclass
class Worker:
    """The worker's knowledge jobs on the tenant's database."""

    tenant: Tenant
    handlers: dict[str, Handler]

    async def run(self) -> int:
        return await run_due_jobs(self.tenant.database, self.handlers)

    async def get_source(self, source: dict[str, Any]) -> dict[str, Any]:
        url = f"{BASES}/{source['knowledge_base_id']}/sources/{source['id']}"
        shown: dict[str, Any] = (await self.tenant.client.get(url)).json()["data"]
        return shown

    async def ask(self, base_id: str, query: str, **fields: Any) -> list[dict[str, Any]]:
        response = await self.tenant.client.post(f"{BASES}/{base_id}/query", json={"query": query} | fields)
        assert response.status_code == 201, response.text
        passages: list[dict[str, Any]] = response.json()["data"]["passages"]
        return passages

    async def count_rows(self) -> int:
        async with self.tenant.database.read() as connection:
            rows = sa.select(sa.func.count()).select_from(chunk_store.chunks)
            return (await connection.execute(rows)).scalar_one()

    def count_files(self) -> int:
        return sum(path.is_file() for path in (self.tenant.settings.data_dir / "knowledge").rglob("*"))


def make_ingestion(tenant: Tenant, client: OutboundClient, **fields: Any) -> Ingestion:
    known: dict[str, Any] = {"extractor": Extractor(), "embeds": False}
    documents = DocumentStore.open(tenant.settings)
    return Ingestion(tenant.database, documents=documents, client=client, **(known | fields))


@pytest.fixture
async def client_out() -> AsyncIterator[OutboundClient]:
    client = OutboundClient(private_allowed=True)
    yield client
    await client.close()


@pytest.fixture
async def worker(tenant: Tenant, client_out: OutboundClient) -> Worker:
    ingesting = make_ingestion(tenant, client_out)
    return Worker(tenant, {ingestion.INGEST: ingesting.ingest, ingestion.SWEEP: ingesting.sweep})


@pytest.fixture
async def site() -> AsyncIterator[FakeWebServer]:
    server = FakeWebServer(answers=[Answer(b"not here", status=404)])
    async with server.run():
        yield server


def page(body: str, **fields: Any) -> Answer:
    return Answer(**({"body": f"<html><body>{body}</body></html>".encode(), "headers": HTML} | fields))


async def test_every_kind_of_document_is_read_and_found(worker: Worker, tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    docx = samples.make_docx(
        [(1, "Delivery"), (0, "Parcels take three days.")], table=[["Country", "Fee"], ["Norway", "12 euro"]]
    )
    files = {
        "hours.txt": "Wir öffnen um neun.".encode("windows-1252"),
        "faq.md": b"# Refunds\n\n## Deadline\n\nMoney back within thirty days.",
        "manual.pdf": samples.make_pdf(["Press the red button.", "Clean the filter monthly."]),
        "delivery.docx": docx,
        "about.html": b"<h1>About</h1><nav>Menu</nav><p>Founded in <b>1999</b>.</p>",
    }
    sources = {
        name: await add(tenant, base_id, "document", name=name, file={"filename": name, "data": encode(content)})
        for name, content in files.items()
    }
    assert (await worker.tenant.client.get(f"{BASES}/{base_id}")).json()["data"]["status"] == "processing"
    await worker.run()
    for name, source in sources.items():
        shown = await worker.get_source(source)
        assert (name, shown["status"], shown["progress"], shown["error"]) == (name, "ready", 1, None)
        assert shown["chunk_count"] >= 1
    for query, name, title, words in [
        ("Wann öffnen Sie?", "hours.txt", None, "Wir öffnen um neun."),
        ("refund deadline", "faq.md", "Refunds › Deadline", "Money back within thirty days."),
        ("how do I clean filters", "manual.pdf", None, "Clean the filter monthly."),
        ("fee for norway", "delivery.docx", "Delivery", "Norway | 12 euro"),
        ("when were you founded", "about.html", "About", "Founded in 1999."),
    ]:
        best = (await worker.ask(base_id, query))[0]
        assert (best["source_name"], best["source_id"], best["title"]) == (name, sources[name]["id"], title)
        assert words in best["text"]
        assert best["score"] == 1
    base = (await tenant.client.get(f"{BASES}/{base_id}")).json()["data"]
    assert (base["status"], base["source_count"]) == ("ready", 5)
    assert base["chunk_count"] == await worker.count_rows()
    assert worker.count_files() == 0


async def test_a_broken_file_fails_alone_with_its_reason(worker: Worker, tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    files = {
        "locked.pdf": (samples.make_pdf(["Secret."], password="x"), "It is protected by a password."),
        "scanned.pdf": (samples.make_pdf(["", ""]), "It holds no text, only pictures"),
        "bomb.docx": (samples.make_zip_bomb(400_000_000), "It unpacks to more than a document may hold."),
        "blank.md": (b"\xef\xbb\xbf \n", "It holds no text."),
    }
    sources = {}
    for name, (content, _) in files.items():
        file = {"filename": name, "data": encode(content)}
        sources[name] = await add(tenant, base_id, "document", name=name, file=file)
    await worker.run()
    for name, (_, reason) in files.items():
        shown = await worker.get_source(sources[name])
        assert (name, shown["status"], shown["chunk_count"]) == (name, "failed", 0)
        assert shown["error"].startswith(reason), (name, shown["error"])
    assert (await tenant.client.get(f"{BASES}/{base_id}")).json()["data"]["status"] == "failed"
    good = await add(tenant, base_id, "text", text="We open at nine.")
    await worker.run()
    assert (await worker.get_source(good))["status"] == "ready"
    assert (await tenant.client.get(f"{BASES}/{base_id}")).json()["data"]["status"] == "ready"
    assert worker.count_files() == 0


async def test_a_web_site_is_crawled_within_its_limits(worker: Worker, tenant: Tenant, site: FakeWebServer) -> None:
    base_id = (await create(tenant))["id"]
    site.pages |= {
        "/robots.txt": Answer(b"User-agent: *\nDisallow: /private\n", headers={"content-type": "text/plain"}),
        "/": page(
            "<title>Home</title><p>Welcome to the zoo.</p><a href='/lions#top'>Lions</a><a href='/private'>Staff</a>"
            "<a href='https://elsewhere.example/'>Friends</a><a href='/map.png'>Map</a><a href='/moved'>Moved</a>"
            "<a href='/away'>Away</a><a href='/gone'>Gone</a><a href='/prices.pdf'>Prices</a>"
        ),
        "/lions": page("<h1>Lions</h1><p>Lions are fed at noon.</p><a href='/lions/cubs'>Cubs</a><a href='/'>Home</a>"),
        "/lions/cubs": page("<p>Too deep to be seen.</p>"),
        "/private": page("<p>Not for you.</p>"),
        "/moved": Answer(status=301, headers={"location": "/new"}),
        "/new": page("<p>Parrots moved next to the gate.</p>"),
        "/away": Answer(status=302, headers={"location": f"http://localhost:{site.port}/other"}),
        "/other": page("<p>Another host.</p>"),
        "/prices.pdf": Answer(samples.make_pdf(["Children pay 5 euro."]), headers={"content-type": "application/pdf"}),
    }
    source = await add(tenant, base_id, "web", urls=[site.url], max_depth=1)
    await worker.run()
    shown = await worker.get_source(source)
    assert (shown["status"], shown["error"]) == ("ready", None)
    asked = [request.target for request in site.requests]
    assert asked == ["/robots.txt", "/", "/lions", "/moved", "/new", "/away", "/other", "/gone", "/prices.pdf"]
    assert shown["warnings"] == [
        f"{site.url}/private: the site's robots.txt does not allow it",
        f"{site.url}/away: it redirects to another site",
        f"{site.url}/gone: it answers with the status 404",
    ]
    best = (await worker.ask(base_id, "When are the lions fed?"))[0]
    assert (best["text"], best["url"], best["title"]) == (
        "Lions are fed at noon.\n\nCubsHome",
        f"{site.url}/lions",
        "Lions",
    )
    assert (await worker.ask(base_id, "parrots"))[0]["url"] == f"{site.url}/new"
    assert "5 euro" in (await worker.ask(base_id, "children price"))[0]["text"]
    for absent in ("deep", "private staff only", "another host"):
        assert not any("Too deep" in found["text"] for found in await worker.ask(base_id, absent))


async def test_a_page_without_end_does_not_keep_the_others_from_being_taken(
    tenant: Tenant, site: FakeWebServer, client_out: OutboundClient
) -> None:
    extractor = CountingExtractor()
    patient = make_ingestion(tenant, client_out, extractor=extractor, page_budget_s=0.0)
    worker = Worker(tenant, {ingestion.INGEST: patient.ingest, ingestion.SWEEP: patient.sweep})
    site.pages |= {
        "/endless": Answer(b"All work and no play. " * 5_000, headers={"content-type": "text/plain"}),
        "/short": page("<p>Lions are fed at noon.</p>"),
    }
    base_id = (await create(tenant))["id"]
    source = await add(tenant, base_id, "web", urls=[f"{site.url}/endless", f"{site.url}/short"])
    await worker.run()
    shown = await worker.get_source(source)
    assert (shown["status"], extractor.starts) == ("ready", [0, 0])
    assert shown["warnings"] == [f"{site.url}/endless: only its beginning is taken, because reading it takes too long"]


async def test_no_more_pages_than_asked_for_are_fetched(worker: Worker, tenant: Tenant, site: FakeWebServer) -> None:
    base_id = (await create(tenant))["id"]
    for number in range(8):
        links = "".join(f"<a href='/{other}'>x</a>" for other in range(8))
        site.pages[f"/{number}"] = page(f"<p>Page {number}.</p>{links}")
    source = await add(tenant, base_id, "web", urls=[f"{site.url}/0"], max_depth=5, max_pages=3)
    await worker.run()
    assert [request.target for request in site.requests] == ["/robots.txt", "/0", "/1", "/2"]
    assert (await worker.get_source(source))["chunk_count"] == 3


async def test_a_site_that_cannot_be_had_fails_with_its_reason(tenant: Tenant, site: FakeWebServer) -> None:
    guarded = OutboundClient(private_allowed=False)
    ingesting = make_ingestion(tenant, guarded)
    worker = Worker(tenant, {ingestion.INGEST: ingesting.ingest, ingestion.SWEEP: ingesting.sweep})
    base_id = (await create(tenant))["id"]
    source = await add(tenant, base_id, "web", urls=[site.url])
    await worker.run()
    await guarded.close()
    shown = await worker.get_source(source)
    assert shown["status"] == "failed"
    assert shown["error"].startswith("None of its pages could be taken; the first problem was http://127.0.0.1")
    assert "not a public address" in shown["error"]
    assert site.requests == []


async def test_a_run_that_broke_off_goes_on_behind_its_last_piece(
    worker: Worker, tenant: Tenant, client_out: OutboundClient
) -> None:
    base_id = (await create(tenant))["id"]
    text = "\n\n".join(f"Paragraph {number} tells of animal{number}. {'x' * 60}" for number in range(600))
    source = await add(tenant, base_id, "text", text=text, format="text")
    broken = CountingExtractor(stop_at=2)
    with pytest.raises(ConnectionAbortedError):
        await run_due_jobs(
            tenant.database, {ingestion.INGEST: make_ingestion(tenant, client_out, extractor=broken).ingest}
        )
    halfway = await worker.get_source(source)
    assert halfway["status"] == "processing"
    assert 0 < halfway["progress"] < 1
    # What a killed worker had stored of the piece it was at.
    async with tenant.database.write() as connection:
        await chunk_store.insert_chunks(
            connection,
            organization_id=tenant.organization_id,
            knowledge_base_id=base_id,
            source_id=source["id"],
            first_position=halfway["chunk_count"],
            new=[Chunk("Half a piece.")],
        )
    mended = CountingExtractor()
    job = Job("job_2", tenant.organization_id, ingestion.INGEST, {"source_id": source["id"]}, None, 2, "lease_2")
    await make_ingestion(tenant, client_out, extractor=mended).ingest(job)
    shown = await worker.get_source(source)
    assert (shown["status"], shown["progress"]) == ("ready", 1)
    assert broken.starts[0] == 0
    assert mended.starts[0] > broken.starts[1]
    assert shown["chunk_count"] == await worker.count_rows()
    assert await worker.ask(base_id, "half a piece") == []
    for number in (0, 333, 599):
        assert f"animal{number}." in (await worker.ask(base_id, f"animal{number}"))[0]["text"]


async def test_a_source_too_long_for_one_run_is_finished_by_the_next(
    tenant: Tenant, client_out: OutboundClient
) -> None:
    base_id = (await create(tenant))["id"]
    source = await add(tenant, base_id, "text", text="Some words. " * 4_000)
    extractor = CountingExtractor()
    ingesting = make_ingestion(tenant, client_out, extractor=extractor, budget_s=0.01)
    worker = Worker(tenant, {ingestion.INGEST: ingesting.ingest})
    assert await worker.run() == 3
    assert len(extractor.starts) == 3
    assert (await worker.get_source(source))["status"] == "ready"


async def test_a_source_that_breaks_off_every_time_is_given_up(worker: Worker, tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    source = await add(tenant, base_id, "text", text="Hello.")
    job = Job("job_1", tenant.organization_id, ingestion.INGEST, {"source_id": source["id"]}, None, 11, "lease_1")
    await worker.handlers[ingestion.INGEST](job)
    shown = await worker.get_source(source)
    assert (shown["status"], shown["error"]) == ("failed", "Reading it broke off again and again.")


async def test_ingesting_twice_changes_nothing(worker: Worker, tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    source = await add(tenant, base_id, "text", text="We open at nine.")
    job = Job("job_1", tenant.organization_id, ingestion.INGEST, {"source_id": source["id"]}, None, 1, "lease_1")
    await worker.handlers[ingestion.INGEST](job)
    before = await worker.get_source(source)
    await worker.handlers[ingestion.INGEST](job)
    assert await worker.get_source(source) == before
    assert await worker.count_rows() == 1


@pytest.mark.parametrize("whole_base", [False, True])
async def test_deleting_in_mid_ingestion_leaves_nothing(
    worker: Worker, tenant: Tenant, client_out: OutboundClient, whole_base: bool
) -> None:
    base_id = (await create(tenant))["id"]
    source = await add(tenant, base_id, "text", text="Some words. " * 4_000)
    url = f"{BASES}/{base_id}" if whole_base else f"{BASES}/{base_id}/sources/{source['id']}"

    class DeletingExtractor(CountingExtractor):
        async def extract(self, content: bytes, request: Request) -> Piece:
            piece = await super().extract(content, request)
            if len(self.starts) == 2:
                assert (await tenant.client.delete(url)).status_code == 200
            return piece

    extractor = DeletingExtractor()
    ingesting = make_ingestion(tenant, client_out, extractor=extractor)
    await run_due_jobs(tenant.database, {ingestion.INGEST: ingesting.ingest})
    assert len(extractor.starts) == 2
    assert await worker.count_rows() > 0
    assert await search(tenant, base_id, "words") == []
    await worker.run()
    assert await worker.count_rows() == 0
    assert worker.count_files() == 0
    if tenant.database.dialect == "sqlite":
        async with tenant.database.read() as connection:
            left = sa.text("SELECT count(*) FROM knowledge_words WHERE knowledge_words MATCH 'words'")
            assert (await connection.execute(left)).scalar_one() == 0


async def test_a_run_that_was_taken_over_writes_nothing_more(
    worker: Worker, tenant: Tenant, client_out: OutboundClient
) -> None:
    base_id = (await create(tenant))["id"]
    source = await add(tenant, base_id, "text", text="We open at nine.")
    job = Job("job_1", tenant.organization_id, ingestion.INGEST, {"source_id": source["id"]}, None, 1, "lease_1")

    class OvertakenExtractor(Extractor):
        async def extract(self, content: bytes, request: Request) -> Piece:
            piece = await super().extract(content, request)
            await worker.handlers[ingestion.INGEST](dataclasses.replace(job, lease_id="lease_2"))
            return piece

    await make_ingestion(tenant, client_out, extractor=OvertakenExtractor()).ingest(job)
    assert (await worker.get_source(source))["chunk_count"] == 1
    assert await worker.count_rows() == 1


async def search(tenant: Tenant, base_id: str, query: str, embedder: FakeEmbedder | None = None) -> list[Passage]:
    return await search_knowledge(
        tenant.database,
        organization_id=tenant.organization_id,
        knowledge_base_ids=[base_id, "kb_of_nobody"],
        query=query,
        embedder=embedder,
    )


async def test_words_are_found_in_every_language_and_form(worker: Worker, tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    texts = {
        "German": "Die Öffnungszeiten sind von neun bis achtzehn Uhr.",
        "French": "Le café est fermé le dimanche.",
        "Chinese": "我们每天早上九点开门。",
        "Japanese": "営業時間は午前九時からです。",
        "Hindi": "दुकान सुबह नौ बजे खुलती है।",
        "Thai": "ร้านเปิดเวลาเก้าโมงเช้า",
        "English": "The premium plan has three refunds; see section 4.2 or mail a_b@example.com.",
    }
    for name, text in texts.items():
        await add(tenant, base_id, "text", name=name, text=text)
    await worker.run()
    for query, name in [
        ("OFFNUNGSZEITEN", "German"),
        ("Cafe?", "French"),
        ("什么时候开门", "Chinese"),
        ("営業時間を教えて", "Japanese"),
        ("दुकान कब खुलती है", "Hindi"),
        ("ร้านเปิดกี่โมง", "Thai"),
        ("refund", "English"),
        ('"refunds" OR NEAR(* : - ^ \' \\', "English"),
        ("what is in 4.2", "English"),
        ("a_b@example.com", "English"),
    ]:
        found = await search(tenant, base_id, query)
        assert found, query
        assert found[0].source_name == name, query
    for nothing in ("", "   ", "?!", "zebra", "\0", "'"):
        assert await search(tenant, base_id, nothing) == []


async def test_bases_of_others_are_never_searched(worker: Worker, tenant: Tenant, stranger: Tenant) -> None:
    ours, theirs = (await create(tenant))["id"], (await create(stranger))["id"]
    await add(tenant, ours, "text", text="Our secret is blue.")
    await add(stranger, theirs, "text", text="Their secret is green.")
    await worker.run()
    assert [passage.text for passage in await search(tenant, theirs, "secret")] == []
    assert [passage.text for passage in await search(tenant, ours, "secret")] == ["Our secret is blue."]


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
async def embedding_worker(tenant: Tenant, client_out: OutboundClient, embedder: FakeEmbedder) -> Worker:
    ingesting = make_ingestion(tenant, client_out, embeds=True)
    embeds = Embedding(tenant.database, embedder)
    handlers: dict[str, Handler] = {
        ingestion.INGEST: ingesting.ingest,
        ingestion.SWEEP: ingesting.sweep,
        embedding.EMBED: embeds.embed,
    }
    return Worker(tenant, handlers)


async def test_meaning_finds_what_words_do_not(
    embedding_worker: Worker, tenant: Tenant, embedder: FakeEmbedder
) -> None:
    base_id = (await create(tenant))["id"]
    doctor = await add(tenant, base_id, "text", name="Doctor", text="The doctor is in on Monday.")
    await add(tenant, base_id, "text", name="Parking", text="Park behind the house.")
    await embedding_worker.run()
    assert (await embedding_worker.get_source(doctor))["embedded_chunk_count"] == 1
    assert await search(tenant, base_id, "physician") == []
    found = await search(tenant, base_id, "physician", embedder)
    assert found[0].source_name == "Doctor"
    both = await search(tenant, base_id, "doctor", embedder)
    assert (both[0].source_name, both[0].score) == ("Doctor", 1.0)
    # The vectors are in memory; a new source and a deleted one must show at once.
    await add(tenant, base_id, "text", name="Second", text="physician physician")
    await embedding_worker.run()
    assert (await search(tenant, base_id, "doctor physician", embedder))[0].source_name in ("Second", "Doctor")
    assert {passage.source_name for passage in await search(tenant, base_id, "physician", embedder)} >= {"Second"}
    await tenant.client.delete(f"{BASES}/{base_id}/sources/{doctor['id']}")
    assert all(passage.source_name != "Doctor" for passage in await search(tenant, base_id, "physician", embedder))


async def test_an_absent_embedding_provider_leaves_words_and_is_caught_up_with(
    embedding_worker: Worker, tenant: Tenant, embedder: FakeEmbedder
) -> None:
    base_id = (await create(tenant))["id"]
    embedder.failure = ProviderError("fake", "away", retryable=True)
    source = await add(tenant, base_id, "text", text="The doctor is in on Monday.")
    await embedding_worker.run()
    shown = await embedding_worker.get_source(source)
    assert (shown["status"], shown["embedded_chunk_count"]) == ("ready", 0)
    assert len(await search(tenant, base_id, "doctor", embedder)) == 1
    embedder.failure = None
    catch_up = Embedding(tenant.database, embedder).catch_up
    recurring = Job("job_1", "", embedding.CATCH_UP, {}, 300_000, 1, "lease_1")
    await catch_up(recurring)
    await catch_up(recurring)
    assert await embedding_worker.run() == 1
    assert (await embedding_worker.get_source(source))["embedded_chunk_count"] == 1
    await catch_up(recurring)
    assert await embedding_worker.run() == 0
    # Another model: everything is embedded again, and vectors of the old one are not compared.
    embedder.model = "another"
    assert len(await search(tenant, base_id, "physician", embedder)) == 0
    await catch_up(recurring)
    assert await embedding_worker.run() == 1
    assert len(await search(tenant, base_id, "physician", embedder)) == 1


async def test_embedding_goes_on_in_another_job_and_skips_what_is_gone(
    embedding_worker: Worker, tenant: Tenant, embedder: FakeEmbedder
) -> None:
    base_id = (await create(tenant))["id"]
    source = await add(tenant, base_id, "text", text="Some more words. " * 5_000)
    await run_due_jobs(tenant.database, {ingestion.INGEST: embedding_worker.handlers[ingestion.INGEST]})
    hurried = Embedding(tenant.database, embedder, budget_s=0.0)
    job = Job("job_1", tenant.organization_id, embedding.EMBED, {"source_id": source["id"]}, None, 1, "lease_1")
    await hurried.embed(job)
    assert embedder.texts == []
    assert await embedding_worker.run() == 2
    shown = await embedding_worker.get_source(source)
    assert shown["embedded_chunk_count"] == shown["chunk_count"] == len(embedder.texts)
    gone = Job("job_9", tenant.organization_id, embedding.EMBED, {"source_id": "src_gone"}, None, 1, "lease_9")
    await embedding_worker.handlers[embedding.EMBED](gone)


async def test_vectors_of_many_chunks_are_ranked_by_cosine(tenant: Tenant) -> None:
    base_id = (await create(tenant))["id"]
    source = await add(tenant, base_id, "text", text="x")
    generator = np.random.default_rng(7)
    matrix = generator.normal(size=(4_500, 48))
    async with tenant.database.write() as connection:
        await chunk_store.insert_chunks(
            connection,
            organization_id=tenant.organization_id,
            knowledge_base_id=base_id,
            source_id=source["id"],
            first_position=0,
            new=[Chunk(f"Chunk {number}.") for number in range(len(matrix))],
        )
        await chunk_store.update_embeddings(
            connection,
            organization_id=tenant.organization_id,
            source_id=source["id"],
            model="m",
            vectors={number: vectors.to_bytes(list(row)) for number, row in enumerate(matrix)},
        )
    async with tenant.database.read() as connection:
        base = await store.get_base(connection, tenant.organization_id, base_id)
    wanted = generator.normal(size=48)
    cosines = matrix @ wanted / np.linalg.norm(matrix, axis=1)
    expected = [int(place) for place in np.argsort(-cosines)[:5]]
    found = await vectors.VectorCache().rank(tenant.database, [base], model="m", vector=list(wanted), limit=5)
    async with tenant.database.read() as connection:
        passages = await chunk_store.list_passages(
            connection, tenant.organization_id, {number: 1 / (place + 1) for place, number in enumerate(found)}
        )
    assert [passage.position for passage in passages] == expected
    wrong_width = await vectors.VectorCache().rank(tenant.database, [base], model="m", vector=[1.0, 0.0], limit=5)
    assert wrong_width == []
