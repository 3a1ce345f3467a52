"""The dial boundary: a year of dials on a virtual clock through the product's own rules, each judged from outside.

People live by forty clocks, which are put forward and back; batch calls have windows, also across midnight, working
days, daily maxima, retries, and share people; numbers get onto the do-not-call list in the middle; the dialler is late
by seconds, and now and then by a day. No dial may be outside its contact's window, to a listed number, or over a cap.
Then a hundred dials race for money that is enough for some, on both databases: nothing may be overspent.
"""

import argparse
import heapq
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import boundary_money, report
from benchmarks.boundary_world import DAY_MS, ORGANIZATION, Judge, Person, make_batch, make_contact, make_person
from benchmarks.chaos_product import KINDS, open_store
from ringdown.batch_calls import retrying, scheduling, zones
from ringdown.batch_calls.admission import Admission
from ringdown.batch_calls.gaps import Gaps
from ringdown.batch_calls.models import BatchCall, BatchContact
from ringdown.batch_calls.pace_store import Pace
from ringdown.batch_calls.refusal import Refusal
from ringdown.calls.models import Call, CallSettings, EndedReason
from ringdown.config import Settings

_DIALS, _QUICK_DIALS = 1_000_000, 60_000
_CONTACTS_PER_BATCH = 1500
_DIALS_PER_CONTACT = 1.9
_SHARED, _LISTED, _ANSWERED = 0.05, 0.03, 0.35
_OUTAGE = 0.01
_MISSED: tuple[EndedReason, ...] = ("no_answer", "busy", "voicemail")
_SHOWN = 10
_CALLER = "+18005559876"


class VirtualAdmission(Admission):
    """The gateways' own decisions, told what is so at an instant instead of looking it up."""

    def __init__(self, settings: Settings, batches: list[BatchCall]) -> None:
        super().__init__(settings)
        self._gap_ms = settings.contact_gap_seconds * 1000
        self._batches = {batch.id: batch for batch in batches}
        self._paces = {batch.id: Pace() for batch in batches}
        self._agents = {batch.id: "active" for batch in batches}
        self._numbers = {batch.id: {_CALLER} for batch in batches}
        self._last_dials: dict[str, tuple[str, int]] = {}

    def block(self, number: str) -> None:
        """The number is on the do-not-call list from now on."""
        self._blocked.add((ORGANIZATION, number))

    def decide(self, batch: BatchCall, contact: BatchContact, at_ms: int) -> Refusal | None:
        """None when it is dialled."""
        call = _make_call(batch, contact, at_ms)
        self._contacts = {call.id: contact}
        self._gaps = Gaps(gap_ms=self._gap_ms, now_ms=at_ms)
        last = self._last_dials.get(contact.phone_number)
        if last is not None:
            self._gaps.learn(ORGANIZATION, [(contact.phone_number, *last, False)])
        if self.may_dial(call, at_ms=at_ms):
            self._last_dials[contact.phone_number] = (batch.id, at_ms)
            return None
        return self._refused.pop()


def _make_call(batch: BatchCall, contact: BatchContact, at_ms: int) -> Call:
    return Call(
        organization_id=ORGANIZATION,
        id=f"call_{contact.contact_id}",
        seq=1,
        status="queued",
        direction="outbound",
        agent_id=batch.agent_id,
        to_number=contact.phone_number,
        from_number=_CALLER,
        settings=_SETTINGS,
        variables={},
        metadata={},
        created_at=at_ms,
        updated_at=at_ms,
        batch_call_id=batch.id,
        contact_id=contact.contact_id,
    )


_SETTINGS = CallSettings()


