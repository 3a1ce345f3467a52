"""A knowledge base that the worker reads and an agent searches in a real call."""

import asyncio

import pytest

from tests.acceptance.model_server import Answer, ScriptedServer
from tests.acceptance.talking.desk import Desk

pytestmark = pytest.mark.asyncio(loop_scope="package")

HOURS = "# Opening hours\n\nThe shop is open from Monday to Friday, from nine to six.\n"


async def test_an_agent_finds_its_answer_in_a_knowledge_base(desk: Desk, provider: ScriptedServer) -> None:
    base = (await desk.make("/knowledge-bases", name="Help"))["id"]
    await desk.make(f"/knowledge-bases/{base}/sources/text", name="Hours", text=HOURS)
    async with asyncio.timeout(40):
        while (await desk.client.get(f"/knowledge-bases/{base}")).json()["data"]["status"] != "ready":
            await asyncio.sleep(0.1)
    provider.answers = {
        "When do you open?": Answer("", tools=(("search_knowledge", '{"query": "opening hours"}'),)),
        '{"passages": [{"source": "Hours"*': Answer("At nine. Goodbye.", ends_call=True),
    }
    agent = await desk.make_agent(knowledge_bases=[base])
    async with desk.call(agent, "say When do you open?", "wait 30") as (call_id, _):
        await desk.end_of(call_id)
    assert (await desk.turns_of(call_id))[-1] == ("agent", "At nine. Goodbye.")
    assert await desk.kinds_of(call_id) == ["tool.started", "knowledge.searched", "tool.finished"]
    (searched,) = await desk.events_of(call_id, "knowledge.searched")
    assert searched["query"] == "opening hours"
    (passage,) = searched["passages"]
    assert passage["source_name"] == "Hours"
    assert "from nine to six" in passage["text"]
