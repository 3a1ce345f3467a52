"""What is tried again when the database fails, and what is not."""

import asyncpg
import pytest
from sqlalchemy import exc

from ringdown.gateway import patience
from ringdown.gateway.patience import keep_trying


class _Refusal(Exception):
    """As the driver's adapter raises it."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("refused")
        self.sqlstate = sqlstate


def _wrap(sqlstate: str) -> Exception:
    return exc.DBAPIError("UPDATE calls", None, _Refusal(sqlstate))


class _Work:
    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.runs = 0

    async def __call__(self) -> str:
        self.runs += 1
        if self._failures:
            raise self._failures.pop(0)
        return "stored"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_FIRST_DELAY_S", 0.0)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(_wrap("57P03"), id="the server is starting up"),
        pytest.param(_wrap("57P01"), id="the server is shut down"),
        pytest.param(_wrap("53300"), id="too many connections"),
        pytest.param(_wrap("40P01"), id="a deadlock"),
        pytest.param(_wrap("25006"), id="a standby"),
        pytest.param(exc.TimeoutError("no connection in the pool"), id="the pool is empty"),
        pytest.param(exc.OperationalError("BEGIN", None, Exception("database is locked")), id="SQLite is locked"),
        pytest.param(ConnectionRefusedError(), id="nobody listens"),
        pytest.param(asyncpg.CannotConnectNowError("starting up"), id="refused while connecting"),
    ],
)
async def test_what_passes_by_itself_is_tried_again(failure: Exception) -> None:
    work = _Work(failure, failure)
    assert await keep_trying(work) == "stored"
    assert work.runs == 3


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(_wrap("22003"), id="a number out of range"),
        pytest.param(exc.IntegrityError("INSERT", None, _Refusal("23505")), id="a key that is taken"),
        pytest.param(exc.ProgrammingError("SELECT", None, _Refusal("42P01")), id="a table that is missing"),
        pytest.param(KeyError("call"), id="a fault of ours"),
    ],
)
async def test_a_fault_is_not_tried_again(failure: Exception) -> None:
    work = _Work(failure)
    with pytest.raises(type(failure)):
        await keep_trying(work)
    assert work.runs == 1
