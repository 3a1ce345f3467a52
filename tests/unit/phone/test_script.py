"""Steps as a person writes them."""

import pytest

from ringdown.phone.script import Step, parse_step


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("say Yes, please", Step("say", text="Yes, please")),
        ("digits 12#a", Step("digits", text="12#A")),
        ("tone 440 500", Step("tone", frequency_hz=440, duration_ms=500)),
        ("wait 2.5", Step("wait", duration_ms=2500)),
        ("hold", Step("hold")),
        ("resume", Step("resume")),
        ("transfer sip:bob@example.net", Step("transfer", text="sip:bob@example.net")),
        (" hang_up ", Step("hang_up")),
    ],
)
def test_a_step_is_read(text: str, step: Step) -> None:
    assert parse_step(text) == step


@pytest.mark.parametrize(
    "text",
    [
        "",
        "say",
        "digits",
        "digits 12x",
        "tone 440",
        "tone 9000 100",
        "tone 440 nan",
        "wait -1",
        "hold on",
        "transfer bob",
        "sing la",
    ],
)
def test_what_is_not_a_step_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="Allowed: say TEXT"):
        parse_step(text)
