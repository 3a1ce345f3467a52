"""The samples that docs/webhooks.md gives receivers accept what we sign, and nothing else."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ringdown.webhooks import payload, signing
from ringdown.webhooks.models import Event

_PAGE = Path(__file__).resolve().parents[3] / "docs/webhooks.md"
_EVENT = Event(
    organization_id="org_1",
    id="evt_1",
    event="call.ended",
    subject_id="call_1",
    data=payload.serialize_data("evt_1", "call.ended", {"call_id": "call_1", "name": "Zoë “Z” 👍", "note": "a\nb"}),
    created_at=1_700_000_000_000,
)
_SECRET = "whsec_0123456789abcdef"


def _read_sample(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def _check_in_python(secret: str, timestamp: str, signature: str, body: bytes) -> bool:
    names: dict[str, Callable[..., bool]] = {}
    exec(_read_sample("python"), names)
    return names["is_ours"](secret, timestamp, signature, body)


def _check_in_javascript(secret: str, timestamp: str, signature: str, body: bytes) -> bool:
    given = json.dumps([secret, timestamp, signature, body.hex()])
    call = f"const [s, t, g, b] = {given}; console.log(isOurs(s, t, g, Buffer.from(b, 'hex')));"
    ended = subprocess.run(
        ["node", "-e", _read_sample("js") + call], capture_output=True, check=True, timeout=60, text=True
    )
    return ended.stdout == "true\n"


@pytest.mark.parametrize(
    "is_ours",
    [
        _check_in_python,
        pytest.param(
            _check_in_javascript, marks=pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
        ),
    ],
)
def test_a_sample_accepts_what_we_send_and_refuses_the_rest(is_ours: Callable[[str, str, str, bytes], bool]) -> None:
    body, now_ms = payload.serialize_body(_EVENT), time.time_ns() // 1_000_000
    headers = signing.make_headers([_SECRET], body, now_ms=now_ms, attempt=1)
    timestamp, signature = headers["X-Truedy-Timestamp"], headers["X-Truedy-Signature"]
    assert is_ours(_SECRET, timestamp, signature, body)
    assert not is_ours("whsec_another", timestamp, signature, body)
    assert not is_ours(_SECRET, timestamp, signature, body.replace(b"Zo", b"zo"))
    assert not is_ours(_SECRET, timestamp, signature[:-2], body)
    old = signing.make_headers([_SECRET], body, now_ms=now_ms - 400_000, attempt=1)
    assert not is_ours(_SECRET, old["X-Truedy-Timestamp"], old["X-Truedy-Signature"], body)
