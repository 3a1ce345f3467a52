"""Texts are cut along headings, paragraphs and sentences, and nothing is lost."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringdown.knowledge.chunking import OVERLAP_LENGTH, TARGET_LENGTH, chunk_text

_WORDS = st.sampled_from(
    ["alpha", "beta.", "Gamma!", "δέλτα", "一二三。", "\n", "\n\n", "- item", "x" * 900, "a,b", "?"]
)


def cut(text: str, **fields: bool) -> list[tuple[str | None, str]]:
    chunks = chunk_text(text, is_markdown=fields.get("is_markdown", True))
    return [(chunk.title, chunk.text) for chunk in chunks]


def test_headings_become_titles_with_the_outer_ones_first() -> None:
    text = "Before.\n# A #\nOne.\n## B\nTwo.\n### C\nThree.\n## D\nFour.\nE\n===\nnot a heading\n\nF\n-\nFive."
    assert cut(text) == [
        (None, "Before."),
        ("A", "One."),
        ("A › B", "Two."),
        ("A › B › C", "Three."),
        ("A › D", "Four.\nE\n===\nnot a heading"),
        ("A › F", "Five."),
    ]


def test_a_heading_with_nothing_under_it_is_found_too() -> None:
    assert cut("# Questions\n## Do you deliver?\n## Do you repair?\nYes.") == [
        ("Questions › Do you deliver?", "Do you deliver?"),
        ("Questions › Do you repair?", "Yes."),
    ]


def test_code_and_plain_text_have_no_headings() -> None:
    assert cut("```\n# no heading\n```") == [(None, "```\n# no heading\n```")]
    assert cut("# no heading", is_markdown=False) == [(None, "# no heading")]


def test_paragraphs_are_gathered_and_the_end_of_a_chunk_is_repeated() -> None:
    paragraphs = [f"Paragraph number {number} is here. It has two sentences." for number in range(40)]
    chunks = [text for _, text in cut("\n\n".join(paragraphs))]
    assert len(chunks) > 2
    for before, after in itertools.pairwise(chunks):
        repeated = max(length for length in range(len(after)) if before.endswith(after[:length]))
        assert 20 < repeated <= OVERLAP_LENGTH
        assert after.startswith(("Paragraph", "It has"))


def test_a_sentence_longer_than_a_chunk_is_cut_at_a_space_or_anywhere() -> None:
    chunks = [text for _, text in cut("word " * 400 + "y" * 2000)]
    assert all(len(text) <= TARGET_LENGTH + OVERLAP_LENGTH + 2 for text in chunks)
    assert "".join(chunks).count("y") >= 2000


@pytest.mark.parametrize("text", ["", "\n \n", "# \n## \n"])
def test_nothing_makes_no_chunk(text: str) -> None:
    assert cut(text) == []


@given(st.lists(_WORDS, max_size=60).map(" ".join))
def test_every_word_is_in_a_chunk_in_order_and_chunks_are_short(text: str) -> None:
    chunks = [chunk for _, chunk in cut(text, is_markdown=False)]
    assert all(chunk.strip() and len(chunk) <= TARGET_LENGTH + OVERLAP_LENGTH + 2 for chunk in chunks)
    joined = iter(re.sub(r"\s", "", "".join(chunks)))
    assert all(character in joined for character in re.sub(r"\s", "", text))


def test_a_hostile_line_takes_no_longer_than_another() -> None:
    chunks = cut("# " + " #" * 100_000 + "x\n\n" + "." + ")" * 200_000 + "\n" + " " * 200_000 + "\n" + "=" * 100_000)
    assert chunks
