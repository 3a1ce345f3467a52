"""Starts and stops the real SIP peers of the wire tests, SIPp and baresip, on ports that are free."""

import asyncio
import contextlib
import json
import os
import socket
import wave
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
_START_TIMEOUT = 10.0
_ANSWER_TIMEOUT = 5.0

_BARESIP_CONFIG = """\
poll_method epoll
sip_listen {host}:{port}
call_local_timeout 120
call_max_calls 20
audio_source {source}
audio_player {player}
net_interface {host}
rtp_timeout 60
module_path {modules}
module g711.so
module aufile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control_port}
"""
_BARESIP_MODULES = "/usr/lib/baresip/modules"


def free_port() -> int:
    """A port that was free a moment ago, for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram, socket.socket() as stream:
            datagram.bind((HOST, 0))
            port: int = datagram.getsockname()[1]
            with contextlib.suppress(OSError):  # taken by a connection
                stream.bind((HOST, port))
                return port


class Sipp:
    """One running SIPp."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.port = port
        self._process = process

    async def wait(self, timeout_s: float = 20.0) -> int:
        """The exit code: 0 when every call went as its scenario says. The output is in the failure message."""
        output, _ = await asyncio.wait_for(self._process.communicate(), timeout_s)
        code = self._process.returncode
        assert code is not None
        if code:
            print(output.decode(errors="replace")[-3000:])  # noqa: T201 - shown by pytest when the test fails
        return code


