"""All resources of a client. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from ringdown.client.generated import (
    account,
    agents,
    batch_calls,
    calls,
    contacts,
    knowledge_bases,
    privacy,
    telephony,
    tools,
    voices,
    webhooks,
    webrtc,
)
from ringdown.client.transport import AsyncTransport, Transport


class Resources:
    """Everything the API has, by resource."""

    def __init__(self, transport: Transport) -> None:
        self.calls = calls.Calls(transport)
        self.webrtc = webrtc.Webrtc(transport)
        self.agents = agents.Agents(transport)
        self.batch_calls = batch_calls.BatchCalls(transport)
        self.knowledge_bases = knowledge_bases.KnowledgeBases(transport)
        self.contacts = contacts.Contacts(transport)
        self.voices = voices.Voices(transport)
        self.telephony = telephony.Telephony(transport)
        self.webhooks = webhooks.Webhooks(transport)
        self.privacy = privacy.Privacy(transport)
        self.account = account.Account(transport)
        self.tools = tools.Tools(transport)


class AsyncResources:
    """Everything the API has, by resource, for asyncio."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.calls = calls.AsyncCalls(transport)
        self.webrtc = webrtc.AsyncWebrtc(transport)
        self.agents = agents.AsyncAgents(transport)
        self.batch_calls = batch_calls.AsyncBatchCalls(transport)
        self.knowledge_bases = knowledge_bases.AsyncKnowledgeBases(transport)
        self.contacts = contacts.AsyncContacts(transport)
        self.voices = voices.AsyncVoices(transport)
        self.telephony = telephony.AsyncTelephony(transport)
        self.webhooks = webhooks.AsyncWebhooks(transport)
        self.privacy = privacy.AsyncPrivacy(transport)
        self.account = account.AsyncAccount(transport)
        self.tools = tools.AsyncTools(transport)
