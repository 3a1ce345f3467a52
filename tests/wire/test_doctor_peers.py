"""The doctor with real peers: a call over Kamailio, which asks for credentials, to baresip, which answers."""

from dataclasses import replace
from pathlib import Path

import pytest

from ringdown.config import Settings
from ringdown.doctor.examination import Examined, examine
from ringdown.telephony.models import Trunk, TrunkHost
from tests.wire.sip_peers import run_baresip, run_kamailio

CONFIG = Path(__file__).parent.parent / "data" / "sip" / "kamailio.cfg"
TRUNK = Trunk(
    organization_id="org_1",
    id="trunk_1",
    name="kamailio",
    hosts=(),
    created_at=0,
    updated_at=0,
    username="alice",
    password="secret",
    number_format="e164_without_plus",
)


async def examine_over_kamailio(folder: Path, settings: Settings, trunk: Trunk) -> Examined:
    async with (
        run_baresip(folder, answer_mode="auto", user="12025550142") as baresip,
        run_kamailio(folder, CONFIG, callee_port=baresip.port, callee_transport="udp", nonce_expire=300) as port,
    ):
        reachable = replace(trunk, hosts=(TrunkHost("127.0.0.1", port),))
        return await examine(reachable, settings=settings, number="+12025550142", own_numbers=("+12025550100",))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_trunk_of_kamailio_and_baresip_has_nothing_wrong(
    tmp_path: Path, settings: Settings, transport: str
) -> None:
    trunk = replace(TRUNK, transport=transport)  # type: ignore[arg-type]
    examined = await examine_over_kamailio(tmp_path, settings, trunk)
    assert examined.findings == (), examined


async def test_kamailio_refuses_a_wrong_password(tmp_path: Path, settings: Settings) -> None:
    examined = await examine_over_kamailio(tmp_path, settings, replace(TRUNK, password="wrong"))
    assert [finding.code for finding in examined.findings] == ["credentials_wrong"], examined
    assert "does not tell which" in examined.findings[0].sentence
