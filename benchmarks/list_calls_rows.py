"""Makes rows of calls and turns as a busy service has them, many at a time and always the same; stores nothing."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.list_calls_texts import Texts
from ringdown.calls.models import CallSettings, MediaQuality

#: What each organization has of all calls; the first is the one that is measured.
SHARES = (0.9, 0.05, 0.03, 0.015, 0.005)
#: Calls made at once.
CHUNK = 100_000
#: The newest calls, which have not ended.
LIVE = 200

_AGENTS = (50, 8, 5, 3, 1)
_BATCH_CALLS = 20_000
_BATCHES_AT_ONCE = 4
#: When the first call was made, and how long after it the last one was.
FIRST_AT, SPAN_MS = 1_735_689_600_000, 365 * 86_400_000
_ALPHABET = np.frombuffer(b"0123456789abcdefghjkmnpqrstvwxyz", np.uint8)
_TRUNK = "trunk_00000000000000000000000001"

# Of the calls that talked, and of those that did not.
_ANSWERED = {
    "user_hangup": 0.55, "agent_hangup": 0.25, "voicemail": 0.12, "transferred": 0.04, "inactivity": 0.03,
    "max_duration": 0.01,
}  # fmt: skip
_UNANSWERED = {
    "no_answer": 0.55, "busy": 0.15, "declined": 0.12, "unreachable": 0.07, "cancelled": 0.05,
    "invalid_destination": 0.04, "carrier_error": 0.02,
}  # fmt: skip
_OUTCOMES = {"contacted": 0.5, "interested": 0.2, "not_interested": 0.3}
_OUTCOME_OF = {"voicemail": "voicemail", "transferred": "escalated", "no_answer": "no_answer", "busy": "busy"}
_SENTIMENTS = {"neutral": 0.5, "positive": 0.3, "negative": 0.2}
_LIVE_STATUSES = ("queued", "ringing", "in_progress")

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant: its id, its agents from busiest to idlest, the seq of its newest call and when that was made."""

    id: str
    agent_ids: tuple[str, ...]
    call_seq: int
    last_call_at: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Calls in the order in which they were made: a list per column; and the rows of turns of those that talked."""

    calls: dict[str, list[Any]]
    turns: list[tuple[Any, ...]]

    def list_rows(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """The calls as rows of these columns; what is not made here is null."""
        absent = [None] * len(self.calls["id"])
        return list(zip(*(self.calls.get(name, absent) for name in names), strict=True))

    def pick(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Some columns of the calls."""
        return zip(*(self.calls[name] for name in names), strict=True)


