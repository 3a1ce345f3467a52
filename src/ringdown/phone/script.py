"""What a test phone does on a call: steps, and how it reacts to ringing. No I/O."""

from dataclasses import dataclass
from typing import Literal, get_args

StepKind = Literal["say", "digits", "tone", "wait", "hold", "resume", "transfer", "hang_up"]
Reaction = Literal["answer", "busy", "decline", "ring"]

_BARE: dict[str, StepKind] = {"hold": "hold", "resume": "resume", "hang_up": "hang_up"}
_DIGITS = frozenset("0123456789*#ABCD")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. All but `wait` first let the far party finish speaking.

    `text` is what to say, the digits to send, or the SIP URI to transfer the far party to; `frequency_hz` belongs to
    a tone; `duration_ms` to a tone or a wait.
    """

    kind: StepKind
    text: str = ""
    frequency_hz: int = 0
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """How the phone treats a call.

    `reaction`: answer after `answer_after_ms`, be busy, decline, or ring and never answer. When the `steps` are done
    the phone stays silent, or begins again if `repeats` is set; it never talks longer than `max_duration_ms`.
    `accepts_transfer`: when the far party asks it to call somebody else (REFER), it does, and plays the script there.
    `acknowledges_digits`: each key pressed by the far party is answered with a short tone.
    """

    steps: tuple[Step, ...] = ()
    reaction: Reaction = "answer"
    answer_after_ms: int = 500
    repeats: bool = False
    max_duration_ms: int = 600_000
    accepts_transfer: bool = True
    acknowledges_digits: bool = False


def parse_step(text: str) -> Step:
    """A step as a person writes it: `say Yes please`, `digits 12#`, `tone 440 500`, `wait 2.5`, `hold`, `resume`,
    `transfer sip:bob@example.net`, `hang_up`.

    A tone has a frequency in Hz and a length in ms; a wait is in seconds. Raises `ValueError` that says what is
    allowed.
    """
    kind, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if kind == "say" and rest:
        return Step("say", text=rest)
    if kind == "digits" and rest and set(rest.upper()) <= _DIGITS:
        return Step("digits", text=rest.upper())
    if kind == "transfer" and rest.startswith("sip:"):
        return Step("transfer", text=rest)
    if not rest and kind in _BARE:
        return Step(_BARE[kind])
    numbers = _numbers(rest)
    if kind == "tone" and len(numbers) == 2 and 50 <= numbers[0] <= 3500 and 0 < numbers[1] <= 60_000:
        return Step("tone", frequency_hz=round(numbers[0]), duration_ms=round(numbers[1]))
    if kind == "wait" and len(numbers) == 1 and 0 <= numbers[0] <= 3600:
        return Step("wait", duration_ms=round(numbers[0] * 1000))
    raise ValueError(
        f'not a step: "{text}". Allowed: say TEXT, digits 0-9*#A-D, tone HZ MILLISECONDS (50-3500 Hz), '
        f"wait SECONDS, hold, resume, transfer sip:URI, hang_up ({', '.join(get_args(StepKind))})"
    )


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split()]
    except ValueError:
        return []


#: What the built-in phone answers: agreeable to a question and its confirmation, then a number on the keypad; and
#: again.
PLEASANT = Script(
    steps=(Step("say", text="yes"), Step("say", text="yes"), Step("digits", text="2#")),
    repeats=True,
    answer_after_ms=1000,
    max_duration_ms=180_000,
)
