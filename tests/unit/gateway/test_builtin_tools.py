"""The built-in tools of a call: which there are, and what a model's requests for them mean, however odd they are."""

import pytest

from ringdown.agents.models import Agent, TransferNumber
from ringdown.calls.models import Call
from ringdown.gateway import builtin_tools
from ringdown.voice.ports import ToolRequest
from tests.unit.gateway.test_dialogue import make_agent, make_call

FLOW = {
    "start": "look",
    "nodes": {
        "look": {"tool": {"name": "search_knowledge"}, "next": "pass"},
        "pass": {"end": "transfer", "transfer_to": "+12025550177", "mode": "attended"},
    },
}
SALES = TransferNumber(name="Sales", phone_number="+12025550188", mode="blind")


def _inbound() -> Call:
    call = make_call(None)
    object.__setattr__(call, "direction", "inbound")
    return call


@pytest.mark.parametrize(
    ("agent", "permitted"),
    [
        (make_agent(), set()),
        (make_agent(tools=("schedule_callback",)), {"schedule_callback"}),
        (make_agent(flow=FLOW), {"search_knowledge"}),
        (make_agent(transfer_numbers=(SALES,)), {"transfer_call"}),
        (make_agent(knowledge_bases=("kb_1",)), {"search_knowledge"}),
    ],
)
def test_a_model_may_use_what_its_agent_or_its_flow_names(agent: Agent, permitted: set[str]) -> None:
    assert builtin_tools.list_permitted(agent, _inbound()) == permitted


@pytest.mark.parametrize(("number", "permitted"), [("+12025550142", {"opt_out"}), ("anonymous", set()), (None, set())])
def test_whoever_has_a_number_can_have_it_put_on_the_list(number: str | None, permitted: set[str]) -> None:
    call = _inbound()
    object.__setattr__(call, "from_number", number)
    assert builtin_tools.list_permitted(make_agent(), call) == permitted
    assert "opt_out" in builtin_tools.list_permitted(make_agent(), make_call(None))


@pytest.mark.parametrize(
    "destination", ["+12025550199", "+12025550188", "Sale", "", None, 7, ["Sales"], {"to": "+12025550199"}]
)
@pytest.mark.parametrize("flow", [None, FLOW])
def test_nobody_is_transferred_to_whom_the_agent_does_not_name(flow: object, destination: object) -> None:
    agent = make_agent(transfer_numbers=(SALES,), flow=flow)
    with pytest.raises(ValueError, match="destination must be one of: Sales"):
        builtin_tools.read_transfer(agent, {"destination": destination})


def test_a_name_in_other_letters_is_the_same_person() -> None:
    agent = make_agent(transfer_numbers=(SALES,))
    assert builtin_tools.read_transfer(agent, {"destination": " sales"}).to == "+12025550188"


def test_a_flow_transfers_to_its_own_number_in_its_own_mode() -> None:
    transfer = builtin_tools.read_transfer(make_agent(flow=FLOW), {"destination": "+12025550177", "mode": "blind"})
    assert (transfer.to, transfer.mode) == ("+12025550177", "attended")


@pytest.mark.parametrize("arguments", ["[" * 100_000, "[1]", '"x"', "{", '{"query": "\\ud800"}', "NaN"])
def test_arguments_that_are_no_object_are_told_to_the_model(arguments: str) -> None:
    with pytest.raises(ValueError, match="arguments"):
        builtin_tools.read_arguments(ToolRequest("1", "search_knowledge", arguments))


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_beyond_the_calendar_is_only_a_time_far_away(at: str) -> None:
    callback = builtin_tools.read_callback({"at": at, "reason": "so\0on"})
    assert abs(callback.at_ms) > 10**13
    assert callback.reason == "soon"
