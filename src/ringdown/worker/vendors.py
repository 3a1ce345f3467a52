"""The jobs about vendors: purchases of numbers that are still open, and voices in training."""

from collections.abc import Mapping

from ringdown.config import Settings
from ringdown.db.engine import Database
from ringdown.jobs import loop
from ringdown.jobs.store import Job
from ringdown.secret import SecretBox
from ringdown.telephony.carrier_loading import Carriers
from ringdown.telephony.carrier_numbers import CarrierNumbers
from ringdown.voices import service as voices
from ringdown.webhooks.events import record_event

_SETTLE = "telephony.settle"
#: How often its recurring jobs run.
INTERVALS_MS = {_SETTLE: 60_000}


def list_handlers(settings: Settings, database: Database) -> Mapping[str, loop.Handler]:
    """The handlers by kind of job."""
    desk = CarrierNumbers(database, settings, SecretBox.open(settings), Carriers(settings))

    async def settle(_job: Job) -> None:
        await desk.settle_purchases()

    async def watch_training(job: Job) -> None:
        await voices.watch_training(database, settings=settings, job=job, record_event=record_event)

    return {_SETTLE: settle, voices.TRAINING_JOB: watch_training}
