"""How commands reach the API: its address, and a key of their own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ringdown import lifecycle
from ringdown.accounts import service as accounts
from ringdown.cli.organization import DataDir, run_for_organization
from ringdown.client import ApiError, Client, ClientError
from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.values import new_id

Url = Annotated[
    str | None, typer.Option("--url", envvar="RINGDOWN_API_URL", help="Where the API is; by default on this machine.")
]
Key = Annotated[
    str | None,
    typer.Option("--key", envvar="RINGDOWN_API_KEY", help="An API key; by default one that this machine keeps."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]


@contextmanager
def reach_api(*, url: str | None, key: str | None, data_dir: DataDir) -> Iterator[Client]:
    """A client of the API for the block; its errors become sentences for the operator."""
    settings = lifecycle.load_settings(data_dir=data_dir)
    if key is None and url is not None:
        lifecycle.fail("Another machine's API needs its key: --key, or RINGDOWN_API_KEY.")
    used = key or _find_kept_key(settings)
    try:
        with Client(url or settings.local_url, key=used) as client:
            yield client
    except ApiError as error:
        lifecycle.fail(_explain(error, settings, is_kept=key is None))
    except ClientError as error:
        lifecycle.fail(
            f"The API at {url or settings.local_url} cannot be reached ({error}). Does `ringdown serve` run?"
        )


def _explain(error: ApiError, settings: Settings, *, is_kept: bool) -> str:
    if error.status == 401 and is_kept:
        return f"{error.message} Delete {_locate(settings)} to have a new one made."
    return error.message


def _find_kept_key(settings: Settings) -> str:
    """The key that the data folder keeps for this machine's commands; made at the first use."""
    path = _locate(settings)
    if path.exists():
        return path.read_text().strip()

    async def work(database: Database, organization_id: str) -> str:
        name = f"command line {new_id('of')}"
        _, text = await accounts.create_key(database, organization_id=organization_id, name=name)
        return text

    text = run_for_organization(settings.data_dir, work)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
    return text


def _locate(settings: Settings) -> Path:
    return settings.data_dir / "command-line.key"
