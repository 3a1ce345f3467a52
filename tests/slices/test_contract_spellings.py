"""Each documented spelling is read like the others: the answers to both are the same."""

from typing import Any

import pytest

from tests.slices.contract_table import TABLE
from tests.slices.contract_things import PERSON, Things
from tests.slices.contract_world import World, check_answer, make_world  # noqa: F401 - a fixture

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What is sent by both names where the table's request does not have the field.
_VALUES: dict[str, Any] = {
    "custom_fields": {"plan": "gold"},
    "ids": ["call_of_nobody"],
    "knowledge_bases": ["$knowledge_base"],
    "max_concurrent_calls": 5,
    "phone_number": "+12025550123",
    "requests_per_minute": 60,
    "system_prompt": "Be brief.",
    "variables": {"first_name": "Ana"},
    "allow_list": ["203.0.113.0/24"],
    "event_types": ["call.ended"],
    "max_depth": 2,
    "max_pages": 7,
}
_URL = "https://shop.example/orders"
_IN_QUERY = {"name": "number", "schema": {"type": "string"}}
_ONLY = {"contact_ids": None, "contact_folder_id": None}
_AGENT = "create_agent"
_TOOL = "create_tool"
# An operation, two ways to say the same to it, and the fields of the answer that tell.
_SAME: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    (_AGENT, {"max_duration": "1800s"}, {"max_duration": 1800}, "max_duration"),
    (_AGENT, {"join_timeout": "20s"}, {"join_timeout": 20}, "join_timeout"),
    (_AGENT, {"join_timeout": "20s"}, {"join_timeout": "20000ms"}, "join_timeout"),
    (_AGENT, {"greeting": "Hello"}, {"greeting_settings": {"text": "Hello"}}, "greeting greeting_settings"),
    (
        _AGENT,
        {"inactivity_message": "There?", "inactivity_timeout": 20},
        {"inactivity_messages": [{"duration": "20s", "message": "There?"}]},
        "inactivity_message inactivity_timeout inactivity_messages",
    ),
    (
        _AGENT,
        {"inactivity_messages": [{"duration": 9, "message": "Bye.", "endBehavior": "END_BEHAVIOR_HANG_UP_SOFT"}]},
        {"inactivity_messages": [{"duration": 9, "message": "Bye.", "end_behavior": "END_BEHAVIOR_HANG_UP_SOFT"}]},
        "inactivity_messages",
    ),
    (
        _AGENT,
        {"vad_settings": {"turn_endpoint_delay": "0.5s"}},
        {"vad_settings": {"turn_endpoint_delay": 0.5}},
        "vad_settings",
    ),
    (
        "create_call",
        {"variables": {"count": 3, "is_new": True}},
        {"variables": {"count": "3", "is_new": "true"}},
        "variables",
    ),
    ("create_contact", {"keywords": "vip, north"}, {"keywords": ["vip", "north"]}, "keywords"),
    (
        "create_contact",
        {"first_name": "Ana", "last_name": "Lopez"},
        {"first_name": None, "name": "Ana Lopez"},
        "name first_name last_name",
    ),
    ("bulk_delete_contacts", {"ids": ["cnt_no"]}, {"ids": None, "contact_ids": ["cnt_no"]}, "failed_ids"),
    ("create_contact", {"email": None}, {"email": " "}, "email"),
    ("create_batch_call", {"retry_delay_minutes": [30]}, {"retry_delay_minutes": 30}, "retry_delay_minutes"),
    ("create_batch_call", {"contacts": [{"phone_number": PERSON}]}, {"contacts": [{"phone": PERSON}]}, "added_count"),
    (
        "add_batch_contacts",
        {"contacts": [{"phone_number": "+12025550144", "custom_fields": {"plan": "gold"}}], **_ONLY},
        {"contacts": [{"phone_number": "+12025550145", "metadata": {"plan": "gold"}}], **_ONLY},
        "added_count failed_count errors",
    ),
    (
        _TOOL,
        {"definition": {"http": {"url": _URL}}},
        {"definition": {"http": {"baseUrlPattern": _URL}}},
        "url definition",
    ),
    (_TOOL, {"definition": {"http": {"url": _URL}}}, {"definition": {"base_url": _URL}}, "url definition"),
    (_TOOL, {"definition": {"http": {"url": _URL}}}, {"definition": None, "url": _URL}, "url definition"),
    (_TOOL, {"definition": {"http": {"url": _URL}}}, {"definition": None, "endpoint": _URL}, "url definition"),
    (
        _TOOL,
        {"definition": {"http": {"url": _URL, "method": "PUT"}}},
        {"definition": {"http": {"url": _URL, "httpMethod": "put"}}},
        "method definition",
    ),
    (
        _TOOL,
        {"definition": {"base_url": _URL, "dynamicParameters": [{**_IN_QUERY, "location": "query"}]}},
        {
            "definition": {
                "base_url": _URL,
                "dynamicParameters": [{**_IN_QUERY, "location": "PARAMETER_LOCATION_QUERY"}],
            }
        },
        "definition",
    ),
    (_TOOL, {"timeout_seconds": 5}, {"timeout_seconds": "5s"}, "timeout_seconds"),
    ("search_numbers", {"phone_number_type": "toll-free"}, {"phone_number_type": "toll_free"}, "0"),
    ("create_webhook_endpoint", {"event_types": ["*"]}, {"event_types": ["call.ended", "all"]}, "event_types"),
)
_QUERIES = (
    ("list_calls", "status=completed", "status=ended"),
    ("list_calls", "status=queued", "status=created"),
    ("list_calls", "status=in_progress", "status=in-progress"),
    ("list_calls", "batch_call_id=$batch", "campaign_id=$batch"),
    ("list_calls", "metadata.order=A-17", "metadata[order]=A-17"),
    ("list_batch_calls", "status=active", "status=running"),
    ("list_contacts", "limit=2&offset=2", "limit=2&page=2"),
)


