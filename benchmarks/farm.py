"""A phone farm: one process that is hundreds of phones behind a SIP carrier, and the witness of who was rung when.

    python -m benchmarks.farm --log calls.jsonl --seed 1 --drop 50

It prints `{"port": …}` and runs until its standard input ends. Each line of the log is one event, see `farm_log`. SIP
and RTP are read from real UDP sockets; nothing of the product is used. One final answer in `--drop` is not sent the
first time.
"""

import argparse
import functools
import heapq
import itertools
import json
import random
import select
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import farm_message, farm_plans
from benchmarks.farm_line import Address, Line
from benchmarks.farm_message import Message

_HOST = "127.0.0.1"
_BUFFER_BYTES = 8 << 20
_FRAME_S = 0.02
_FRAME = 160
# 400 Hz fits 20 ms whole, and a phone that hears nobody sends silence (both PCMU).
_TONE = bytes.fromhex("ffbbada6a1a0a1a6adbbff3b2d26212021262d3b") * 8
_SILENCE = b"\xff" * _FRAME
_BURST_FRAMES = 15
_MAX_DRAINED = 500
_LINGER_S = 40.0


class Farm:
    """All lines, their sockets, timers and log; `run` until standard input ends."""

    def __init__(self, *, log: Path, seed: int, drop: int, port: int = 0) -> None:
        self._sip = _open(port)
        self.port: int = self._sip.getsockname()[1]
        self._rtp, self._rtcp = _open_pair()
        self.rtp_port: int = self._rtp.getsockname()[1]
        self._log = log.open("a", encoding="utf-8")
        self._seed = seed
        self._drop = drop
        self._dropping = random.Random(f"{seed}/drops")
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._lines: dict[str, Line] = {}
        self._by_audio_port: dict[int, Line] = {}
        self._calls_of: Counter[str] = Counter()
        self._answers: dict[tuple[str, str], bytes] = {}
        self._talking: dict[int, Line] = {}
        self._next_frame_s = 0.0
        self._frames = 0
        self._count = 0

    # --- what a line may do ------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds of a steady clock."""
        return time.monotonic()

    def later(self, delay_s: float, act: Callable[[], object]) -> None:
        """Do something after so many seconds."""
        heapq.heappush(self._timers, (self.now() + delay_s, next(self._order), act))

    def send(self, data: bytes, address: Address) -> None:
        """Put a datagram on the wire; nobody may be there."""
        try:
            self._sip.sendto(data, address)
        except OSError:
            return

    def send_final(self, line: int, status: int, method: str, data: bytes, address: Address) -> bool:
        """Put a final answer on the wire for the first time; False when it was dropped."""
        if self._drop and self._dropping.randrange(self._drop) == 0:
            self.note("dropped", line, status=status, method=method)
            return False
        self.send(data, address)
        return True

    def note(self, kind: str, line: int, **details: Any) -> None:
        """Append to the log; it is flushed when the loop rests."""
        at = time.time_ns() // 1_000_000
        self._log.write(json.dumps({"at": at, "kind": kind, "line": line, **details}) + "\n")

    def start_media(self, line: Line) -> None:
        """Send audio to the line's peer every 20 ms."""
        if not self._talking:
            self._next_frame_s = self.now()
        self._talking[line.number] = line

    def end(self, line: Line) -> None:
        """The line is over; it is remembered for repeated requests."""
        self._talking.pop(line.number, None)
        if self._by_audio_port.get(line.audio_port) is line:
            del self._by_audio_port[line.audio_port]
        self.later(_LINGER_S, functools.partial(self._forget, line))

    def _forget(self, line: Line) -> None:
        if self._lines.get(line.invite.call_id) is line:
            del self._lines[line.invite.call_id]

    # --- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until standard input ends."""
        poll = select.epoll()
        stdin = sys.stdin.fileno()
        for descriptor in (self._sip.fileno(), self._rtp.fileno(), self._rtcp.fileno(), stdin):
            poll.register(descriptor, select.EPOLLIN)
        while True:
            self._log.flush()
            ready = {descriptor for descriptor, _ in poll.poll(self._find_rest_s())}
            if self._rtp.fileno() in ready:
                self._hear_audio()
            if self._rtcp.fileno() in ready:
                _drain(self._rtcp)
            if self._sip.fileno() in ready:
                self._receive_all()
            self._run_timers()
            self._send_frames()
            if stdin in ready:
                break
        for line in list(self._lines.values()):
            line.close()
        self._log.close()

    def _find_rest_s(self) -> float:
        wakes = [self.now() + 1.0]
        if self._timers:
            wakes.append(self._timers[0][0])
        if self._talking:
            wakes.append(self._next_frame_s)
        return max(0.0, min(wakes) - self.now())

    def _run_timers(self) -> None:
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def _send_frames(self) -> None:
        now = self.now()
        if not self._talking or now < self._next_frame_s:
            return
        self._next_frame_s = max(self._next_frame_s + _FRAME_S, now - 5 * _FRAME_S)
        self._frames += 1
        is_burst = self._frames // _BURST_FRAMES % 3 == 0
        sequence, stamp = self._frames & 0xFFFF, self._frames * _FRAME & 0xFFFFFFFF
        for line in self._talking.values():
            payload = _TONE if is_burst and line.plan.way != "waits" else _SILENCE
            header = struct.pack("!BBHII", 0x80, 0, sequence, stamp, 0xFA000000 + line.number)
            try:
                self._rtp.sendto(header + payload, (_HOST, line.audio_port))
            except OSError:
                continue

    def _hear_audio(self) -> None:
        at = time.time_ns() // 1_000_000
        packet = bytearray(2048)
        for _ in range(_MAX_DRAINED):
            try:
                _, source = self._rtp.recvfrom_into(packet)
            except OSError:
                return
            line = self._by_audio_port.get(source[1])
            if line is not None:
                heard = line.heard
                heard.packets += 1
                heard.first_at = heard.first_at or at
                heard.last_at = at

    # --- SIP ---------------------------------------------------------------------------------------------------------

    def _receive_all(self) -> None:
        for _ in range(_MAX_DRAINED):
            try:
                data, source = self._sip.recvfrom(65535)
            except OSError:
                return
            if not data.strip():
                continue
            try:
                message = farm_message.read(data)
            except (ValueError, KeyError) as error:
                self.note("unreadable", -1, error=str(error))
                continue
            if message.status:
                self._receive_answer(message)
            else:
                self._receive(message, source)

    def _receive_answer(self, message: Message) -> None:
        line = self._lines.get(message.call_id)
        if line is not None and message.method == "BYE" and message.status >= 200:
            line.hear_bye_answer()

    def _receive(self, request: Message, source: Address) -> None:
        line = self._lines.get(request.call_id)
        repeated = self._answers.get((request.branch, request.method))
        if repeated is not None:
            self.send(repeated, source)
            return
        match request.method:
            case "INVITE":
                self._receive_invite(request, source, line)
            case "ACK":
                if line is not None:
                    line.acknowledge()
            case "CANCEL" | "BYE":
                self._receive_ending(request, source, line)
            case "OPTIONS":
                self._answer(request, source, 200, -1)
            case _:
                self._answer(request, source, 405, -1)

    def _receive_invite(self, request: Message, source: Address, line: Line | None) -> None:
        if line is not None and request.to_tag:
            self.note("reinvite", line.number)
            line.renegotiate(request)
            return
        known = line is not None and (line.invite.branch, line.invite.cseq) == (request.branch, request.cseq)
        if line is not None and known:
            self.note("repeated", line.number)
            line.repeat()
            return
        self._count += 1
        number = request.number
        self._calls_of[number] += 1
        chance = random.Random(f"{self._seed}/{number}/{self._calls_of[number]}")
        audio_port = farm_message.read_audio_port(request.body)
        line = Line(self, self._count, request, source, farm_plans.make_plan(number, chance), audio_port)
        self._lines[request.call_id] = self._by_audio_port[audio_port] = line
        self.note(
            "invite",
            line.number,
            number=number,
            call_id=request.call_id,
            cseq=request.cseq,
            branch=request.branch,
            source=source[1],
            way=line.plan.way,
        )
        line.begin()

    def _receive_ending(self, request: Message, source: Address, line: Line | None) -> None:
        if line is None or (request.method == "BYE" and request.to_tag != line.tag):
            self._answer(request, source, 481, -1 if line is None else line.number)
            return
        self.note("cancel" if request.method == "CANCEL" else "bye", line.number)
        self._answer(request, source, 200, line.number)
        if request.method == "CANCEL":
            line.cancel()
        else:
            line.hear_bye()

    def _answer(self, request: Message, source: Address, status: int, line: int) -> None:
        answer = farm_message.respond(request, status, tag=f"farm{line}")
        key = (request.branch, request.method)
        self._answers[key] = answer
        self.later(_LINGER_S, functools.partial(self._answers.pop, key, None))
        self.send_final(line, status, request.method, answer, source)


def _drain(opened: socket.socket) -> None:
    for _ in range(_MAX_DRAINED):
        try:
            opened.recv(2048)
        except OSError:
            return


def _open(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    opened.bind((_HOST, port))
    return opened


def _open_pair() -> tuple[socket.socket, socket.socket]:
    """An even port for RTP and its successor for RTCP."""
    while True:
        rtp = _open(0)
        port = rtp.getsockname()[1]
        try:
            if port % 2 == 0:
                return rtp, _open(port + 1)
        except OSError:
            pass
        rtp.close()


def main() -> int:
    """Run a farm until standard input ends."""
    parser = argparse.ArgumentParser(prog="benchmarks.farm", description=__doc__)
    parser.add_argument("--log", type=Path, required=True, help="file that events are appended to")
    parser.add_argument("--port", type=int, default=0, help="UDP port of SIP (any)")
    parser.add_argument("--seed", type=int, default=1, help="seed of what is decided by chance")
    parser.add_argument("--drop", type=int, default=50, help="one final answer in so many is dropped; 0: none")
    options = parser.parse_args()
    farm = Farm(log=options.log, seed=options.seed, drop=options.drop, port=options.port)
    print(json.dumps({"port": farm.port}), flush=True)
    farm.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