class CallMaker:
    """Makes `total` calls, in chunks; the same ones whenever it is asked."""

    turn_columns = (
        "organization_id", "call_id", "position", "speaker", "text", "start_ms", "end_ms", "interrupted", "latency",
    )  # fmt: skip

    def __init__(self, total: int) -> None:
        self._total = total
        self._random = np.random.default_rng(total)
        self._texts = Texts(rare_every=max(total // 20, 1))
        self._ids = [self._make_ids("org", np.array([FIRST_AT + n]))[0] for n in range(len(SHARES))]
        self._agents = [self._make_ids("agt", FIRST_AT + np.arange(count)) for count in _AGENTS]
        self._weights = [_normalize(1 / np.arange(1, count + 1) ** 1.1) for count in _AGENTS]
        self._batch_calls = min(_BATCH_CALLS, max(total // 50, 10))
        self._batches = [self._make_batches(number) for number in range(len(SHARES))]
        self._seqs = [0] * len(SHARES)
        self._last_at = [0] * len(SHARES)
        self._settings = json.dumps(msgspec.to_builtins(CallSettings()))
        self._qualities = [self._make_quality(mark) for mark in range(500)]

    @property
    def organizations(self) -> list[Organization]:
        """The tenants after the chunks that were made so far."""
        facts = zip(self._ids, self._agents, self._seqs, self._last_at, strict=True)
        return [Organization(own_id, tuple(agents), seq, at) for own_id, agents, seq, at in facts]

    def make(self) -> Iterator[Chunk]:
        """All chunks, oldest calls first."""
        step_ms = SPAN_MS / self._total
        for begin in range(0, self._total, CHUNK):
            count = min(CHUNK, self._total - begin)
            # A call at some moment of its own share of the time, so that they are in order whatever the chunk.
            instants = FIRST_AT + (np.arange(begin, begin + count) + self._random.random(count)) * step_ms
            yield self._make_chunk(begin, instants.astype(np.int64))

    def _make_chunk(self, begin: int, created_at: Numbers) -> Chunk:
        count = len(created_at)
        owners = self._random.choice(len(SHARES), count, p=SHARES)
        calls: dict[str, list[Any]] = {
            "organization_id": [self._ids[owner] for owner in owners.tolist()],
            "id": self._make_ids("call", created_at),
            "settings": [self._settings] * count,
            "variables": self._texts.choose_variables(self._random, count),
            "metadata": self._texts.choose_metadata(self._random, count),
        }
        self._add_places(calls, owners, created_at)
        live = np.arange(begin, begin + count) >= self._total - LIVE
        self._add_endings(calls, created_at, live)
        self._add_words(calls, begin)
        chunk = Chunk(calls, [])
        chunk.turns.extend(self._make_turns(chunk))
        return chunk

    def _add_places(self, calls: dict[str, list[Any]], owners: Numbers, created_at: Numbers) -> None:
        """Seq, agent, batch, direction and numbers."""
        count = len(owners)
        seqs, agents, batches = np.zeros(count, np.int64), np.full(count, "", object), np.full(count, None, object)
        directions = np.array(("outbound", "inbound", "webrtc"), object)[
            self._random.choice(3, count, p=(0.8, 0.17, 0.03))
        ]
        is_batch = (directions == "outbound") & (self._random.random(count) < 0.75)
        for owner, agent_ids in enumerate(self._agents):
            own = np.flatnonzero(owners == owner)
            seqs[own] = np.arange(self._seqs[owner] + 1, self._seqs[owner] + len(own) + 1)
            chosen = self._random.choice(len(agent_ids), len(own), p=self._weights[owner])
            ids, batch_agents = self._batches[owner]
            wave = seqs[own] // (self._batch_calls * _BATCHES_AT_ONCE) * _BATCHES_AT_ONCE
            batch = wave + self._random.integers(0, _BATCHES_AT_ONCE, len(own))
            chosen = np.where(is_batch[own], batch_agents[batch], chosen)
            agents[own] = np.array(agent_ids, object)[chosen]
            batches[own] = _only(is_batch[own], ids[batch])
            if len(own):
                self._seqs[owner], self._last_at[owner] = int(seqs[own[-1]]), int(created_at[own[-1]])
        far, ours = (
            self._make_numbers(2_000_000_000, 9_999_999_999, count),
            self._make_numbers(8_005_550_100, 20, count),
        )
        is_inbound = (directions == "inbound").tolist()
        contacts = self._make_ids("cnt", created_at)
        calls |= {
            "seq": seqs.tolist(), "agent_id": agents.tolist(), "direction": directions.tolist(),
            "batch_call_id": batches.tolist(), "created_at": created_at.tolist(),
            "contact_id": [own if marked else None for own, marked in zip(contacts, is_batch.tolist(), strict=True)],
            "to_number": [b if inbound else a for a, b, inbound in zip(far, ours, is_inbound, strict=True)],
            "from_number": [a if inbound else b for a, b, inbound in zip(far, ours, is_inbound, strict=True)],
            "trunk_id": [None if one == "webrtc" else _TRUNK for one in directions.tolist()],
        }  # fmt: skip

    def _add_endings(self, calls: dict[str, list[Any]], created_at: Numbers, live: npt.NDArray[np.bool_]) -> None:
        """Status, ending, times, money and figures."""
        count = len(created_at)
        is_outbound = np.array(calls["direction"], object) == "outbound"
        talked = (self._random.random(count) < np.where(is_outbound, 0.55, 0.92)) & ~live
        reasons = np.where(talked, self._choose(_ANSWERED, count), self._choose(_UNANSWERED, count))
        outcomes = np.where(talked, self._choose(_OUTCOMES, count), "failed")
        for reason, outcome in _OUTCOME_OF.items():
            outcomes[reasons == reason] = outcome
        waiting = np.array(_LIVE_STATUSES, object)[self._random.integers(0, 3, count)]
        durations = np.clip(self._random.lognormal(4.2, 0.9, count), 1, 3600).astype(np.int64) * talked
        rings_ms = self._random.integers(2_000, 30_000, count)
        ended_at = created_at + rings_ms + durations * 1000
        latency = self._random.integers(350, 900, count)
        marks = self._random.integers(0, len(self._qualities), count)
        analysed = self._texts.choose_analyses(self._random, count)
        columns = {
            "status": np.where(live, waiting, np.where(talked, "completed", "failed")),
            "ended_reason": _only(~live, reasons),
            "outcome": _only(~live, outcomes),
            "sentiment": _only(talked, self._choose(_SENTIMENTS, count)),
            "started_at": _only(talked, created_at + rings_ms),
            "ended_at": _only(~live, ended_at),
            "updated_at": np.where(live, created_at, ended_at),
            "duration_seconds": _only(~live, durations),
            "cost_credits": -(-durations // 6),
            "has_recording": talked,
            "latency_p50_ms": _only(talked, latency),
            "latency_p95_ms": _only(talked, latency * 2 - 150),
            "media_quality": _only(talked, np.array(self._qualities, object)[marks]),
            "analysis": _only(talked, analysed),
        }
        calls |= {name: column.tolist() for name, column in columns.items()}

    def _add_words(self, calls: dict[str, list[Any]], begin: int) -> None:
        summaries = self._texts.choose_summaries(self._random, len(calls["id"]), begin)
        talked = zip(summaries, calls["started_at"], calls["ended_reason"], strict=True)
        calls["summary"] = [text if at is not None and why != "voicemail" else None for text, at, why in talked]

    def _make_turns(self, chunk: Chunk) -> list[tuple[Any, ...]]:
        """Two turns of every other call that has a summary; the others are not to be transcribed."""
        chosen = [
            (owner, call_id)
            for number, (owner, call_id, summary) in enumerate(chunk.pick("organization_id", "id", "summary"))
            if summary is not None and number % 2 == 0
        ]
        spoken = self._texts.choose_sentences(self._random, 2 * len(chosen))
        rows: list[tuple[Any, ...]] = []
        for number, (owner, call_id) in enumerate(chosen):
            rows.append((owner, call_id, 0, "agent", spoken[2 * number], 400, 4_200, False, None))
            rows.append((owner, call_id, 1, "contact", spoken[2 * number + 1], 5_000, 8_100, False, None))
        return rows

    def _make_batches(self, owner: int) -> tuple[npt.NDArray[np.object_], Numbers]:
        """The ids of an organization's batches in order, and the number of the agent of each."""
        count = int(self._total * SHARES[owner] * 1.2 / self._batch_calls) + 10 * _BATCHES_AT_ONCE
        ids = np.array(self._make_ids("batch", FIRST_AT + np.arange(count)), object)
        return ids, self._random.choice(_AGENTS[owner], count, p=self._weights[owner])

    def _make_ids(self, prefix: str, instants: Numbers) -> list[str]:
        """Ids in the form of `values.new_id`: ten digits of time and sixteen of chance, five bits each."""
        shifts = np.arange(45, -1, -5)
        digits = np.empty((len(instants), 26), np.uint8)
        digits[:, :10] = (instants[:, None] >> shifts) & 31
        digits[:, 10:] = self._random.integers(0, 32, (len(instants), 16))
        text = _ALPHABET[digits].tobytes().decode()
        return [f"{prefix}_{text[place : place + 26]}" for place in range(0, len(text), 26)]

    def _make_numbers(self, first: int, count: int, wanted: int) -> list[str]:
        last = count if count > first else first + count
        return [f"+1{number}" for number in self._random.integers(first, last, wanted).tolist()]

    def _choose(self, shares: dict[str, float], count: int) -> npt.NDArray[np.object_]:
        chosen: npt.NDArray[np.object_] = np.array(list(shares), object)[
            self._random.choice(len(shares), count, p=list(shares.values()))
        ]
        return chosen

    def _make_quality(self, mark: int) -> str:
        packets, lost = int(self._random.integers(500, 90_000)), mark % 40
        quality = MediaQuality(
            codec="PCMU", is_encrypted=False, packets_received=packets, packets_lost=lost,
            loss_percent=round(lost * 100 / packets, 2), jitter_ms=round(mark / 60, 1), mos=4.3,
        )  # fmt: skip
        return json.dumps(asdict(quality))


def _normalize(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = weights / weights.sum()
    return shares


def _only(chosen: npt.NDArray[np.bool_], column: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    """The column with None where it is not chosen."""
    kept = np.full(len(column), None, object)
    kept[chosen] = column[chosen]
    return kept
