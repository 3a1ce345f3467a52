"""`ringdown doctor`: examines trunks, and says in a sentence what is wrong and which setting mends it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringdown import lifecycle, values
from ringdown.cli.organization import DataDir, run_for_organization
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.errors import NotFound, invalid
from ringdown.gateway.routes import parse_peer
from ringdown.lifecycle import CannotStart
from ringdown.media.sockets import PortsExhausted
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.telephony import service, store, trunk_store
from ringdown.telephony.models import Trunk
from ringdown.telephony.permission import find_refusal

if TYPE_CHECKING:
    from ringdown.doctor.examination import Examined

Patient = tuple[Trunk, tuple[str, ...]]


def doctor(
    trunk: Annotated[str | None, typer.Argument(help="Name or id of the trunk; all enabled ones without it.")] = None,
    number: Annotated[
        str | None,
        typer.Option("--number", help="Number to call, as in +12025550142; by default the trunk's own first number."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Examine trunks: reach them, register, place a test call; exit status 1 when something is wrong.

    The test call costs what a call costs, and rings a second time beside the first.
    """
    if number is not None and not values.is_e164(number):
        raise invalid("--number", "must be in E.164 form, as in +12025550142")
    settings = lifecycle.load_settings(data_dir=data_dir)
    patients = _find_patients(settings, data_dir, trunk)
    if number is not None:
        for patient, _ in patients:
            if (refusal := find_refusal(number, settings=settings, trunk=patient)) is not None:
                raise invalid("--number", refusal.message)
    examined = asyncio.run(_examine_all(settings, patients, number=number, is_shown=not as_json))
    if as_json:
        print(json.dumps({"trunks": [render(each) for each in examined]}, indent=2))
    if any(each.findings for each in examined):
        raise typer.Exit(1)


def _find_patients(settings: Settings, data_dir: Path | None, name: str | None) -> list[Patient]:
    """The trunks asked for, with their numbers. Raises `NotFound` and `CannotStart`."""
    box = SecretBox.open(settings)

    async def work(database: Database, organization_id: str) -> list[Patient]:
        await service.sync_trunks(database, settings)
        async with database.read() as connection:
            trunks = [each for each in await trunk_store.list_all(connection, organization_id) if _is_meant(each, name)]
            return [
                (
                    trunk_store.open_secrets(each, box),
                    tuple(
                        number.phone_number
                        for number in await store.list_trunk_numbers(connection, organization_id, each.id)
                    ),
                )
                for each in trunks
            ]

    try:
        patients = run_for_organization(data_dir, work)
        if settings.outbound_peer is not None:
            peer = parse_peer(settings.outbound_peer.get_secret_value())
            patients += [(peer, ())] if _is_meant(peer, name) else []
    except (SecretUnreadable, ValueError) as error:
        raise CannotStart(f"{str(error).removesuffix('.')}.") from error
    if not patients and name is not None:
        raise NotFound("Trunk", name)
    if not patients:
        raise CannotStart("There is no trunk to examine; add one with `ringdown trunks add`.")
    return patients


def _is_meant(trunk: Trunk, name: str | None) -> bool:
    return trunk.is_enabled if name is None else name in (trunk.name, trunk.id)


async def _examine_all(
    settings: Settings, patients: Sequence[Patient], *, number: str | None, is_shown: bool
) -> list["Examined"]:
    """One after the other: their test calls would count against each other's limits."""
    from ringdown.doctor.examination import examine  # with all of the media: other commands start without it

    examined = []
    for trunk, own_numbers in patients:
        try:
            each = await examine(trunk, settings=settings, number=number, own_numbers=own_numbers)
        except (OSError, PortsExhausted) as error:
            raise CannotStart(f"No test call can be placed from {settings.sip_host}: {error}.") from error
        examined.append(each)
        if is_shown:
            print(describe(each), flush=True)
    return examined


def describe(examined: "Examined") -> str:
    """What was tried and found, as lines for people."""
    findings = examined.findings
    count = "nothing wrong" if not findings else "1 fault" if len(findings) == 1 else f"{len(findings)} faults"
    lines = [f"Trunk {examined.trunk.name}: {count}"]
    width = max((len(step.name) for step in examined.steps), default=0)
    lines += [f"  {step.name:<{width}}  {step.result}" for step in examined.steps]
    for finding in findings:
        lines += [f"  FAULT   {finding.sentence}", f"  REMEDY  {finding.remedy}"]
    return "\n".join(lines)


def render(examined: "Examined") -> dict[str, Any]:
    """The same for programs."""
    return {
        "id": examined.trunk.id,
        "name": examined.trunk.name,
        "healthy": not examined.findings,
        "steps": [asdict(step) for step in examined.steps],
        "findings": [asdict(finding) for finding in examined.findings],
    }
