"""`ringdown trunks`: the SIP peers of the organization: list, show, add, remove."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from ringdown import lifecycle
from ringdown.cli.organization import DataDir, run_for_organization
from ringdown.db.engine import Database
from ringdown.errors import NotFound, invalid
from ringdown.lifecycle import CannotStart
from ringdown.secret import SecretBox, SecretUnreadable
from ringdown.telephony import conversion, schemas, service, trunk_store
from ringdown.telephony.models import Trunk, TrunkStatus

app = typer.Typer(help="Trunks, the SIP peers that carry calls: add, list, show, remove.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name or id of the trunk.")]
_LISTS = frozenset(("allowed_sources", "allowed_prefixes", "codecs"))
_PRINTED_SECRETS = 'a password comes from --password-file; the key of a certificate from "ringdown.toml" or the API'


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A name that no other trunk has.")],
    host: Annotated[list[str], typer.Option("--host", help="host[:port]; again for each further host.")],
    username: Annotated[str | None, typer.Option("--username", help="Name for digest challenges.")] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File with its password; - reads standard input.")
    ] = None,
    register: Annotated[bool, typer.Option("--register", help="Register with the hosts.")] = False,
    transport: Annotated[str, typer.Option("--transport", help="udp, tcp or tls.")] = "udp",
    fields: Annotated[
        list[str] | None, typer.Option("--set", help="Any other field of the API, as in srtp=required.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Add a trunk; the gateways use it at once."""
    table: dict[str, Any] = {"name": name, "hosts": host, "transport": transport, "registers": register}
    if username is not None:
        table["username"] = username
    if password_file is not None:
        table["password"] = _read_password(password_file)
    table.update(_read_field(field) for field in fields or ())
    body = schemas.parse_trunk(table)
    box = SecretBox.open(lifecycle.load_settings(data_dir=data_dir))

    async def work(database: Database, organization_id: str) -> Trunk:
        return await service.create_trunk(database, box=box, organization_id=organization_id, body=body)

    try:
        _show(run_for_organization(data_dir, work), ())
    except SecretUnreadable as error:
        raise CannotStart(f"The password cannot be stored: {error}.") from error


@app.command(name="list")
def list_trunks(data_dir: DataDir = None) -> None:
    """List the trunks: id, name, where it goes, whether it is registered and reached."""

    async def work(database: Database, organization_id: str) -> tuple[list[Trunk], list[TrunkStatus]]:
        async with database.read() as connection:
            trunks = await trunk_store.list_all(connection, organization_id)
            return trunks, await trunk_store.list_statuses(connection, organization_id)

    trunks, statuses = run_for_organization(data_dir, work)
    for trunk in trunks:
        _show(trunk, [status for status in statuses if status.trunk_id == trunk.id])


@app.command()
def show(name: Name, data_dir: DataDir = None) -> None:
    """Show one trunk and its state as the API does, in JSON."""

    async def work(database: Database, organization_id: str) -> dict[str, object]:
        async with database.read() as connection:
            trunk = await trunk_store.find_trunk(connection, organization_id, name)
            if trunk is None:
                raise NotFound("Trunk", name)
            statuses = await trunk_store.list_statuses(connection, organization_id, [trunk.id])
        return conversion.render_trunk(trunk, statuses)

    print(json.dumps(msgspec.to_builtins(run_for_organization(data_dir, work)), indent=2))


@app.command()
def remove(name: Name, data_dir: DataDir = None) -> None:
    """Remove a trunk that has no numbers."""

    async def work(database: Database, organization_id: str) -> str:
        async with database.read() as connection:
            trunk = await trunk_store.find_trunk(connection, organization_id, name)
        if trunk is None:
            raise NotFound("Trunk", name)
        await service.delete_trunk(database, organization_id=organization_id, trunk_id=trunk.id)
        return trunk.name

    print(f"Removed {run_for_organization(data_dir, work)}.")


def _read_password(path: Path) -> str:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise invalid("--password-file", f"cannot be read: {error}") from error
    return text.rstrip("\r\n")


def _read_field(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise invalid("--set", "must look like field=value")
    if name in ("password", "inbound_password", "tls_private_key"):
        raise invalid("--set", f"must not show secrets to others on this machine: {_PRINTED_SECRETS}")
    if name in _LISTS:
        return name, [part.strip() for part in value.split(",")]
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _show(trunk: Trunk, statuses: Sequence[TrunkStatus]) -> None:
    hosts = ",".join(f"{entry.host}:{entry.port}" if entry.port else entry.host for entry in trunk.hosts)
    print(f"{trunk.id}  {trunk.name:<16}  {trunk.transport}:{hosts}  {_describe(trunk, statuses)}")


def _describe(trunk: Trunk, statuses: Sequence[TrunkStatus]) -> str:
    if not trunk.is_enabled:
        return "disabled"
    newest = max(statuses, key=lambda status: status.checked_at, default=None)
    if newest is None:
        return "not seen by a gateway yet"
    words: list[str] = [] if newest.registration == "off" else [newest.registration]
    if newest.is_reachable is not None:
        words.append("reachable" if newest.is_reachable else "unreachable")
    if newest.round_trip_ms is not None:
        words.append(f"{newest.round_trip_ms:.0f} ms")
    error = newest.registration_error or newest.last_error
    return ", ".join([*words, *([error] if error else [])]) or "enabled"
