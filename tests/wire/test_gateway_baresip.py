"""The running product and baresip over a trunk: encryption, wide-band codecs, keys both ways, attended transfers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from ringdown.sip.events import Answered, Ended
from ringdown.sip.sdp import answer_offer, build_offer
from tests.acceptance import recordings
from tests.acceptance.running import wait_for_call
from tests.wire.gateway_product import Product, run_product
from tests.wire.sip_owner import collect, run_owner, wait_for
from tests.wire.sip_peers import HOST, Baresip, free_port, run_baresip
from tests.wire.trunk_product import get_status, make_line

pytestmark = pytest.mark.asyncio(loop_scope="module")
OURS, THEIRS = "+12025550151", "+12025550152"


@dataclass(frozen=True, slots=True)
class Site:
    """The product, with one trunk that leads to a baresip on `port`."""

    product: Product
    trunk_id: str
    port: int

    @property
    def agent_uri(self) -> str:
        return f"sip:{OURS}@{HOST}:{self.product.ports['SIP_PORT']}"

    async def newest(self) -> Any:
        return await self.product.newest_ended()

    async def change(self, **changes: object) -> None:
        """Change the trunk, and wait until the gateway has taken that over."""
        before = (await get_status(self.product, self.trunk_id))["checked_at"]
        async with self.product.client() as client:
            answer = await client.patch(f"/telephony/trunks/{self.trunk_id}", json=changes)
            assert answer.status_code == 200, answer.text
        async with asyncio.timeout(20):
            while (await get_status(self.product, self.trunk_id))["checked_at"] <= before:
                await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with run_product(tmp_path_factory.mktemp("product")) as product:
        port = free_port()
        trunk_id = await make_line(product, OURS, f"{HOST}:{port}")
        yield Site(product, trunk_id, port)


def run_phone(site: Site, folder: Path, parameters: str, **options: Any) -> Any:
    modules = ("srtp", "g722", "opus")
    return run_baresip(folder, port=site.port, user=THEIRS, modules=modules, account_parameters=parameters, **options)


async def ring_agent(target: str, baresip: Baresip) -> None:
    await baresip.command("dial", target)
    await baresip.wait_for("CALL_ESTABLISHED")
    await baresip.wait_for("CALL_RTPESTAB")


async def press_two(site: Site, baresip: Baresip) -> Any:
    """Answer the agent's question by a key; the call when it has ended."""
    await asyncio.sleep(1)
    await baresip.command("sndcode", "2")
    call = await site.newest()
    await baresip.wait_for("CALL_CLOSED")
    assert (call["ended_reason"], call["summary"]) == ("agent_hangup", "Deliver today: no.")
    return call


@pytest.mark.parametrize(("ours", "theirs", "outbound", "inbound"), [
    ("off", "", "plain", "plain"),
    ("off", "mediaenc=srtp-mand", "refused", "refused"),
    ("optional", "", "plain", "plain"),
    ("optional", "mediaenc=srtp", "encrypted", "encrypted"),
    # Who insists on encryption takes no offer that would do without (RTP/AVP).
    ("optional", "mediaenc=srtp-mand", "refused", "encrypted"),
    ("required", "", "refused", "refused"),
    ("required", "mediaenc=srtp", "encrypted", "encrypted"),
    ("required", "mediaenc=srtp-mand", "encrypted", "encrypted"),
])  # fmt: skip
async def test_both_sides_encrypt_or_do_not_talk(
    site: Site, tmp_path: Path, ours: str, theirs: str, outbound: str, inbound: str
) -> None:
    await site.change(srtp=ours)
    async with run_phone(site, tmp_path, f"audio_codecs=pcmu;{theirs}", answer_mode="auto") as baresip:
        assert await try_outbound(site, baresip) == outbound
        assert await try_inbound(site, baresip) == inbound


async def try_outbound(site: Site, baresip: Baresip) -> str:
    """Call baresip and hang up: what became of the call."""
    product = site.product
    call_id = await product.place(THEIRS, from_number=OURS)
    async with product.client() as client:
        if (await wait_for_call(client, call_id, "in_progress", "failed", timeout_s=20))["status"] == "in_progress":
            await baresip.wait_for("CALL_RTPESTAB")
    await product.hang_up(call_id)
    await baresip.wait_for("CALL_CLOSED")
    return judge(await product.end_of(call_id), "agent_hangup")


async def try_inbound(site: Site, baresip: Baresip) -> str:
    """Have baresip call the agent and hang up: what became of the call."""
    await baresip.command("dial", site.agent_uri)
    if (await baresip.wait_for("CALL_RTPESTAB", "CALL_CLOSED"))["type"] == "CALL_RTPESTAB":
        await baresip.command("hangup")
    return judge(await site.newest(), "user_hangup")


def judge(call: dict[str, Any], ended_reason: str) -> str:
    if call["status"] == "failed":
        assert call["ended_reason"] == "carrier_error"
        return "refused"
    assert (call["status"], call["ended_reason"]) == ("completed", ended_reason)
    return "encrypted" if call["media_quality"]["is_encrypted"] else "plain"


