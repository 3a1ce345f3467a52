"""Strange but well-formed JSON is kept or refused, never a crash."""

import json

import pytest

from tests.slices.conftest import BASE, Tenant


def _nest(depth: int) -> str:
    return '{"a": ' + "[" * depth + "1" + "]" * depth + "}"


@pytest.mark.parametrize(
    "metadata",
    [
        '{"a": 123456789012345678901234567890}',
        '{"a": 18446744073709551616}',
        '{"a": -9223372036854775809}',
        '{"a": 1e400}',
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        '{"\\ud83d\\ude00": "\\ud83d\\ude00"}',
        '{"": ""}',
        '{"a\\u0000b": 1}',
        '{"a": 0.1, "b": 1e22, "c": -0.0}',
        _nest(100),
        _nest(300),
        _nest(990),
        _nest(50_000),
    ],
)
async def test_metadata_comes_back_as_it_was_or_is_refused(tenant: Tenant, metadata: str) -> None:
    agent = await tenant.add_agent()
    body = f'{{"agent_id": "{agent.id}", "phone_number": "+12025550142", "metadata": {metadata}}}'
    response = await tenant.client.post(f"{BASE}/calls", content=body.encode())
    assert response.status_code in (201, 400, 422), response.text
    if response.status_code == 201:
        assert response.json()["data"]["metadata"] == json.loads(metadata)
        listed = await tenant.client.get(f"{BASE}/calls")
        assert listed.json()["data"][0]["metadata"] == json.loads(metadata)


@pytest.mark.parametrize("value", ["\ud83d\ude00", "a" * 100_000, "'; DROP TABLE calls; --", "{{x}}", "%", ""])
async def test_variables_keep_any_text(tenant: Tenant, value: str) -> None:
    agent = await tenant.add_agent()
    body = {"agent_id": agent.id, "phone_number": "+12025550142", "variables": {"a": value}}
    text = json.dumps(body)
    response = await tenant.client.post(f"{BASE}/calls", content=text)
    assert response.status_code == 201
    assert response.json()["data"]["variables"] == json.loads(text)["variables"]


async def test_metadata_of_more_values_than_can_be_found_is_refused(tenant: Tenant) -> None:
    agent = await tenant.add_agent(outbound_number="+18005559876")
    body = {"agent_id": agent.id, "phone_number": "+12025550142", "metadata": {"x": list(range(1001))}}
    placed = await tenant.client.post(f"{BASE}/calls", json=body)
    assert placed.status_code == 422
    assert placed.json()["error"]["details"]["field"] == "metadata"
