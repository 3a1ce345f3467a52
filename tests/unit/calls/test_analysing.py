"""Which models may be asked about the calls of an agent."""

from typing import Any

import pytest

from ringdown.agents.models import Fallbacks
from ringdown.calls import analysing
from ringdown.config import Settings
from ringdown.jobs import backoff
from tests.unit.calls.test_analysis import make_agent

_HOSTED = {"type": "openai", "url": "http://models.test/v1"}
_PROVIDERS = (
    {"name": "fast", "kind": "language_model", "model": "m", **_HOSTED},
    {"name": "spare", "kind": "language_model", "model": "m", **_HOSTED},
    {"name": "duplex", "kind": "speech_to_speech", "model": "m", **_HOSTED},
)
_SPARE = Fallbacks(models=("spare", "gone", "fast"))


@pytest.mark.parametrize(
    ("agent", "settings", "models"),
    [
        ({"model": "default"}, {}, ["fast"]),
        ({"model": "gpt-4o"}, {}, ["fast"]),
        ({"model": "spare", "fallbacks": _SPARE}, {}, ["spare", "fast"]),
        ({"model": "builtin", "fallbacks": _SPARE}, {}, []),
        ({"model": "duplex"}, {}, []),
        ({"model": "duplex", "fallbacks": _SPARE}, {}, ["spare", "fast"]),
        ({"model": "gone"}, {}, []),
        ({"model": "builtin"}, {"analysis_model": "spare"}, ["spare"]),
        ({"model": "fast"}, {"analysis_model": "spare"}, ["spare"]),
        ({"model": "fast"}, {"analysis_enabled": False}, []),
        ({"model": "fast"}, {"providers": ()}, []),
    ],
)
def test_an_agents_models_are_asked_unless_the_settings_say_otherwise(
    agent: dict[str, Any], settings: dict[str, Any], models: list[str]
) -> None:
    known = Settings(**({"providers": _PROVIDERS} | settings))
    assert analysing.list_models(known, make_agent(**agent)) == models


def test_without_its_agent_a_call_has_no_model() -> None:
    assert analysing.list_models(Settings(providers=_PROVIDERS), None) == []


def test_the_flow_takes_over_before_the_job_would_be_parked() -> None:
    assert not backoff.is_exhausted(analysing.MAX_ATTEMPTS + 1)
