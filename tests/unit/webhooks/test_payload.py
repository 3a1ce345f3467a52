"""The JSON of webhooks: both documented forms, the same bytes whenever they are made."""

import dataclasses
import json
from typing import get_args

import msgspec
import pytest

from ringdown.webhooks import models, payload
from ringdown.webhooks.models import Event, EventType


def _event(event: EventType = "call.ended") -> Event:
    return Event(
        organization_id="org_1",
        id="evt_1",
        event=event,
        subject_id="call_1",
        data=payload.serialize_data("evt_1", event, payload.make_sample(event)),
        created_at=1_790_000_000_123,
    )


def test_the_body_is_the_documented_envelope_and_always_the_same_bytes() -> None:
    body = payload.serialize_body(_event())
    assert body == payload.serialize_body(_event())
    assert list(json.loads(body)) == ["id", "event", "timestamp", "data"]
    assert body == msgspec.json.encode(payload.render_event(_event()))
    assert json.loads(body)["timestamp"] == "2026-09-21T14:13:20Z"


@pytest.mark.parametrize("event", get_args(EventType))
def test_a_sample_can_be_read_in_both_documented_forms(event: EventType) -> None:
    data = json.loads(payload.serialize_body(_event(event)))["data"]
    assert (data["id"], data["event"], data["test"]) == ("evt_1", event, True)
    kind = event.partition(".")[0]
    if kind == "call":
        assert data["call_id"] == data["callId"] == data["call"]["callId"]
        assert data["agent_id"] == data["call"]["agent"]["agentId"]
        assert data["ended_reason"] == data["call"]["endReason"]
    elif kind != "credits":
        assert data[f"{kind}_id"] == data[f"{kind}Id"]


@pytest.mark.parametrize(
    ("summary", "short"),
    [
        (None, None),
        ("They come. Two people.", "They come."),
        ("They come", "They come"),
        ("They come.", "They come."),
        ("x" * 200, "x" * 159 + "…"),
    ],
)
def test_the_short_summary_is_its_first_sentence(summary: str | None, short: str | None) -> None:
    data = payload.describe_call(
        call_id="call_1",
        agent_id="agt_1",
        status="completed",
        ended_reason="user_hangup",
        duration_seconds=1,
        summary=summary,
        cost_credits=0,
        fields={},
    )
    assert data["call"]["shortSummary"] == short  # type: ignore[index]


def test_a_star_chooses_every_event() -> None:
    assert models.is_chosen(_event(), ["*"], None)
    assert models.is_chosen(_event(), ["call.ended"], None)
    assert not models.is_chosen(_event(), ["call.failed"], None)


def test_an_endpoint_of_an_agent_is_told_of_that_agents_calls_alone() -> None:
    event = dataclasses.replace(_event(), agent_id="agt_1")
    assert models.is_chosen(event, ["*"], "agt_1")
    assert not models.is_chosen(event, ["call.failed"], "agt_1")
    assert not models.is_chosen(event, ["*"], "agt_2")
    assert not models.is_chosen(_event("batch.completed"), ["*"], "agt_1")
