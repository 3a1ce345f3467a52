"""A typed client of the public API, synchronous and asynchronous; imports nothing else of this package.

from ringdown.client import Client

with Client("http://127.0.0.1:8080", key="truedy_…") as client:
    call = client.calls.create(agent_id="agt_…", phone_number="+12125551234")
    for failed in client.calls.iterate(status="failed"):
        print(failed["id"], failed["ended_reason"])
"""

from ringdown.client.client import AsyncClient as AsyncClient
from ringdown.client.client import Client as Client
from ringdown.client.errors import ApiError as ApiError
from ringdown.client.errors import ClientError as ClientError
from ringdown.client.errors import ConnectionFailed as ConnectionFailed
from ringdown.client.pages import Page as Page
