"""What the doctor says of webhook endpoints."""

import dataclasses

from ringdown.doctor import webhook
from ringdown.webhooks.models import Owed, WebhookEndpoint

_ENDPOINT = WebhookEndpoint(
    organization_id="org_1",
    id="whe_1",
    url="https://crm.example/hooks",
    description=None,
    event_types=("*",),
    is_enabled=True,
    secret="sealed",
    created_at=1,
    updated_at=1,
)


def test_an_endpoint_that_accepts_is_well_however_much_it_is_to_get() -> None:
    assert webhook.find_faults([(_ENDPOINT, Owed(pending_count=9))]) == []


def test_what_fails_and_what_is_parked_is_told_with_its_remedy() -> None:
    failing = dataclasses.replace(_ENDPOINT, failing_since=1_700_000_000_000, failure_count=3)
    faults = webhook.find_faults([(failing, Owed(7, 2)), (_ENDPOINT, Owed(0, 1))])
    assert [fault.code for fault in faults] == ["webhook_failing", "webhook_parked", "webhook_parked"]
    name = "whe_1 (https://crm.example/hooks)"
    assert faults[0].sentence == (
        f"The webhook endpoint {name} has accepted nothing since 2023-11-14T22:13:20Z; so many wait: 7."
    )
    assert faults[1].sentence.endswith("are parked, not tried any more: 2.")
    assert "ringdown webhooks replay whe_1 --status parked" in faults[1].remedy
    assert webhook.find_faults([(dataclasses.replace(failing, is_enabled=False), Owed())]) == []
