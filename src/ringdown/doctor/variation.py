"""Which other settings a refused test call is tried with; pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from ringdown.doctor.observation import Aspect, Variation
from ringdown.telephony.models import DEFAULT_CODECS, CallerIdForm, SrtpPolicy, Trunk
from ringdown.telephony.numbering import NumberFormat

#: Refusals of what was offered, not of who calls whom (RFC 3261 §21.4.13, §21.4.26, §21.6.4).
SDP_REFUSALS = frozenset({415, 488, 606})
_MAX_OTHER_CALLERS = 2


def list_variations(
    trunk: Trunk, *, status: int, number: str, caller: str | None, other_callers: Sequence[str]
) -> list[Variation]:
    """What to try after a refusal with `status`, the likeliest first; at most one setting differs in each."""
    if status in SDP_REFUSALS:
        return _vary_offer(trunk, number, caller)
    return _vary_number(trunk, number, caller) + _vary_caller(trunk, number, caller, other_callers)


def _vary_offer(trunk: Trunk, number: str, caller: str | None) -> list[Variation]:
    tried: dict[SrtpPolicy, tuple[SrtpPolicy, ...]] = {
        "off": ("required",),
        "optional": ("off", "required"),
        "required": ("off",),
    }
    variations = [
        _change("srtp", "srtp", srtp, trunk=replace(trunk, srtp=srtp), number=number, caller=caller)
        for srtp in tried[trunk.srtp]
    ]
    missing = tuple(codec for codec in DEFAULT_CODECS if codec not in trunk.codecs)
    if missing:
        changed = replace(trunk, codecs=missing)
        variations.append(_change("codecs", "codecs", ", ".join(missing), trunk=changed, number=number, caller=caller))
    return variations


def _vary_number(trunk: Trunk, number: str, caller: str | None) -> list[Variation]:
    """Each other spelling of the number; the caller's is spelled alike, as the setting has it."""
    variations, spellings = [], {trunk.format_number(number)}
    formats: tuple[NumberFormat, ...] = get_args(NumberFormat)
    for number_format in formats:
        changed = replace(trunk, number_format=number_format)
        spelling = changed.format_number(number)
        if spelling not in spellings:
            spellings.add(spelling)
            variations.append(
                _change("number", "number_format", number_format, trunk=changed, number=number, caller=caller)
            )
    return variations


def _vary_caller(trunk: Trunk, number: str, caller: str | None, other_callers: Sequence[str]) -> list[Variation]:
    variations = []
    forms: tuple[CallerIdForm, ...] = get_args(CallerIdForm)
    if caller is not None:
        for form in forms:
            if form != trunk.caller_id_form:
                changed = replace(trunk, caller_id_form=form)
                variations.append(
                    _change("caller", "caller_id_form", form, trunk=changed, number=number, caller=caller)
                )
    others: list[str | None] = []
    others += [other for other in other_callers if other != caller][:_MAX_OTHER_CALLERS]
    if caller is not None and trunk.username:
        others.append(None)
    for other in others:
        shown = other or trunk.username or ""
        variations.append(_change("caller", "caller", shown, trunk=trunk, number=number, caller=other))
    return variations


def _change(aspect: Aspect, setting: str, value: str, *, trunk: Trunk, number: str, caller: str | None) -> Variation:
    return Variation(aspect=aspect, setting=setting, value=value, trunk=trunk, number=number, caller=caller)
