"""`ringdown doctor`: examines trunks and webhooks, and says in a sentence what is wrong and what mends it."""

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
from ringdown.doctor import webhook
from ringdown.doctor.finding import Finding
from ringdown.errors import NotFound, invalid
from ringdown.gateway.routes import parse_peer
from ringdown.lifecycle import CannotStart
from ringdown.media.sockets import PortsExhausted
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.telephony import service, store, trunk_store
from ringdown.telephony.models import Trunk
from ringdown.telephony.permission import find_refusal
from ringdown.webhooks import delivery_store, endpoint_store
from ringdown.webhooks.service import MAX_ENDPOINTS

if TYPE_CHECKING:
    from ringdown.doctor.examination import Examined, Step

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

    The test call costs what a call costs, and rings a second time beside the first. Without TRUNK webhook endpoints
    that fail, and parked deliveries, are told as well.
    """
    if number is not None and not values.is_e164(number):
        raise invalid("--number", "must be in E.164 form, as in +12025550142")
    settings = lifecycle.load_settings(data_dir=data_dir)
    patients = _find_patients(settings, data_dir, trunk)
    if number is not None:
        for patient, _ in patients:
            if (refusal := find_refusal(number, settings=settings, trunk=patient)) is not None:
                raise invalid("--number", refusal.message)
    webhooks = _examine_webhooks(data_dir) if trunk is None else None
    if not patients and not webhooks:
        raise CannotStart("There is no trunk to examine; add one with `ringdown trunks add`.")
    examined = asyncio.run(_examine_all(settings, patients, number=number, is_shown=not as_json))
    if as_json:
        told: dict[str, Any] = {"trunks": [render(each) for each in examined]}
        if webhooks is not None:
            told["webhooks"] = _render_findings(webhooks)
        print(json.dumps(told, indent=2))
    elif webhooks is not None:
        print(_describe("Webhooks", [], webhooks))
    if webhooks or any(each.findings for each in examined):
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


def _examine_webhooks(data_dir: Path | None) -> list[Finding]:
    async def work(database: Database, organization_id: str) -> list[Finding]:
        async with database.read() as connection:
            endpoints, _ = await endpoint_store.list_endpoints(
                connection, organization_id, limit=MAX_ENDPOINTS, offset=0
            )
            owed = await delivery_store.count_owed(connection, organization_id, [each.id for each in endpoints])
        return webhook.find_faults((each, owed[each.id]) for each in endpoints)

    return run_for_organization(data_dir, work)


def describe(examined: "Examined") -> str:
    """What was tried and found, as lines for people."""
    return _describe(f"Trunk {examined.trunk.name}", examined.steps, examined.findings)


def _describe(patient: str, steps: Sequence["Step"], findings: Sequence[Finding]) -> str:
    count = "nothing wrong" if not findings else "1 fault" if len(findings) == 1 else f"{len(findings)} faults"
    lines = [f"{patient}: {count}"]
    width = max((len(step.name) for step in steps), default=0)
    lines += [f"  {step.name:<{width}}  {step.result}" for step in steps]
    for finding in findings:
        lines += [f"  FAULT   {finding.sentence}", f"  REMEDY  {finding.remedy}"]
    return "\n".join(lines)


def render(examined: "Examined") -> dict[str, Any]:
    """The same for programs."""
    return {
        "id": examined.trunk.id,
        "name": examined.trunk.name,
        "steps": [asdict(step) for step in examined.steps],
        **_render_findings(examined.findings),
    }


def _render_findings(findings: Sequence[Finding]) -> dict[str, Any]:
    return {"healthy": not findings, "findings": [asdict(finding) for finding in findings]}
