"""Which brain a model name means."""

import pytest

from ringdown.agents import brains
from ringdown.config import Settings

OFFLINE = Settings(model_url=None)
ONLINE = Settings(model_url="http://models.test/v1", model_name="llama")


@pytest.mark.parametrize("name", ["default", "ultravox-v0.6", "ultravox-v0.7", "gpt-4", "gpt-4o", "gpt-4o-mini"])
def test_default_and_documented_names_mean_the_default_model(name: str) -> None:
    assert brains.find_model(OFFLINE, name) == "builtin"
    assert brains.find_model(ONLINE, name) == "llama"


def test_builtin_stays_builtin_where_a_model_is_configured() -> None:
    assert brains.find_model(ONLINE, "builtin") == "builtin"


def test_other_names_are_unknown() -> None:
    assert brains.find_model(ONLINE, "llama-2") is None
    assert brains.find_model(OFFLINE, "llama") is None
    known = ["default", "builtin", "llama", "gpt-4", "gpt-4o", "gpt-4o-mini", "ultravox-*"]
    assert brains.list_models(ONLINE) == known