@pytest.mark.parametrize(("name", "other"), [(name, other) for name, entry in TABLE.items() for other in entry.aliases])
async def test_a_field_by_another_name_is_the_same_field(world: World, name: str, other: str) -> None:
    operation, things = world.operations[name], Things(world.ours.tenant)
    field = operation.entry.aliases[other]
    given = dict(operation.entry.body or {})
    value = given.pop(field, _VALUES.get(field))
    answers = []
    for spelling in (field, other):
        sent = await things.fill({**given, spelling: value})
        # What is done to these can be done once.
        path = await operation.fill_path(Things(world.ours.tenant) if operation.entry.path else things)
        response = await operation.ask(things, path=path, json=sent)
        answer = check_answer(operation, response, status=operation.status, media_type=operation.entry.media_type)
        answers.append(answer if operation.entry.is_bare else answer["data"])
    if field in answers[0] and not str(value).startswith("$new"):
        assert answers[0][field] == answers[1][field]
        assert answers[0][field] is not None
    assert answers[0].keys() == answers[1].keys()


@pytest.mark.parametrize(("name", "one", "other", "fields"), _SAME)
async def test_two_ways_to_say_the_same_are_answered_alike(
    world: World, name: str, one: dict[str, Any], other: dict[str, Any], fields: str
) -> None:
    operation, things, answers = world.operations[name], Things(world.ours.tenant), []
    for fragment in (one, other):
        sent = await things.fill({**(operation.entry.body or {}), **fragment})
        response = await operation.ask(things, json=sent)
        data = check_answer(operation, response, status=201, media_type="application/json")["data"]
        if "definition" in data:
            assert data["definition"].pop("modelToolName") == sent["name"].replace(" ", "_")
        answers.append(data if isinstance(data, list) else {field: data[field] for field in fields.split()})
    assert answers[0] == answers[1]


@pytest.mark.parametrize("model", ["ultravox-v0.6", "ultravox-v0.7", "gpt-4", "gpt-4o", "gpt-4o-mini", None])
async def test_each_documented_model_is_taken(world: World, model: str | None) -> None:
    operation = world.operations["create_agent"]
    sent = await world.ours.fill({**(operation.entry.body or {}), "model": model})
    answer = check_answer(
        operation, await operation.ask(world.ours, json=sent), status=201, media_type="application/json"
    )
    assert answer["data"]["model"] == (model or "builtin")


@pytest.mark.parametrize(("name", "one", "other"), _QUERIES)
async def test_two_ways_to_ask_the_same_are_answered_alike(world: World, name: str, one: str, other: str) -> None:
    operation, answers = world.operations[name], []
    for thing in ("call", "queued_call", "live_call", "batch", "contact"):
        await world.ours.get(thing)
    batch = await world.ours.get("batch")
    for query in (one, other):
        url = f"{operation.path}?{query.replace('$batch', batch)}"
        answers.append((await world.ours.tenant.client.get(url)).json()["data"])
    assert answers[0] == answers[1]
