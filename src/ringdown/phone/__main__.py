"""`ringdown phone`, or `python -m ringdown.phone`: the scripted test phone on the command line."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated

import typer

from ringdown import lifecycle
from ringdown.phone import script as scripts
from ringdown.phone.script import Reaction, Script, Step
from ringdown.phone.softphone import PhoneEvent, Softphone
from ringdown.sip import sdp
from ringdown.sip.digest import Credentials

_SRTP: dict[str, sdp.Srtp] = {"off": "off", "optional": "optional", "required": "required"}


def phone(
    listen: Annotated[str, typer.Option(help="HOST:PORT of SIP over UDP and TCP; port 0 takes a free one.")] = (
        "127.0.0.1:5062"
    ),
    dial: Annotated[str | None, typer.Option(help="Ring this SIP URI instead of waiting to be rung.")] = None,
    user: Annotated[str | None, typer.Option(help="USER:PASSWORD for a digest challenge when dialling.")] = None,
    step: Annotated[
        list[str] | None,
        typer.Option(
            "--step",
            help="say TEXT, digits 12#, tone HZ MS, wait SECONDS, hold, resume, transfer sip:URI or hang_up; in order, "
            "repeatable. All but wait let the far party finish speaking first.",
        ),
    ] = None,
    reaction: Annotated[
        str, typer.Option(help="What to do when rung: answer, busy, decline, or ring (never answer).")
    ] = "answer",
    answer_after: Annotated[float, typer.Option(help="Seconds of ringing before the answer.")] = 1.0,
    srtp: Annotated[str, typer.Option(help="Encrypted audio: off, optional or required.")] = "off",
    accept_transfer: Annotated[
        bool, typer.Option(help="Call whom the far party asks for (REFER), or refuse with 603.")
    ] = True,
    acknowledge_digits: Annotated[bool, typer.Option(help="Answer each key pressed with a short tone.")] = False,
    repeat: Annotated[bool, typer.Option(help="Begin the steps again when they are done.")] = False,
    voice: Annotated[str, typer.Option(help="Offline voice that speaks.")] = "en-us",
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no events.")] = False,
) -> None:
    """A softphone that follows a script: answers or dials, speaks, sends digits, hangs up.

    Without steps it is agreeable: it answers yes, yes, and presses 2, again and again.
    """
    _configure()
    script = replace(
        _build_script(step or [], reaction, answer_after=answer_after, repeat=repeat),
        accepts_transfer=accept_transfer,
        acknowledges_digits=acknowledge_digits,
    )
    protection, address = _read_srtp(srtp), _read_address(listen)
    show = _choose_display(as_json=as_json, quiet=quiet)

    async def operate(stop: lifecycle.Stop, ready: Callable[[], None]) -> None:
        softphone = Softphone(script, voice=voice, srtp=protection, on_event=show)
        try:
            await _start(softphone, *address)
            ready()
            show(PhoneEvent("listening", softphone.endpoint.local_uri("phone")))
            if dial is None:
                await stop.asked.wait()
            elif not await _dial(softphone, dial, user, stop):
                sys.exit(1)
        finally:
            await softphone.close()

    lifecycle.run_program(operate)


def _read_srtp(text: str) -> sdp.Srtp:
    if text not in _SRTP:
        raise typer.BadParameter(f"must be one of {', '.join(_SRTP)}", param_hint="--srtp")
    return _SRTP[text]


def _read_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise typer.BadParameter("must be HOST:PORT with a port from 0 to 65535", param_hint="--listen")
    return host.strip("[]"), int(port)


def _choose_display(*, as_json: bool, quiet: bool) -> Callable[[PhoneEvent], None]:
    def show(event: PhoneEvent) -> None:
        if as_json:
            print(json.dumps(asdict(event)), flush=True)
        elif not quiet:
            print(f"{event.at_ms / 1000:7.2f} s  {event.kind:<9} {event.detail}", flush=True)

    return show


def _configure() -> None:
    try:
        lifecycle.load_settings()
    except lifecycle.CannotStart as error:
        lifecycle.fail(str(error))


async def _start(softphone: Softphone, host: str, port: int) -> None:
    try:
        await softphone.start(host=host, port=port)
    except OSError as error:
        raise lifecycle.CannotStart(f"The phone cannot listen on {host} port {port} ({error.strerror}).") from error


async def _dial(softphone: Softphone, target: str, user: str | None, stop: lifecycle.Stop) -> bool:
    credentials = None
    if user is not None:
        username, _, password = user.partition(":")
        credentials = Credentials(username, password)
    call = asyncio.create_task(softphone.dial(target, credentials=credentials))
    asked = asyncio.create_task(stop.asked.wait())
    await asyncio.wait((call, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not call.done():
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return True
    try:
        return call.result()
    except ValueError as error:
        raise lifecycle.CannotStart(f"The phone cannot dial {target}: {error}.") from error


def _build_script(texts: list[str], reaction: str, *, answer_after: float, repeat: bool) -> Script:
    reactions: dict[str, Reaction] = {"answer": "answer", "busy": "busy", "decline": "decline", "ring": "ring"}
    if reaction not in reactions:
        raise typer.BadParameter(f"must be one of {', '.join(reactions)}", param_hint="--reaction")
    steps: list[Step] = []
    for text in texts:
        try:
            steps.append(scripts.parse_step(text))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--step") from None
    return Script(
        steps=tuple(steps) or scripts.PLEASANT.steps,
        repeats=repeat or not steps,
        reaction=reactions[reaction],
        answer_after_ms=round(answer_after * 1000),
    )


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(phone)
    app(prog_name="ringdown phone")
