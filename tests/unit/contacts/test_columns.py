"""Headers, cells and formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.contacts import columns
from ringdown.contacts.columns import Column


@pytest.mark.parametrize(
    ("title", "field"),
    [
        ("phone", "phone_number"),
        ("Phone Number", "phone_number"),
        ("MOBILE", "phone_number"),
        ("mobile_number", "phone_number"),
        ("fname", "first_name"),
        ("First-Name", "first_name"),
        ("lname", "last_name"),
        ("company", "company_name"),
        ("city", "location"),
        ("pincode", "pin_code"),
        ("Postal Code", "pin_code"),
        ("tags", "keywords"),
        ("E-Mail", "email"),
        ("plan", None),
        ("", None),
    ],
)
def test_a_header_has_synonyms(title: str, field: str | None) -> None:
    assert columns.find_field(title) == field


def test_the_first_column_of_a_field_is_it_and_the_others_are_kept() -> None:
    assert columns.read_header(["mobile", "phone", "plan", "call_count"], {}) == [
        Column(field="phone_number"),
        Column(custom="phone"),
        Column(custom="plan"),
        Column(is_passed_over=True),
    ]
    with_names = columns.read_header(["name", "first_name", "phone"], {})
    assert with_names[:2] == [Column(custom="name"), Column(field="first_name")]


def test_a_mapping_wins_over_our_reading() -> None:
    mapping = {"Nummer": "phone_number", "phone": "desk"}
    assert columns.read_header(["Nummer", "phone"], mapping) == [Column(field="phone_number"), Column(custom="desk")]


@pytest.mark.parametrize(
    ("header", "mapping", "reason"),
    [
        (["name", "plan"], {}, "must have a column phone; it has name, plan"),
        (["phone", "plan", "plan"], {}, "plan twice"),
        (["phone", "x" * 101], {}, "more than 100 characters"),
        (["phone", *(f"c{number}" for number in range(101))], {}, "at most 100"),
        (["phone"], {"tel": "phone_number"}, "no column tel"),
    ],
)
def test_a_header_that_cannot_be_imported_is_refused(header: list[str], mapping: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        columns.read_header(header, mapping)


def test_blank_cells_say_nothing_and_cells_without_a_header_are_refused() -> None:
    header = columns.read_header(["phone", "plan", ""], {})
    assert columns.read_cells(header, [" 1 ", " ", "", ""]) == ({"phone_number": "1"}, {})
    for cells in (["1", "gold", "x"], ["1", "gold", "", "x"]):
        with pytest.raises(ValueError, match="without a header: x"):
            columns.read_cells(header, cells)


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\tx", "\rx", "'=x", "''@", "＝1+1", "\n=1"]
)
def test_what_a_spreadsheet_takes_for_a_formula_is_guarded(text: str) -> None:
    assert columns.guard(text) == f"'{text}"


def test_a_number_stays_a_number_and_an_apostrophe_alone_stays_as_it_is() -> None:
    for text in ("+12025550142", "'tis", "O'Hara", ""):
        assert columns.guard(text) == text
        assert columns.unguard(text) == text


@given(st.text(alphabet="'=+-@\t\r＝ab1", max_size=8) | st.text(max_size=20))
def test_a_guarded_text_is_read_back(text: str) -> None:
    assert columns.unguard(columns.guard(text)) == text


def test_a_header_of_very_many_columns_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="at most 1000 columns"):
        columns.read_header(["phone", *(f"c{number}" for number in range(200_000))], {})
