"""The test phone and its media against baresip: SRTP that both insist on, wide-band codecs, hold, transfer."""

from pathlib import Path

import pytest

from ringdown.sip import sdp
from tests.wire.sip_peers import run_baresip
from tests.wire.test_phone import Phone, running


@pytest.mark.parametrize(
    ("parameters", "srtp", "agreed"),
    [
        ("audio_codecs=pcmu;mediaenc=srtp-mand", "required", "PCMU sendrecv SRTP"),
        ("audio_codecs=pcma;mediaenc=srtp", "required", "PCMA sendrecv SRTP"),
        ("audio_codecs=g722/16000", "off", "G722 sendrecv plain"),
        ("audio_codecs=opus/48000/2", "off", "OPUS sendrecv plain"),
    ],
)
async def test_what_we_say_comes_back_from_its_echo(
    tmp_path: Path, parameters: str, srtp: sdp.Srtp, agreed: str
) -> None:
    phone = Phone("wait 0.5", "tone 800 1000", "wait 1.5", "hang_up", srtp=srtp)
    async with (
        run_baresip(
            tmp_path,
            answer_mode="auto",
            modules=("srtp", "g722", "opus"),
            account_parameters=parameters,
            is_echo=True,
        ) as baresip,
        running(phone),
    ):
        assert await phone.dial(baresip.uri)
        await baresip.wait_for("CALL_CLOSED")
    assert phone.details("agreed")[0].startswith(agreed)
    assert [float(heard.removesuffix(" s")) for heard in phone.details("heard")] == [pytest.approx(1.0, abs=0.1)]


async def test_baresip_dials_an_encrypted_call_and_holds_it(tmp_path: Path) -> None:
    phone = Phone(srtp="optional")
    async with (
        run_baresip(tmp_path, modules=("srtp",), account_parameters="audio_codecs=pcmu;mediaenc=srtp-mand") as baresip,
        running(phone),
    ):
        await baresip.command("dial", phone.uri)
        await phone.until("answered")
        await baresip.command("hold")
        await phone.until("agreed", 2)
        await baresip.command("resume")
        await phone.until("agreed", 3)
        await baresip.command("hangup")
        await phone.until("ended")
    agreed = [agreement.split()[1:3] for agreement in phone.details("agreed")]
    assert [protection for _, protection in agreed] == ["SRTP"] * 3
    assert agreed[0][0] == agreed[2][0] == "sendrecv"
    assert agreed[1][0] in ("recvonly", "inactive")


async def test_baresip_transfers_a_phone_to_another(tmp_path: Path) -> None:
    transferee, target = Phone("wait 0.2", "tone 500 500", "wait 1", "hang_up"), Phone()
    async with run_baresip(tmp_path, is_echo=True) as baresip, running(transferee, target):
        await baresip.command("dial", transferee.uri)
        await transferee.until("answered")
        await baresip.command("transfer", target.uri)
        await target.until("ended")
    assert transferee.details("referred") == [target.uri]
    assert target.details("answered")
