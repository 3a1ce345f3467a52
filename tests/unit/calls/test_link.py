"""Signed links."""

from urllib.parse import parse_qs, urlsplit

import pytest

from ringdown.calls.link import LinkSigner
from ringdown.errors import Forbidden

SIGNER = LinkSigner("secret", "https://calls.example", valid_seconds=60)


def _parts(now_seconds: int) -> dict[str, str]:
    query = parse_qs(urlsplit(SIGNER.sign("org_1", "call_1", now_seconds=now_seconds)).query)
    return {
        "organization_id": query["organization"][0],
        "call_id": "call_1",
        "expires": query["expires"][0],
        "signature": query["signature"][0],
    }


def test_a_link_is_good_until_it_expires() -> None:
    parts = _parts(1000)
    SIGNER.verify(**parts, now_seconds=1060)
    with pytest.raises(Forbidden, match="expired"):
        SIGNER.verify(**parts, now_seconds=1061)


@pytest.mark.parametrize(
    "change", [{"organization_id": "org_2"}, {"call_id": "call_2"}, {"expires": "1061"}, {"signature": "ß"}]
)
def test_no_part_of_a_link_can_be_changed(change: dict[str, str]) -> None:
    with pytest.raises(Forbidden, match="not valid"):
        SIGNER.verify(**(_parts(1000) | change), now_seconds=1000)


def test_the_parts_of_a_link_cannot_run_into_each_other() -> None:
    parts = _parts(1000)
    with pytest.raises(Forbidden):
        SIGNER.verify(**(parts | {"organization_id": "org_1c", "call_id": "all_1"}), now_seconds=1000)


def test_another_secret_signs_differently() -> None:
    with pytest.raises(Forbidden):
        LinkSigner("other", "https://calls.example", 60).verify(**_parts(1000), now_seconds=1000)
