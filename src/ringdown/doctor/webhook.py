"""Which webhook endpoints are owed what they did not accept; pure."""

from collections.abc import Iterable

from ringdown import values
from ringdown.doctor.finding import Finding
from ringdown.webhooks.models import Owed, WebhookEndpoint


def find_faults(endpoints: Iterable[tuple[WebhookEndpoint, Owed]]) -> list[Finding]:
    """The findings about each endpoint, with what it is owed."""
    return [finding for endpoint, owed in endpoints for finding in _judge(endpoint, owed)]


def _judge(endpoint: WebhookEndpoint, owed: Owed) -> list[Finding]:
    name, findings = f"{endpoint.id} ({endpoint.url})", list[Finding]()
    if endpoint.is_enabled and endpoint.failing_since is not None:
        since = values.to_wire_time(endpoint.failing_since)
        findings.append(
            Finding(
                "webhook_failing",
                f"The webhook endpoint {name} has accepted nothing since {since}; so many wait: {owed.pending_count}.",
                f"Mend the receiver; `ringdown webhooks deliveries --endpoint {endpoint.id}` shows what it answers.",
            )
        )
    if owed.parked_count:
        findings.append(
            Finding(
                "webhook_parked",
                f"Deliveries to the webhook endpoint {name} are parked, not tried any more: {owed.parked_count}.",
                f"`ringdown webhooks replay {endpoint.id} --status parked` once it accepts, or delete the endpoint.",
            )
        )
    return findings
