"""`ringdown webhooks`: endpoints, what they are owed, and a receiver for a developer's machine, through the API."""

import itertools
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ringdown.cli import listening
from ringdown.cli.columns import align, to_json
from ringdown.cli.organization import DataDir
from ringdown.cli.reach import AsJson, Key, Url, reach_api
from ringdown.client import ApiError, Client

app = typer.Typer(
    help="Webhooks: list, create, delete, test, replay, rotate-secret, deliveries, listen.", no_args_is_help=True
)

_ENDPOINTS = ("ID", "URL", "EVENTS", "AGENT", "ENABLED", "PENDING", "PARKED", "FAILING SINCE")
_DELIVERIES = ("ID", "EVENT", "SUBJECT", "STATUS", "TRIES", "ANSWER", "NEXT", "ERROR")
_ATTEMPTS = ("TRY", "STARTED", "MS", "ANSWER", "ERROR", "BODY")
_NOT_ALLOWED = (
    "{message}\nThe product refuses to send to this machine. Set RINGDOWN_PRIVATE_URLS_ALLOWED=true where it runs, or "
    "give the public https:// address of a tunnel to this port as --public-url."
)

EndpointId = Annotated[str, typer.Argument(help="The endpoint's id.")]
Events = Annotated[list[str] | None, typer.Option("--event", help="Only this event; again for each other.")]


@app.command(name="list")
def list_endpoints(as_json: AsJson = False, url: Url = None, key: Key = None, data_dir: DataDir = None) -> None:
    """List endpoints, what is owed to them, and since when they accept nothing."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        endpoints: list[Mapping[str, Any]] = list(client.webhooks.iterate_webhook_endpoints(limit=100))
    if as_json:
        print(to_json(endpoints))
        return
    rows = [
        (
            endpoint["id"],
            endpoint["url"],
            ",".join(endpoint["event_types"]),
            endpoint["agent_id"] or "all",
            "yes" if endpoint["enabled"] else "no",
            endpoint["pending_count"],
            endpoint["parked_count"],
            endpoint["failing_since"],
        )
        for endpoint in endpoints
    ]
    print(align(_ENDPOINTS, rows))


@app.command()
def create(
    target: Annotated[str, typer.Argument(metavar="URL", help="Where events are sent.")],
    events: Events = None,
    description: Annotated[str | None, typer.Option("--description", help="For people.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Id of an agent: only events of its calls.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Have a URL told of events, of all by default. Its secret is shown now and never again."""
    body: dict[str, Any] = {"url": target, "description": description, "agent_id": agent}
    if events:
        body["event_types"] = events
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        made = client.webhooks.create_webhook_endpoint(**body)
    print(to_json(made) if as_json else f"{made['id']}\nSecret: {made['secret']}")


@app.command()
def delete(endpoint_id: EndpointId, url: Url = None, key: Key = None, data_dir: DataDir = None) -> None:
    """Delete an endpoint with what is owed to it."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        client.webhooks.delete_webhook_endpoint(endpoint_id)
    print(f"Deleted {endpoint_id}.")


@app.command()
def test(
    endpoint_id: EndpointId,
    event: Annotated[str, typer.Option("--event", help="What the sample looks like.")] = "call.ended",
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Send an endpoint a sample event."""
    body: dict[str, Any] = {"event": event}
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        owed = client.webhooks.test_webhook_endpoint(endpoint_id, **body)
    print(f"{owed['id']} is due now; see ringdown webhooks delivery {owed['id']}.")


@app.command()
def replay(
    endpoint_id: EndpointId,
    since: Annotated[str | None, typer.Option("--since", help="Events of this time (ISO 8601) or later.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Only what is parked, delivered or pending.")] = None,
    deliveries: Annotated[
        list[str] | None, typer.Option("--delivery", help="Only this delivery; again for each other.")
    ] = None,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Send an endpoint again what it missed: all since a time, what is parked, or single deliveries; in order."""
    given = {"since": since, "status": status, "delivery_ids": deliveries or None}
    body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    count = 0
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        while True:
            done: Mapping[str, Any] = client.webhooks.replay_events(endpoint_id, **body)
            count += done["replayed_count"]
            if not done["has_more"]:
                break
            body["since"] = done["next_since"]
    print(f"{count} deliveries are due now.")


@app.command()
def rotate_secret(
    endpoint_id: EndpointId,
    overlap: Annotated[
        str, typer.Option("--overlap", help="How long the old one stays good, as in 3600s; 0 ends it at once.")
    ] = "86400s",
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Give an endpoint a new secret, shown now and never again."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        period = int(overlap) if overlap.isdecimal() else overlap
        made = client.webhooks.rotate_webhook_secret(endpoint_id, overlap=period)
    print(f"Secret: {made['secret']}\nThe old one is good until {made['old_secret_expires_at'] or 'now'}.")


@app.command(name="deliveries")
def list_deliveries(
    endpoint: Annotated[str | None, typer.Option("--endpoint", help="Only to this endpoint.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Only pending, delivered or parked ones.")] = None,
    event: Annotated[str | None, typer.Option("--event", help="Only of this event.")] = None,
    call: Annotated[str | None, typer.Option("--call", help="Only of this call.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to print.")] = 20,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """List what is and was owed to endpoints, newest event first."""
    given = {"endpoint_id": endpoint, "status": status, "event": event, "call_id": call}
    query: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        found = client.webhooks.iterate_webhook_deliveries(**query, limit=min(limit, 100))
        deliveries: list[Mapping[str, Any]] = list(itertools.islice(found, limit))
    if as_json:
        print(to_json(deliveries))
        return
    fields = ("id", "event", "subject_id", "status", "attempt_count", "response_status", "next_attempt_at", "error")
    print(align(_DELIVERIES, [[one[name] for name in fields] for one in deliveries]))


@app.command()
def delivery(
    delivery_id: Annotated[str, typer.Argument(help="The delivery's id.")],
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Show every attempt of one delivery, and what was answered."""
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        found: Mapping[str, Any] = client.webhooks.get_webhook_delivery(delivery_id)
    if as_json:
        print(to_json(found))
        return
    print(f"{found['event']} of {found['subject_id']}, {found['status']}")
    fields = ("number", "started_at", "duration_ms", "response_status", "error", "response_body")
    print(align(_ATTEMPTS, [[attempt[name] for name in fields] for attempt in found["attempts"]]))


@app.command()
def listen(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of this machine; 0: any.")] = 0,
    secret: Annotated[
        str | None,
        typer.Option("--secret", envvar="RINGDOWN_WEBHOOK_SECRET", help="Of an endpoint that you have already."),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option("--public-url", help="URL that leads to this port from outside, as of a tunnel.")
    ] = None,
    events: Events = None,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Print events as they come, and whether signature and order are right, until Ctrl-C.

    Without --secret an endpoint is made for as long as this runs.
    """
    with listening.open_server(port, as_json=as_json) as server:
        if secret is not None:
            server.serve(secret)
            return
        body: dict[str, Any] = {"url": public_url or server.url, "description": "ringdown webhooks listen"}
        if events:
            body["event_types"] = events
        with reach_api(url=url, key=key, data_dir=data_dir) as client:
            made = _create(client, body)
            try:
                server.serve(made["secret"])
            finally:
                client.webhooks.delete_webhook_endpoint(made["id"])


def _create(client: Client, body: dict[str, Any]) -> Mapping[str, Any]:
    try:
        return client.webhooks.create_webhook_endpoint(**body)
    except ApiError as error:
        if error.status != 422:
            raise
        raise listening.CannotListen(_NOT_ALLOWED.format(message=error.message)) from error
