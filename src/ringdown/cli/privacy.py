"""`ringdown privacy`: everything that is known of one person into a file, or erased, through the API."""

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ringdown import lifecycle
from ringdown.cli.columns import to_json
from ringdown.cli.organization import DataDir
from ringdown.cli.reach import AsJson, Key, Url, reach_api

app = typer.Typer(help="One person's data, by phone number: export, erase.", no_args_is_help=True)

_POLL_S = 0.5

Number = Annotated[str, typer.Argument(help="The person's phone number.")]
Country = Annotated[
    str | None, typer.Option("--country", help="ISO 3166 country in which a number without country code is read.")
]


@app.command()
def export(number: Number, country: Country = None, url: Url = None, key: Key = None, data_dir: DataDir = None) -> None:
    """Write everything that is known of a person to standard output, a JSON object a line."""
    query: dict[str, Any] = {"phone_number": number} | ({} if country is None else {"country": country})
    with (
        reach_api(url=url, key=key, data_dir=data_dir) as client,
        client.privacy.export_person(**query) as answer,
    ):
        for piece in answer.iter_bytes():
            sys.stdout.buffer.write(piece)


@app.command()
def erase(
    number: Number,
    country: Country = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")] = True,
    as_json: AsJson = False,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = None,
) -> None:
    """Delete everything that is known of a person, but a place on the do-not-call list. It cannot be undone."""
    if not yes and not typer.confirm(f"Erase everything of {number} for good?", err=True):
        lifecycle.fail("Nothing was erased.")
    body: dict[str, Any] = {"phone_number": number} | ({} if country is None else {"country": country})
    with reach_api(url=url, key=key, data_dir=data_dir) as client:
        erasure: Mapping[str, Any] = client.privacy.erase_person(**body)
        while wait and erasure["status"] != "completed":
            time.sleep(_POLL_S)
            erasure = client.privacy.get_erasure(erasure["id"])
    print(to_json(erasure) if as_json else _describe(erasure))


def _describe(erasure: Mapping[str, Any]) -> str:
    if erasure["status"] != "completed":
        return f"Erasing ({erasure['id']})."
    return (
        f"Erased: {erasure['deleted_contacts']} contacts, {erasure['deleted_batch_contacts']} places in batch calls, "
        f"{erasure['deleted_calls']} calls, {erasure['deleted_recordings']} recordings."
    )
