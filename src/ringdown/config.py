"""Settings: every one with its unit and default; read from `RINGDOWN_*` or `ringdown.toml`."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_HOST_AND_PORT = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


class Settings(BaseSettings):
    """What an operator can set. The environment wins over `ringdown.toml` in the working folder."""

    model_config = SettingsConfigDict(env_prefix="RINGDOWN_", toml_file="ringdown.toml", extra="forbid")

    data_dir: Path = Field(Path("ringdown-data"), description="Folder of the database, recordings and locks.")
    database_url: str | None = Field(
        None, description="`postgresql://…` to use PostgreSQL; by default SQLite in the data folder."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["console", "json"] = Field("console", description="`console` for people, `json` for machines.")
    log_personal_data: bool = Field(False, description="Keep `pii.` keys (numbers, words, digits) in the logs.")

    http_host: str = Field("127.0.0.1", description="Address the API listens on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port the API listens on.")
    private_urls_allowed: bool = Field(
        False, description="Let tools, web sources and webhooks reach private addresses of this network."
    )
    public_url: str | None = Field(None, description="URL under which clients reach the API; used in links.")

    rate_limit_enabled: bool = Field(True, description="Whether API keys are limited.")
    rate_limit_per_minute: int = Field(100, ge=1, description="Requests per key and minute.")
    recording_link_seconds: int = Field(3600, ge=1, description="How long a recording link stays valid, in seconds.")

    credits_enforced: bool = Field(False, description="Refuse calls (402) when the organization has no credits.")
    credit_increment_seconds: int = Field(6, ge=1, description="Seconds of talk per billing increment.")
    credits_per_increment: int = Field(1, ge=0, description="Credits per started increment.")
    credits_minimum: int = Field(0, ge=0, description="Least credits for a call that connected.")
    credits_hold_seconds: int = Field(60, ge=0, description="Seconds of talk whose credits are held before dialling.")

    contact_gap_seconds: int = Field(
        60, ge=0, description="Seconds after which another batch call may dial the same number; 0: at once."
    )

    sip_host: str = Field("127.0.0.1", description="Address that SIP and RTP listen on (IPv4 or IPv6).")
    sip_port: int = Field(5060, ge=0, le=65535, description="Port of SIP over UDP and TCP.")
    rtp_port_min: int = Field(20000, ge=1024, le=65534, description="First port of the RTP range.")
    rtp_port_max: int = Field(29999, ge=1025, le=65535, description="Last port of the RTP range.")
    outbound_peer: SecretStr | None = Field(
        None, description="Where calls go: `sip:user:password@host[:port][;transport=udp|tcp|tls]`."
    )
    public_host: str | None = Field(
        None, description="Address that peers outside see: a name, an address, or `stun` to ask the STUN server."
    )
    stun_server: str | None = Field(None, description="STUN server, `host[:port]`, that tells our public address.")
    sip_tls_port: int = Field(0, ge=0, le=65535, description="Port of SIP over TLS; 0 listens on none.")
    sip_tls_certificate: Path | None = Field(None, description="PEM file of our certificate and its chain.")
    sip_tls_private_key: Path | None = Field(None, description="PEM file of its private key.")
    sip_tls_client_ca: Path | None = Field(
        None, description="PEM file of the authorities whose client certificates are demanded."
    )
    sip_requests_per_second: int = Field(50, ge=1, description="SIP requests heard from one source, per second.")
    sip_ban_seconds: int = Field(
        60, ge=0, description="How long a source is not heard after ten offences, in seconds; longer each time."
    )
    trunks: tuple[dict[str, Any], ...] = Field(
        (), repr=False, description="Trunks: `[[trunks]]` tables in `ringdown.toml`, or JSON in the environment."
    )
    secret_key: SecretStr | None = Field(
        None, description="Key of the secrets in the database; by default a file of the data folder."
    )
    default_region: str = Field(
        "US",
        pattern="^[A-Z]{2}$",
        description="ISO 3166 country in which contacts' numbers without a country code are read.",
    )
    allowed_destination_prefixes: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Beginnings of the numbers that may be called, as in +1,+44; none allows all."
    )
    premium_numbers_allowed: bool = Field(
        False, description="Allow calls to premium-rate, service, shared-cost, personal and satellite numbers."
    )
    no_media_seconds: int = Field(
        30, ge=1, description="Seconds without a packet after which a call that is not held ends."
    )
    max_calls: int = Field(100, ge=1, description="Live calls one gateway carries.")
    drain_seconds: int = Field(300, ge=0, description="How long live calls may go on after a stop was asked for.")

    webrtc_host: str = Field("127.0.0.1", description="Address that joins of browser calls are taken on.")
    webrtc_port: int = Field(
        8081, ge=0, le=65535, description="Port of the gateway for joins, which the API hands on; 0: no browser calls."
    )

    test_phone_enabled: bool = Field(True, description="Start the built-in test phone with `serve`.")
    test_phone_number: str = Field("+12025550142", description="The number that always reaches the test phone.")
    test_phone_port: int = Field(5062, ge=0, le=65535, description="SIP port of the built-in test phone.")

    telnyx_api_key: SecretStr | None = Field(None, description="Key of the Telnyx account that buys numbers.")
    telnyx_url: str | None = Field(None, description="Base URL of Telnyx' API, `/v2` included; by default its own.")
    twilio_account_sid: str | None = Field(None, description="The Twilio account that buys numbers.")
    twilio_auth_token: SecretStr | None = Field(None, description="Its auth token; required with the account.")
    twilio_url: str | None = Field(None, description="Base URL of Twilio's APIs; by default their own hosts.")

    model_url: str | None = Field(None, description="Base URL of an OpenAI-compatible chat server.")
    model_key: SecretStr | None = Field(None, description="Its API key.")
    model_name: str | None = Field(None, description="Its model; required with `model_url`.")
    transcription_url: str | None = Field(None, description="Base URL of an OpenAI-compatible transcription server.")
    transcription_key: SecretStr | None = Field(None, description="Its API key.")
    transcription_model: str | None = Field(None, description="Its model; required with `transcription_url`.")
    speech_url: str | None = Field(None, description="Base URL of an OpenAI-compatible speech server.")
    speech_key: SecretStr | None = Field(None, description="Its API key.")
    speech_model: str | None = Field(None, description="Its model; required with `speech_url`.")
    speech_voices: Annotated[tuple[str, ...], NoDecode] = Field(
        ("alloy",), description="The speech server's voices that agents may use, separated by commas."
    )

    analysis_enabled: bool = Field(True, description="Have language models read calls after their end.")
    analysis_model: str | None = Field(
        None, description="Language model that analyses every call; by default each agent's own."
    )
    analysis_timeout_seconds: float = Field(
        40.0, gt=0, le=45, description="How long a model may write at an analysis, in seconds."
    )

    providers: tuple[dict[str, Any], ...] = Field(
        (), repr=False, description="More providers: `[[providers]]` tables in `ringdown.toml`, or JSON."
    )
    recognizer_processes: int = Field(1, ge=1, description="Child processes of the offline recognizer.")

    @field_validator("speech_voices", mode="before")
    @classmethod
    def _split_voices(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = [name.strip() for name in value.split(",")]
        if not all(re.fullmatch(r"[\w.-]+", name) for name in names):
            raise ValueError("must be names separated by commas, as in alloy,echo")
        return names

    @field_validator("allowed_destination_prefixes", mode="before")
    @classmethod
    def _split_prefixes(cls, value: object) -> object:
        prefixes = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if prefixes == [""]:
            return ()
        if isinstance(prefixes, (list, tuple)) and not all(
            isinstance(prefix, str) and re.fullmatch(r"\+[1-9][0-9]{0,14}", prefix) for prefix in prefixes
        ):
            raise ValueError("must be prefixes with a plus sign separated by commas, as in +1,+44")
        return prefixes

    @field_validator("stun_server")
    @classmethod
    def _check_stun_server(cls, value: str | None) -> str | None:
        if value is not None and _HOST_AND_PORT.fullmatch(value) is None:
            raise ValueError("must look like host[:port]")
        return value

    @field_validator("public_host")
    @classmethod
    def _check_public_host(cls, value: str | None) -> str | None:
        if value is not None and _HOST.fullmatch(value) is None:
            raise ValueError("must be an address, a host name, or stun")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.rtp_port_max <= self.rtp_port_min:
            raise ValueError("rtp_port_max must be greater than rtp_port_min")
        for url, model in (
            ("model_url", "model_name"),
            ("transcription_url", "transcription_model"),
            ("speech_url", "speech_model"),
        ):
            if getattr(self, url) and not getattr(self, model):
                raise ValueError(f"{model} is required with {url}")
        if (self.twilio_account_sid is None) != (self.twilio_auth_token is None):
            raise ValueError("twilio_account_sid and twilio_auth_token are required together")
        if self.sip_tls_port and not (self.sip_tls_certificate and self.sip_tls_private_key):
            raise ValueError("sip_tls_certificate and sip_tls_private_key are required with sip_tls_port")
        if self.public_host == "stun" and self.stun_server is None:
            raise ValueError("stun_server is required with public_host = stun")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic passes it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def sqlalchemy_url(self) -> str:
        """The database as SQLAlchemy names it, with the asyncio driver."""
        if self.database_url is None:
            return f"sqlite+aiosqlite:///{self.data_dir / 'ringdown.db'}"
        scheme, _, rest = self.database_url.partition("://")
        if scheme not in ("postgres", "postgresql"):
            return self.database_url
        return f"postgresql+asyncpg://{rest.replace('sslmode=', 'ssl=')}"  # asyncpg's name of libpq's parameter

    @property
    def base_url(self) -> str:
        """The root of links we hand out, without a trailing slash."""
        host = f"[{self.http_host}]" if ":" in self.http_host else self.http_host
        return (self.public_url or f"http://{host}:{self.http_port}").rstrip("/")

    @property
    def local_url(self) -> str:
        """Where this machine reaches the API, whatever the public URL is."""
        any_host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.http_host, self.http_host)
        return f"http://{f'[{any_host}]' if ':' in any_host else any_host}:{self.http_port}"
