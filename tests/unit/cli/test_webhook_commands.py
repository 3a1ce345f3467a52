"""What `ringdown webhooks listen` says of what comes, and what the commands refuse."""

import http.client
import json
import socket
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ringdown.cli import listening
from ringdown.cli.listening import Journal
from ringdown.cli.webhooks import app
from ringdown.webhooks import signing

_NOW_S = 1_700_000_000


def _receive(
    journal: Journal, number: int, event: str, *, second: int = 0, call: str | None = "call_1", secret: str = "secret"
) -> tuple[int, str]:
    data = {"call_id": call} if call else {"balance": 1}
    body = json.dumps(
        {"id": f"evt_{number}", "event": event, "timestamp": f"2023-11-14T22:13:{second:02}Z", "data": data}
    ).encode()
    made = signing.make_headers([secret], body, now_ms=_NOW_S * 1000, attempt=1)
    return journal.receive({name.lower(): value for name, value in made.items()}, body, now_s=_NOW_S)


def test_events_in_order_are_ok_and_repeated_ones_are_told() -> None:
    journal = Journal("secret")
    for number, (event, second) in enumerate(
        [("call.started", 1), ("call.joined", 1), ("call.ended", 1), ("call.analyzed", 1), ("call.billed", 1)]
    ):
        status, line = _receive(journal, number, event, second=second)
        assert (status, line.endswith("signature ok")) == (204, True), line
        assert line.split() == [f"2023-11-14T22:13:0{second}Z", event, "call_1", f"evt_{number}", "signature", "ok"]
    assert _receive(journal, 0, "call.started")[1].endswith("signature ok, again")


@pytest.mark.parametrize(
    ("first", "then"), [(("call.ended", 1), ("call.joined", 1)), (("call.ended", 2), ("call.started", 1))]
)
def test_what_comes_out_of_order_is_told(first: tuple[str, int], then: tuple[str, int]) -> None:
    journal = Journal("secret")
    _receive(journal, 1, first[0], second=first[1])
    assert _receive(journal, 2, then[0], second=then[1])[1].endswith("signature ok, OUT OF ORDER")
    assert _receive(journal, 3, then[0], second=then[1], call="call_2")[1].endswith("signature ok")
    assert _receive(journal, 4, "credits.low", call=None)[1].endswith("signature ok")


def test_what_is_not_signed_or_no_event_is_refused() -> None:
    journal = Journal("secret")
    assert _receive(journal, 1, "call.ended", secret="another") == (401, "REFUSED: its signature is wrong")
    assert journal.receive({}, b"", now_s=_NOW_S) == (401, "REFUSED: it carries no signature")
    for body in (b"{}", b"[1]", b"\xff", b'{"id": 1, "event": "x", "timestamp": "", "data": 3}'):
        made = signing.make_headers(["secret"], body, now_ms=_NOW_S * 1000, attempt=1)
        headers = {name.lower(): value for name, value in made.items()}
        assert journal.receive(headers, body, now_s=_NOW_S) == (400, "REFUSED: it is no event")


def test_json_is_printed_as_it_came() -> None:
    assert json.loads(_receive(Journal("secret", as_json=True), 1, "call.ended")[1])["id"] == "evt_1"


def test_the_server_answers_over_a_kept_connection(capsys: pytest.CaptureFixture[str]) -> None:
    with listening.open_server(0, as_json=False) as server:
        server.journal = Journal("secret")
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
        body = b'{"id": "evt_1", "event": "call.ended", "timestamp": "", "data": {}}'
        statuses = []
        for secret in ("secret", "another"):
            headers = signing.make_headers([secret], body, now_ms=time.time_ns() // 1_000_000, attempt=1)
            connection.request("POST", "/any", body=body, headers=headers)
            answer = connection.getresponse()
            statuses.append((answer.status, answer.read()))
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", "1000000000")
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()
        server.shutdown()
        serving.join(timeout=20)
    assert statuses == [(204, b""), (401, b"")]
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["ok", "wrong"]


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(listening.CannotListen, match=f"Port {port} of this machine cannot be listened on"):
            listening.open_server(port, as_json=False)


def test_another_machine_needs_its_key(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["list", "--url", "https://calls.example", "--data-dir", str(tmp_path)])
    assert ended.exit_code == 1
    assert ended.stderr == "ringdown: Another machine's API needs its key: --key, or RINGDOWN_API_KEY.\n"
