"""Who answers a real call: a voicemail with a greeting and a beep, or a person."""

import pytest

from tests.acceptance import recordings
from tests.acceptance.model_server import TONE_HZ, Answer, ScriptedServer
from tests.acceptance.talking.desk import GREETING, Desk

pytestmark = pytest.mark.asyncio(loop_scope="package")

MESSAGE = "This is Parcels, please call us back."
LEAVE = {"detection": True, "action": "leave_message", "message": MESSAGE}
BEEP_HZ = 1000


async def test_a_message_is_left_after_the_beep_of_a_voicemail(desk: Desk) -> None:
    agent = await desk.make_agent(voicemail_settings=LEAVE)
    async with desk.call(
        agent,
        "wait 0.4",
        "say You have reached the voicemail of Robert Miller and nobody can take your call, please leave a message "
        "after the tone.",
        "wait 0.4",
        f"tone {BEEP_HZ} 600",
        "wait 40",
    ) as (call_id, phone):
        call = await desk.end_of(call_id)
        await phone.wait_for("ended")
    assert (call["status"], call["ended_reason"], call["outcome"]) == ("completed", "voicemail", "voicemail")
    assert (await desk.turns_of(call_id))[-1] == ("agent", MESSAGE)
    (found,) = await desk.events_of(call_id, "machine.detected")
    assert found["verdict"] == "machine"
    assert "machine.beep" in await desk.kinds_of(call_id)
    far, near = await recordings.fetch(call["recording_url"])
    beep, message = recordings.find_tone(far, BEEP_HZ), recordings.find_tone(near, TONE_HZ)
    assert beep is not None
    assert message is not None
    assert message[0] >= beep[1]


async def test_a_person_is_greeted_as_usual(desk: Desk, provider: ScriptedServer) -> None:
    provider.answers = {"Yes it is me.": Answer("Good. Goodbye.", ends_call=True)}
    agent = await desk.make_agent(voicemail_settings=LEAVE)
    async with desk.call(agent, "wait 0.4", "say Hello?", "say Yes it is me.", "wait 30") as (call_id, _):
        call = await desk.end_of(call_id)
    turns = await desk.turns_of(call_id)
    assert ("agent", GREETING) in turns
    assert turns[-1] == ("agent", "Good. Goodbye.")
    assert call["ended_reason"] == "agent_hangup"
    (found,) = await desk.events_of(call_id, "machine.detected")
    assert found["verdict"] == "human"
