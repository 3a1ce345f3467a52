"""The request of a tool: where each value stands, and what cannot stand there."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.tools import models, requests, templates
from ringdown.tools.arguments import UnusableArguments
from ringdown.tools.models import Parameter, StaticParameter, Tool
from ringdown.tools.requests import NotSetUp, ToolHttpRequest
from tests.unit.tools.conftest import MakeTool

_CONTEXT = {"call_id": "call_1", "caller_number": "+12025550142", "city": 'New "York"'}


def _build(tool: Tool, **arguments: Any) -> ToolHttpRequest:
    return requests.build_request(tool, arguments, context=_CONTEXT, open_secret=lambda one: f"open {one.value}")


def test_each_value_stands_at_its_place(make_tool: MakeTool) -> None:
    tool = make_tool(
        url="https://shop.example/orders/{id}/lines?v=1",
        method="POST",
        parameters=(
            Parameter("id", "path", {}),
            Parameter("tags", "query", {}),
            Parameter("X-Reason", "header", {}),
            Parameter("note", "body", {}),
            Parameter("absent", "body", {}),
        ),
        static_parameters=(
            StaticParameter(name="call", location="body", value="{{call_id}}"),
            StaticParameter(name="nested", location="body", value={"from": ["{{ caller_number }}", 5, None]}),
            StaticParameter(name="shop", location="query", value=7),
            StaticParameter(name="X-API-Key", location="header", value="sealed", is_secret=True, prefix="Bearer "),
            StaticParameter(name="X-Nothing", location="header", value="{{unknown}}"),
        ),
    )
    request = _build(tool, id="a/b c", tags=["x", True], note="Grüße", **{"X-Reason": "late"})
    assert (request.method, request.url) == ("POST", "https://shop.example/orders/a%2Fb%20c/lines?v=1")
    assert request.query == [("shop", "7"), ("tags", "x"), ("tags", "true")]
    assert request.headers["X-API-Key"] == "Bearer open sealed"
    assert request.headers["X-Reason"] == "late"
    assert "X-Nothing" not in request.headers
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body or b"") == {
        "call": "call_1",
        "nested": {"from": ["+12025550142", 5, None]},
        "note": "Grüße",
    }


def test_a_shown_request_has_no_secret_in_it(make_tool: MakeTool) -> None:
    secret = StaticParameter(name="api_key", location="body", value="sealed", is_secret=True)
    tool = make_tool(url="https://shop.example/", method="POST", static_parameters=(secret,))
    built = requests.build_request(tool, {}, context={}, open_secret=requests.mask_secret)
    assert built.describe() == {
        "method": "POST",
        "url": "https://shop.example/",
        "headers": built.headers,
        "body": '{"api_key": "***"}',
    }


@pytest.mark.parametrize("value", ["", ".", "..", None])
def test_a_part_of_the_path_cannot_lead_elsewhere(value: str | None, make_tool: MakeTool) -> None:
    tool = make_tool(url="https://shop.example/orders/{id}", parameters=(Parameter("id", "path", {}),))
    with pytest.raises(UnusableArguments, match="id"):
        _build(tool, id=value)


@given(st.text(min_size=1))
def test_no_value_of_the_path_makes_another_part(value: str) -> None:
    tool = Tool(
        organization_id="org_1",
        id="tool_1",
        name="x",
        model_tool_name="x",
        created_at=0,
        updated_at=0,
        url="https://shop.example/orders/{id}/end",
        parameters=(Parameter("id", "path", {}),),
    )
    try:
        built = _build(tool, id=value)
    except (UnusableArguments, UnicodeEncodeError):
        return
    assert built.url.count("/") == 5
    assert not set("?#\\ ") & set(built.url)


@pytest.mark.parametrize("value", ["a\r\nX-Admin: 1", "a\nb", "a\0b", "\x7f"])
def test_a_header_cannot_begin_another_one(value: str, make_tool: MakeTool) -> None:
    tool = make_tool(url="https://shop.example/", parameters=(Parameter("X-Reason", "header", {}),))
    with pytest.raises(UnusableArguments, match="X-Reason"):
        _build(tool, **{"X-Reason": value})


def test_a_variable_of_the_call_cannot_begin_another_header(make_tool: MakeTool) -> None:
    static = StaticParameter(name="X-Name", location="header", value="{{name}}")
    tool = make_tool(url="https://shop.example/", static_parameters=(static,))
    with pytest.raises(UnusableArguments):
        requests.build_request(tool, {}, context={"name": "a\r\nX-Admin: 1"}, open_secret=requests.mask_secret)


def test_a_get_has_no_body_and_a_post_always_has_one(make_tool: MakeTool) -> None:
    assert _build(make_tool(url="https://shop.example/")).body is None
    assert _build(make_tool(url="https://shop.example/", method="DELETE")).body is None
    assert _build(make_tool(url="https://shop.example/", method="POST")).body == b"{}"


def test_a_form_is_sent_as_one(make_tool: MakeTool) -> None:
    form = StaticParameter(name="Content-Type", location="header", value="application/x-www-form-urlencoded")
    tool = make_tool(
        url="https://shop.example/", method="POST", static_parameters=(form,), parameters=(Parameter("a", "body", {}),)
    )
    assert _build(tool, a="x & y").body == b"a=x+%26+y"


def test_what_is_not_set_up_says_so(make_tool: MakeTool) -> None:
    with pytest.raises(NotSetUp, match="not set up"):
        _build(make_tool())
    open_requirement = StaticParameter(name="X-API-Key", location="header", value=None, is_secret=True)
    with pytest.raises(NotSetUp, match="X-API-Key has no value"):
        _build(make_tool(url="https://shop.example/", static_parameters=(open_requirement,)))


def test_a_body_template_gets_texts_and_values(make_tool: MakeTool) -> None:
    tool = make_tool(
        url="https://shop.example/",
        method="POST",
        body_template='{"who": "{{name}} in {{{city}}}", "count": {{count}}, "tags": {{tags}}, "gone": {{gone}}}',
        parameters=tuple(Parameter(name, "body", {}) for name in ("name", "count", "tags", "gone")),
    )
    body = json.loads(_build(tool, name='Ann "A" \\ é\n', count=3, tags=["a"]).body or b"")
    assert body == {"who": 'Ann "A" \\ é\n in New "York"', "count": 3, "tags": ["a"], "gone": None}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(_VALUES, _VALUES)
def test_no_value_breaks_out_of_a_body_template(inside: Any, outside: Any) -> None:
    rendered = templates.render_body('{"a": "<{{a}}>", "b\\"": {{b}}}', {"a": inside, "b": outside})
    assert json.loads(rendered) == {"a": f"<{templates.to_text(inside)}>", 'b"': outside}


@pytest.mark.parametrize(
    ("name", "derived"),
    [
        ("Find order", "find_order"),
        ("findOrderByID", "find_order_by_id"),
        ("  Bücher & mehr ", "b_cher_mehr"),
        ("日本", "tool"),
        ("x" * 100, "x" * 64),
        ("already_snake-case", "already_snake_case"),
    ],
)
def test_the_models_name_is_derived(name: str, derived: str) -> None:
    assert models.derive_model_tool_name(name) == derived


@pytest.mark.parametrize("name", ["api_key", "X-Api-Key", "accessToken", "client_secret", "password", "key", "sig"])
def test_names_of_secrets_are_recognised(name: str) -> None:
    assert models.is_secret_name(name)


@pytest.mark.parametrize("name", ["q", "keyword", "order", "keys_found", "monkey", "author", "page"])
def test_ordinary_names_are_no_secrets(name: str) -> None:
    assert not models.is_secret_name(name)
