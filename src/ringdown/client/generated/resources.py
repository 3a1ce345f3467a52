"""All resources of a client. Generated from the OpenAPI document by `make client`; not edited by hand."""

from ringdown.client.generated import agents, calls, knowledge_bases, telephony, tools, voices, webrtc
from ringdown.client.transport import AsyncTransport, Transport


class Resources:
    """Everything the API has, by resource."""

    def __init__(self, transport: Transport) -> None:
        self.calls = calls.Calls(transport)
        self.webrtc = webrtc.Webrtc(transport)
        self.agents = agents.Agents(transport)
        self.knowledge_bases = knowledge_bases.KnowledgeBases(transport)
        self.voices = voices.Voices(transport)
        self.telephony = telephony.Telephony(transport)
        self.tools = tools.Tools(transport)


class AsyncResources:
    """Everything the API has, by resource, for asyncio."""

    def __init__(self, transport: AsyncTransport) -> None:
        self.calls = calls.AsyncCalls(transport)
        self.webrtc = webrtc.AsyncWebrtc(transport)
        self.agents = agents.AsyncAgents(transport)
        self.knowledge_bases = knowledge_bases.AsyncKnowledgeBases(transport)
        self.voices = voices.AsyncVoices(transport)
        self.telephony = telephony.AsyncTelephony(transport)
        self.tools = tools.AsyncTools(transport)
