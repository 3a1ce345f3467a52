"""Where numbers are dialled."""

import pytest
from pydantic import SecretStr

from ringdown.config import Settings
from ringdown.gateway import routes


def make_settings(**changes: object) -> Settings:
    return Settings.model_validate({"test_phone_number": "+12025550142", "test_phone_port": 5062, **changes})


def test_the_documented_number_reaches_the_test_phone_whatever_the_peer_is() -> None:
    plan = routes.Routes(make_settings(outbound_peer=SecretStr("sip:carrier.example")))
    assert plan.find("+12025550142") == routes.Route("sip:+12025550142@127.0.0.1:5062")


def test_other_numbers_go_to_the_outbound_peer_with_its_credentials() -> None:
    plan = routes.Routes(make_settings(outbound_peer=SecretStr("sip:ann:s%40crt@carrier.example:5080;transport=tcp")))
    assert plan.find("+4930123456") == routes.Route(
        "sip:+4930123456@carrier.example:5080;transport=tcp", "ann", "s@crt"
    )


def test_without_a_peer_there_is_no_way_to_other_numbers() -> None:
    assert routes.Routes(make_settings()).find("+4930123456") is None


def test_a_switched_off_test_phone_is_dialled_like_any_number() -> None:
    plan = routes.Routes(make_settings(test_phone_enabled=False, outbound_peer=SecretStr("sip:[::1]:5070")))
    assert plan.find("+12025550142") == routes.Route("sip:+12025550142@[::1]:5070")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "carrier.example",
        "sips:carrier.example",
        "sip:a b@host;transport=sctp",
        "sip:host;lr",
        "sip:host:0",
        "sip:host:99999",
        "sip:u:p@[::1",
    ],
)
def test_a_peer_that_cannot_be_read_is_refused_without_showing_its_password(text: str) -> None:
    with pytest.raises(ValueError, match="RINGDOWN_OUTBOUND_PEER") as refused:
        routes.parse_peer(text)
    assert "p@" not in str(refused.value) or "password@" in str(refused.value)
