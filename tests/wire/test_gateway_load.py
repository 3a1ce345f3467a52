"""Twenty calls at once with the built-in test phone, and what they leave behind in the gateway."""

import asyncio
import re
from pathlib import Path

from tests.wire.gateway_product import count_descriptors, cpu_seconds, run_product

CALLS = 20
TEST_PHONE = "+12025550142"


async def test_twenty_calls_at_once_complete_and_leave_nothing_open(tmp_path: Path) -> None:
    async with run_product(tmp_path, recognizer_processes=2) as product:
        await product.end_of(await product.place(TEST_PHONE))
        pid = product.gateway_pid
        before, used_s = count_descriptors(pid), cpu_seconds(pid)
        placed = await asyncio.gather(*(product.place(TEST_PHONE) for _ in range(CALLS)))
        async with asyncio.timeout(90):
            # Asking the API for each call again and again would take the processor time that is measured here.
            while product.rows("SELECT id FROM calls WHERE ended_at IS NULL"):
                await asyncio.sleep(0.5)
        calls = [await product.end_of(call_id) for call_id in placed]
        assert [call["status"] for call in calls] == ["completed"] * CALLS
        assert all(call["recording_url"] and call["summary"] for call in calls)

        talked_s = sum(call["duration_seconds"] for call in calls)
        print(f"{(cpu_seconds(pid) - used_s) / talked_s * 60:.2f} CPU-s per call-minute")  # noqa: T201 - a figure to see
        # Frames later than 40 ms are heard as a stumble. The calls begin at the same moment, and the phone and other
        # tests share the processors: the margin is wide.
        figures = [dict(re.findall(r"(\w+)=(\d+)", line)) for line in _media_lines(product.log)]
        assert len(figures) == CALLS + 1
        late, sent = (sum(int(each[name]) for each in figures) for name in ("ticks_late", "packets_sent"))
        print(f"{late} of {sent} packets late")  # noqa: T201 - likewise
        assert late < sent * 0.1
        async with asyncio.timeout(30):
            while count_descriptors(pid) > before:
                await asyncio.sleep(0.2)


def _media_lines(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "media ended" in line]
