"""Settings from the environment and from `ringdown.toml`."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ringdown.config import Settings


@pytest.fixture(autouse=True)
def _empty_folder(settings: Settings) -> None:
    """The test runs in an empty folder without `RINGDOWN_*`."""


def test_every_setting_has_a_default_and_says_what_it_is() -> None:
    Settings()
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("ringdown.toml").write_text("http_port = 1\nrate_limit_per_minute = 7\n")
    monkeypatch.setenv("RINGDOWN_HTTP_PORT", "2")
    settings = Settings()
    assert (settings.http_port, settings.rate_limit_per_minute) == (2, 7)


def test_an_unknown_setting_in_the_file_is_refused() -> None:
    Path("ringdown.toml").write_text("http_prot = 1\n")
    with pytest.raises(ValidationError, match="http_prot"):
        Settings()


@pytest.mark.parametrize(
    ("database_url", "expected"),
    [
        (None, "sqlite+aiosqlite:///ringdown-data/ringdown.db"),
        ("postgresql://u:p@host/name?ssl=require", "postgresql+asyncpg://u:p@host/name?ssl=require"),
        ("postgresql://host/name?sslmode=require", "postgresql+asyncpg://host/name?ssl=require"),
        ("postgres://host/name", "postgresql+asyncpg://host/name"),
        ("postgresql+asyncpg://host/name", "postgresql+asyncpg://host/name"),
    ],
)
def test_the_database_is_named_with_its_driver(database_url: str | None, expected: str) -> None:
    assert Settings(database_url=database_url).sqlalchemy_url == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"http_host": "::1"}, "http://[::1]:8080"),
        ({"public_url": "https://calls.example/"}, "https://calls.example"),
    ],
)
def test_links_begin_with_the_public_url_or_the_address(fields: dict[str, str], expected: str) -> None:
    assert Settings.model_validate(fields).base_url == expected


def test_secrets_do_not_show_in_a_printed_setting() -> None:
    assert "s3cret" not in repr(Settings(model_key="s3cret", outbound_peer="sip:u:s3cret@host"))  # type: ignore[arg-type]


def test_a_port_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValidationError, match="rtp_port_max"):
        Settings(rtp_port_min=30000, rtp_port_max=20000)


@pytest.mark.parametrize("prefix", ["model", "transcription", "speech"])
def test_a_server_needs_the_name_of_its_model(prefix: str) -> None:
    model = "model_name" if prefix == "model" else f"{prefix}_model"
    with pytest.raises(ValidationError, match=model):
        Settings.model_validate({f"{prefix}_url": "http://localhost:1/v1"})
    Settings.model_validate({f"{prefix}_url": "http://localhost:1/v1", model: "m"})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"sip_tls_port": 5061}, "sip_tls_certificate"),
        ({"public_host": "stun"}, "stun_server"),
        ({"public_host": "a b"}, "public_host"),
        ({"stun_server": "stun:stun.example.net"}, "stun_server"),
        ({"allowed_destination_prefixes": "44"}, "allowed_destination_prefixes"),
        ({"allowed_destination_prefixes": ["+1", 44]}, "allowed_destination_prefixes"),
        ({"trunks": ["carrier"]}, "trunks"),
    ],
)
def test_sip_settings_that_cannot_work_are_refused(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings.model_validate(fields)


def test_sip_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PUBLIC_HOST": "2001:db8::1",
        "STUN_SERVER": "[2001:db8::2]:3478",
        "ALLOWED_DESTINATION_PREFIXES": "+1, +44",
        "TRUNKS": '[{"name": "pbx", "hosts": ["192.0.2.1"], "password": "s3cret"}]',
    }.items():
        monkeypatch.setenv(f"RINGDOWN_{name}", value)
    settings = Settings()
    assert settings.allowed_destination_prefixes == ("+1", "+44")
    assert settings.trunks[0]["hosts"] == ["192.0.2.1"]
    assert "s3cret" not in repr(settings)
    monkeypatch.setenv("RINGDOWN_ALLOWED_DESTINATION_PREFIXES", "")
    assert Settings().allowed_destination_prefixes == ()
