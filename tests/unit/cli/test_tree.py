"""The environment of the programs that `serve` starts."""

import json

import pytest

from ringdown.cli import tree
from ringdown.config import Settings

PROVIDER = {"name": "fast", "kind": "language_model", "type": "openai", "model": "m", "key": "s3cret"}


def test_the_programs_of_serve_read_the_same_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGDOWN_PROVIDERS", json.dumps([PROVIDER]))
    loaded = Settings()
    for name, value in tree.build_environment(loaded).items():
        monkeypatch.setenv(name, value)
    assert Settings().providers == loaded.providers == (PROVIDER,)


def test_providers_that_were_left_out_are_left_out_for_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGDOWN_PROVIDERS", json.dumps([PROVIDER]))
    for name, value in tree.build_environment(Settings(providers=())).items():
        monkeypatch.setenv(name, value)
    assert Settings().providers == ()