class Year:
    """The simulation: contacts in the order of their times, decided, dialled, retried."""

    def __init__(self, *, dials: int, seed: int) -> None:
        self.refused: Counter[str] = Counter()
        self._chance = random.Random(seed)
        contacts = max(1, round(dials / _DIALS_PER_CONTACT))
        count = max(4, contacts // _CONTACTS_PER_BATCH)
        self._batches = [make_batch(number, self._chance) for number in range(count)]
        self._people: list[Person] = []
        self._contacts: list[BatchContact] = []
        # When, which contact; or which person's number gets onto the list, counted downwards from -1.
        self._due: list[tuple[int, int]] = []
        blocked_since = self._invite(contacts)
        settings = Settings()
        self.judge = Judge(settings.contact_gap_seconds * 1000, blocked_since)
        self._admission = VirtualAdmission(settings, self._batches)

    def _invite(self, contacts: int) -> dict[str, int]:
        """Fill the batch calls and give everybody a place; since when the numbers that are blocked are so."""
        chance, blocked_since = self._chance, dict[str, int]()
        by_id = {batch.id: index for index, batch in enumerate(self._batches)}
        self._batch_of: list[int] = []
        for batch in self._batches:
            others, known = len(self._people), set[str]()
            spreader = scheduling.Spreader(
                window=scheduling.read_window(batch),
                zone=zones.get_zone(batch.timezone),
                starts_at=batch.created_at,
                max_per_day=batch.max_calls_per_day,
                taken={},
            )
            for position in range(contacts // len(self._batches)):
                person = make_person(len(self._people), chance)
                if others and chance.random() < _SHARED:
                    other = self._people[chance.randrange(others)]
                    person = person if other.number in known else other  # nobody is in a batch call twice
                known.add(person.number)
                contact = make_contact(batch, position, person)
                clock = zones.choose_zone(
                    own=contact.timezone,
                    phone_number=contact.phone_number,
                    batch_zone=zones.get_zone(batch.timezone),
                )
                place = spreader.place(clock)
                if chance.random() < _LISTED:
                    blocked_since[person.number] = place + round(chance.uniform(-2, 5) * DAY_MS)
                    self._due.append((blocked_since[person.number], -1 - len(self._contacts)))
                self._due.append((place + self._find_lateness(), len(self._contacts)))
                self._people.append(person)
                self._contacts.append(contact)
                self._batch_of.append(by_id[batch.id])
        heapq.heapify(self._due)
        return blocked_since

    def _find_lateness(self) -> int:
        if self._chance.random() < _OUTAGE:
            return self._chance.randrange(2 * DAY_MS)
        return round(self._chance.expovariate(1 / 2000))

    def run(self) -> None:
        """Dial until there is nobody left."""
        while self._due:
            at_ms, index = heapq.heappop(self._due)
            if index < 0:
                number = self._contacts[-1 - index].phone_number
                if at_ms >= self.judge.blocked_since[number]:
                    self._admission.block(number)
                continue
            batch, contact = self._batches[self._batch_of[index]], self._contacts[index]
            refusal = self._admission.decide(batch, contact, at_ms)
            if refusal is not None:
                self.refused[refusal.reason] += 1
                next_at = None if refusal.is_final else max(at_ms, refusal.not_before or 0)
            else:
                self.judge.look(batch, self._people[index], at_ms)
                contact = self._contacts[index] = replace(contact, attempts=contact.attempts + 1)
                next_at = self._find_retry(batch, contact, at_ms)
            if next_at is not None:
                slot = scheduling.find_slot(batch, contact, not_before=next_at)
                heapq.heappush(self._due, (slot + self._find_lateness(), index))

    def _find_retry(self, batch: BatchCall, contact: BatchContact, at_ms: int) -> int | None:
        if self._chance.random() < _ANSWERED:
            return None
        delay_ms = retrying.find_delay(batch, contact, self._chance.choice(_MISSED))
        return None if delay_ms is None else at_ms + delay_ms


def to_figures(year: Year, *, took_s: float) -> list[report.Figure]:
    """What the judge found, and what was simulated."""
    judge = year.judge
    return [
        report.at_most("dials outside the contact's window", len(judge.outside), "", 0),
        report.at_most("dials to numbers on the do-not-call list", len(judge.blocked), "", 0),
        report.at_most("dials over a cap (day, attempts, gap)", len(judge.over), "", 0),
        report.Figure("dials simulated", judge.dials, ""),
        report.Figure("of them within a day of a change of the clock", judge.near_changes, ""),
        report.Figure("clocks", len(judge.zones), ""),
        *(report.Figure(f"refused: {reason}", count, "") for reason, count in sorted(year.refused.items())),
        report.Figure("CPU", took_s * 1e6 / max(1, judge.dials), "us per dial"),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Simulates the year, then the race; the exit status is 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.boundary", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_DIALS} dials, under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--dials", type=int, help=f"about how many ({_DIALS})")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    dials = options.dials or (_QUICK_DIALS if options.quick else _DIALS)
    began_s = time.process_time()
    year = Year(dials=dials, seed=options.seed)
    year.run()
    figures = to_figures(year, took_s=time.process_time() - began_s)
    evidence = [*year.judge.outside[:_SHOWN], *year.judge.blocked[:_SHOWN], *year.judge.over[:_SHOWN]]
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="ringdown-boundary-") as folder:
            Path(folder).chmod(0o755)
            with open_store(kind, Path(folder)) as store:
                figures += boundary_money.race(store)
    for line in evidence:
        print(line, file=sys.stderr)
    if not options.json:
        return report.print_figures(figures, as_json=False)
    print(json.dumps({"figures": [asdict(figure) for figure in figures], "evidence": evidence}))
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
