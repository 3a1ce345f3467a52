"""Which other settings a refused test call is tried with."""

from dataclasses import asdict, replace

import pytest

from ringdown.doctor.observation import Variation
from ringdown.doctor.variation import list_variations
from ringdown.telephony.models import Trunk
from tests.unit.doctor.seen import TRUNK

_NUMBER, _CALLER = "+12025550142", "+12025550100"


def _list(trunk: Trunk, status: int, caller: str | None = _CALLER, others: tuple[str, ...] = ()) -> list[Variation]:
    return list_variations(trunk, status=status, number=_NUMBER, caller=caller, other_callers=others)


def test_a_refused_call_is_tried_with_each_other_spelling_and_caller_id_form() -> None:
    settings = [(each.setting, each.value) for each in _list(TRUNK, 403)]
    assert settings == [
        ("number_format", "e164_without_plus"),
        ("number_format", "national"),
        ("caller_id_form", "p_asserted_identity"),
        ("caller_id_form", "remote_party_id"),
        ("caller", "alice"),
    ]


def test_each_variation_changes_one_setting_only() -> None:
    original = replace(TRUNK, srtp="optional")
    for status in (403, 488):
        for each in _list(original, status, others=("+12025550111",)):
            before, after = asdict(original), asdict(each.trunk)
            differing = [name for name in before if before[name] != after[name]]
            assert differing == ([] if each.setting == "caller" else [each.setting])


def test_spellings_that_come_out_alike_are_tried_once() -> None:
    spellings = [each.trunk.format_number(_NUMBER) for each in _list(TRUNK, 403) if each.aspect == "number"]
    assert len(set(spellings)) == len(spellings)
    assert TRUNK.format_number(_NUMBER) not in spellings


def test_at_most_two_other_numbers_are_shown() -> None:
    others = tuple(f"+1202555011{digit}" for digit in range(5))
    shown = [each.value for each in _list(TRUNK, 403, others=others) if each.setting == "caller"]
    assert shown == ["+12025550110", "+12025550111", "alice"]


def test_without_a_number_to_show_only_the_called_number_varies() -> None:
    assert {each.aspect for each in _list(TRUNK, 403, caller=None)} == {"number"}


@pytest.mark.parametrize(
    ("srtp", "tried"), [("off", ["required"]), ("optional", ["off", "required"]), ("required", ["off"])]
)
def test_a_refused_offer_is_tried_with_other_srtp_and_the_codecs_left_out(srtp: str, tried: list[str]) -> None:
    variations = _list(replace(TRUNK, srtp=srtp), 488)  # type: ignore[arg-type]
    assert [each.value for each in variations if each.aspect == "srtp"] == tried
    assert [each.value for each in variations if each.aspect == "codecs"] == ["G722, OPUS"]


def test_a_trunk_with_all_codecs_has_none_left_to_try() -> None:
    assert all(each.aspect == "srtp" for each in _list(replace(TRUNK, codecs=("PCMU", "PCMA", "G722", "OPUS")), 488))
