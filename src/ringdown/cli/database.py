"""What must hold of the database before anything starts: its URL can be read, it answers. One sentence each if not."""

from pathlib import Path

import sqlalchemy as sa

from ringdown.config import Settings
from ringdown.db import migrate
from ringdown.db.engine import UNAVAILABLE, Database, open_database
from ringdown.lifecycle import CannotStart


async def check_reachable(settings: Settings) -> None:
    """Refuse a database that cannot be used now. Raises `CannotStart`."""
    database = _open(settings)
    try:
        async with database.read() as connection:
            await connection.execute(sa.text("SELECT 1"))
    except UNAVAILABLE as error:
        raise CannotStart(f"The database ({_name(settings)}) cannot be used: {_find_reason(error)}.") from error
    finally:
        await database.close()


async def check_current(settings: Settings) -> None:
    """Refuse a database without the tables of this version. Raises `CannotStart`."""
    is_missing = settings.database_url is None and not _find_file(settings).exists()
    if not is_missing:
        await check_reachable(settings)
    if is_missing or not await migrate.is_current(settings.sqlalchemy_url):
        raise CannotStart("The database does not have the tables of this version; run `ringdown migrate` first.")


def _find_file(settings: Settings) -> Path:
    return settings.data_dir / "ringdown.db"


def _name(settings: Settings) -> str:
    return "RINGDOWN_DATABASE_URL" if settings.database_url else str(_find_file(settings))


def _open(settings: Settings) -> Database:
    try:
        return open_database(settings.sqlalchemy_url)
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        # Not with the error's own words: they may repeat the password.
        raise CannotStart(
            "RINGDOWN_DATABASE_URL cannot be read; it looks like postgresql://user:password@host:5432/name."
        ) from error


def _find_reason(error: BaseException) -> str:
    """The driver's own words, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return " ".join(str(error).split()) or type(error).__name__