async def test_an_encrypted_call_is_held_and_taken_back_by_both_sides(site: Site, tmp_path: Path) -> None:
    await site.change(srtp="required")
    async with (
        run_phone(site, tmp_path, "audio_codecs=pcmu;mediaenc=srtp-mand") as baresip,
        site.product.client() as client,
    ):
        await ring_agent(site.agent_uri, baresip)
        [newest, *_] = await site.product.calls(direction="inbound")
        await site.product.reach(newest["id"], "in_progress")
        await baresip.command("hold")
        await asyncio.sleep(1)
        await baresip.command("resume")
        await asyncio.sleep(1)
        assert (await client.post(f"/calls/{newest['id']}/hold")).status_code == 201
        await asyncio.sleep(1)
        assert (await client.post(f"/calls/{newest['id']}/resume")).status_code == 201
        call = await press_two(site, baresip)
    assert call["media_quality"]["is_encrypted"] is True
    assert call["media_quality"]["packets_received"] > 50


@pytest.mark.parametrize(("codec", "name", "sound"), [
    ("PCMA", "pcma", (8000, 1)),
    ("G722", "g722/16000", (16_000, 1)),
    ("OPUS", "opus/48000/2", (48_000, 2)),
])  # fmt: skip
async def test_baresip_talks_in_its_codec_in_both_directions(
    site: Site, tmp_path: Path, codec: str, name: str, sound: tuple[int, int]
) -> None:
    product = site.product
    await site.change(srtp="off")
    async with run_phone(site, tmp_path, f"audio_codecs={name}", answer_mode="auto", sound=sound) as baresip:
        await ring_agent(site.agent_uri, baresip)
        inbound = await press_two(site, baresip)
        outbound = await product.place(THEIRS, from_number=OURS)
        await baresip.wait_for("CALL_RTPESTAB")
        await asyncio.sleep(1)
        async with product.client() as client:
            answer = await client.post(f"/calls/{outbound}/digits", json={"digits": "4*"})
            assert answer.status_code == 201, answer.text
        keys = [(await baresip.wait_for("CALL_DTMF_START"))["param"] for _ in range(2)]
        await baresip.command("hangup")
        ended = await product.end_of(outbound)
    assert keys == ["4", "*"]
    assert inbound["media_quality"]["codec"] == ended["media_quality"]["codec"] == codec


async def test_baresip_hands_its_own_consultation_over_to_the_agent(site: Site, tmp_path: Path) -> None:
    """An attended transfer: our INVITE replaces the call that baresip has with the other person (RFC 3891)."""
    async with run_phone(site, tmp_path, "audio_codecs=pcmu") as baresip, run_owner() as person:
        await baresip.command("dial", person.endpoint.local_uri("carol"))
        consultation = await person.next_call()
        await consultation.answer(answer_offer(consultation.body, HOST, 30_002)[0])
        await baresip.wait_for("CALL_ESTABLISHED")
        await ring_agent(site.product.agent_uri, baresip)
        dialog = consultation._session.dialog
        assert dialog is not None
        replaces = f"{dialog.call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag}"
        await baresip.command("transfer", f"{person.endpoint.local_uri('carol')}?Replaces={quote(replaces, safe='')}")
        replacing = await person.next_call()
        assert replacing.replaced_call is consultation
        await replacing.answer(answer_offer(replacing.body, HOST, 30_004)[0])
        await wait_for(replacing, Answered)
        await consultation.bye()
        await baresip.wait_for("CALL_CLOSED")
        await asyncio.sleep(0.5)
        await replacing.bye()
        call = await site.newest()
    assert (call["status"], call["ended_reason"]) == ("completed", "user_hangup")


async def test_another_phone_takes_over_the_call_of_a_caller(site: Site, tmp_path: Path) -> None:
    """An INVITE with Replaces: the agent goes on with the phone that sent it, and the first one is hung up."""
    async with run_owner() as first, run_owner() as second:
        call = await first.dial(site.product.agent_uri)
        await wait_for(call, Answered)
        new = second.endpoint.prepare_invite(
            target=site.product.agent_uri,
            from_uri=second.endpoint.local_uri("bob"),
            body=build_offer(HOST, 30_006, encodings=["PCMA"]),
            headers=[("Replaces", call.replaces)],
        )
        await new.send()
        await wait_for(new, Answered)
        assert (await collect(call))[-1] == Ended("bye")
        await asyncio.sleep(2)
        await new.bye()
        await wait_for(new, Ended)
        ended = await site.newest()
    assert (ended["status"], ended["ended_reason"]) == ("completed", "user_hangup")
    assert ended["media_quality"]["codec"] == "PCMA"
    _, near = await recordings.fetch(ended["recording_url"])
    assert recordings.loudness(near, 0.3, ended["duration_seconds"]) > 0.02