@contextlib.asynccontextmanager
async def run_sipp(folder: Path, *arguments: str, port: int | None = None, timeout_s: int = 15) -> AsyncIterator[Sipp]:
    """SIPp with these arguments (scenario, target, …) for one call, in a folder of its own; it listens already."""
    port = port or free_port()
    calls = () if "-m" in arguments else ("-m", "1")
    common = ("-i", HOST, "-mi", HOST, "-p", str(port), "-nostdin")
    limit = ("-timeout", f"{timeout_s}s", "-timeout_error", "-trace_err")
    process = await asyncio.create_subprocess_exec(
        "sipp", *arguments, *calls, *common, *limit,
        cwd=folder, env={**os.environ, "TERM": "xterm"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        await _wait_until_bound(port, process)
        yield Sipp(process, port)
    finally:
        await _stop(process)


class Baresip:
    """One running baresip and its control connection."""

    def __init__(
        self, process: asyncio.subprocess.Process, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.port = port
        self.uri = f"sip:bob@{HOST}:{port}"
        self._process = process
        self._reader = reader
        self._writer = writer
        # Events that came while a command waited for its answer.
        self._events: list[dict[str, Any]] = []

    async def command(self, name: str, parameters: str = "") -> str:
        """Run a command of its menu; the answer's text."""
        message = json.dumps({"command": name, "params": parameters, "token": name})
        self._writer.write(f"{len(message)}:{message},".encode())
        while True:
            answer = await self._read()
            if answer.get("response"):
                return str(answer.get("data", ""))
            self._events.append(answer)

    async def wait_for(self, *kinds: str) -> dict[str, Any]:
        """The next event of one of these types, e.g. `CALL_INCOMING`."""
        while True:
            event = self._events.pop(0) if self._events else await self._read()
            if event.get("type") in kinds:
                return event

    async def _read(self) -> dict[str, Any]:
        async with asyncio.timeout(_ANSWER_TIMEOUT):
            length = await self._reader.readuntil(b":")
            payload = await self._reader.readexactly(int(length[:-1]) + 1)
        found: dict[str, Any] = json.loads(payload[:-1])
        return found


@contextlib.asynccontextmanager
async def run_baresip(
    folder: Path,
    *,
    answer_mode: str = "manual",
    transport: str = "udp",
    port: int | None = None,
    user: str = "bob",
    modules: Sequence[str] = (),
    account_parameters: str = "audio_codecs=pcmu,pcma",
    is_echo: bool = False,
    sound: tuple[int, int] = (8000, 1),
) -> AsyncIterator[Baresip]:
    """A baresip that can be dialled at `uri` and answers by itself (`auto`) or on command (`manual`).

    It says nothing, or what it hears (`is_echo`). It converts no rates: `sound`, the rate in Hz and channels of what it
    says, must be its codec's.
    """
    _write_silence(folder / "silence.wav", *sound)
    (folder / "contacts").write_text("")
    # Without an echo nothing may be there that could play: baresip then drops what it hears, else the call.
    modules = (*modules, "aubridge") if is_echo else modules
    attempts = 3
    while True:
        own_port, control_port = port or free_port(), free_port()
        config = _BARESIP_CONFIG.format(
            host=HOST,
            port=own_port,
            control_port=control_port,
            source="aubridge,echo" if is_echo else f"aufile,{folder}/silence.wav",
            player="aubridge,echo" if is_echo else f"aufile,{folder}/heard.wav",
            modules=_BARESIP_MODULES,
        )
        (folder / "config").write_text(config + "".join(f"module {module}.so\n" for module in modules))
        account = f"<sip:{user}@{HOST}:{own_port};transport={transport}>"
        (folder / "accounts").write_text(f"{account};regint=0;answermode={answer_mode};{account_parameters}\n")
        process = await asyncio.create_subprocess_exec(
            "baresip", "-f", str(folder),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            try:
                reader, writer = await _connect(control_port)
            except TimeoutError:
                attempts -= 1
                if not attempts:
                    raise
                continue  # somebody else took a port that had been free
            yield Baresip(process, own_port, reader, writer)
            writer.close()
            return
        finally:
            await _stop(process)


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(_START_TIMEOUT):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                return await asyncio.open_connection(HOST, port)
            await asyncio.sleep(0.05)


async def _wait_until_bound(port: int, process: asyncio.subprocess.Process) -> None:
    """Until the process has bound the port, so that we cannot, or has died."""
    async with asyncio.timeout(_START_TIMEOUT):
        while process.returncode is None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram, socket.socket() as stream:
                try:
                    datagram.bind((HOST, port))
                    stream.bind((HOST, port))
                except OSError:
                    return
            await asyncio.sleep(0.02)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 3.0)
        except TimeoutError:
            process.kill()
            await process.wait()


def _fill_in(template: Path, target: Path, values: dict[str, str]) -> None:
    text = template.read_text()
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    target.write_text(text)


def _write_silence(path: Path, rate_hz: int, channels: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(bytes(rate_hz * channels * 2 * 20))


@contextlib.asynccontextmanager
async def run_kamailio(folder: Path, config: Path, **values: object) -> AsyncIterator[int]:
    """A Kamailio with a configuration in which `@PORT@` is its own port, given, and `values` fill the rest."""
    port = free_port()
    placeholders = {f"@{name.upper()}@": str(value) for name, value in values.items()}
    _fill_in(config, folder / "kamailio.cfg", {"@PORT@": str(port), **placeholders})
    process = await asyncio.create_subprocess_exec(
        "kamailio", "-f", str(folder / "kamailio.cfg"), "-m", "32", "-M", "4", "-DD", "-E", "-Y", str(folder),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _wait_until_answered(port)
        yield port
    finally:
        await _stop(process)


async def _wait_until_answered(port: int) -> None:
    """Until something on this UDP port answers an OPTIONS, whatever it says."""
    probe = (
        f"OPTIONS sip:{HOST}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST};rport;branch=z9hG4bKprobe\r\n"
        f"From: <sip:probe@{HOST}>;tag=p\r\nTo: <sip:{HOST}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\n"
        "Max-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((HOST, 0))
        async with asyncio.timeout(_START_TIMEOUT):
            while True:
                await loop.sock_sendto(sock, probe.encode(), (HOST, port))
                with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                    await asyncio.wait_for(loop.sock_recv(sock, 4096), 0.1)
                    return
