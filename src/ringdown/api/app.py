"""The HTTP application: joins the routes of all slices; decides nothing itself."""

from fastapi import FastAPI

from ringdown.accounts import api as account_api
from ringdown.accounts import service as account_service
from ringdown.agents import api as agents_api
from ringdown.agents import store as agent_store
from ringdown.agents import template_api, version_api
from ringdown.api import document, health, join, reference
from ringdown.batch_calls import api as batch_api
from ringdown.batch_calls import following as _following  # noqa: F401, registers what follows the end of a call
from ringdown.batch_calls import service as batch_service
from ringdown.billing import api as billing_api
from ringdown.calls import api as calls_api
from ringdown.calls import browser_api, export_api, recording_api, trial_api
from ringdown.calls.recording import RecordingLinks, RecordingStore
from ringdown.config import Settings
from ringdown.contacts import api as contacts_api
from ringdown.db.engine import Database
from ringdown.knowledge import api as knowledge_api
from ringdown.knowledge.documents import DocumentStore
from ringdown.outbound import OutboundClient
from ringdown.privacy import api as privacy_api
from ringdown.providers import embedding
from ringdown.providers.registry import read_providers
from ringdown.secret import SecretBox
from ringdown.telephony import api as trunk_api
from ringdown.telephony import carrier_api, credential_api, number_api, twilio_api
from ringdown.telephony.carrier_loading import Carriers
from ringdown.telephony.carrier_numbers import CarrierNumbers
from ringdown.tools import api as tools_api
from ringdown.tools.runner import ToolRunner
from ringdown.voices import api as voices_api
from ringdown.voices.preview import Previews
from ringdown.web import setup
from ringdown.webhooks import api as webhook_api
from ringdown.webhooks import delivery_api, event_api

BASE_PATH = "/api/public/v1"


def create_app(settings: Settings, database: Database) -> FastAPI:
    """The API on one database; recordings lie where the settings say."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect has no envelope, and many clients repeat a POST as a GET
        generate_unique_id_function=lambda route: route.name,
    )
    setup.install(
        app, settings=settings, database=database, authenticate=account_service.new_authenticator(database),
        shortcuts={f"{BASE_PATH}/calls": calls_api.find_known_list},
    )  # fmt: skip
    app.state.recordings = RecordingStore.open(settings)
    app.state.recording_links = RecordingLinks(database, settings)
    box = SecretBox.open(settings)
    desk = CarrierNumbers(database, settings, box, Carriers(settings))
    for router in (
        export_api.router,  # before /calls/{call_id}
        calls_api.router,
        browser_api.router,
        agents_api.new_router(batch_service.has_live_calls),
        template_api.router,
        version_api.router,
        trial_api.router,
        batch_api.new_router(),
        knowledge_api.new_router(
            documents=DocumentStore.open(settings), embedder=embedding.open_embedder(read_providers(settings))
        ),
        *contacts_api.routers,
        voices_api.new_router(Previews(settings)),
        carrier_api.new_router(agent_store.get_agent, desk),
        credential_api.new_router(box),
        number_api.new_router(box, agent_store.get_agent, desk),
        trunk_api.new_router(box),
        webhook_api.new_router(box, agent_store.get_agent),
        delivery_api.router,
        event_api.router,
        privacy_api.router,
        account_api.router,
        account_api.organization_router,
        billing_api.router,
        tools_api.new_router(box, ToolRunner(OutboundClient(private_allowed=settings.private_urls_allowed), box)),
    ):
        app.include_router(router, prefix=BASE_PATH)
    app.include_router(twilio_api.new_router(box))
    app.include_router(calls_api.transcript_router)
    app.include_router(recording_api.router)
    app.include_router(join.router)
    app.include_router(join.client_router)
    app.include_router(health.router)
    app.include_router(reference.router)
    app.include_router(document.router, prefix=BASE_PATH)
    document.install(app)
    return app
