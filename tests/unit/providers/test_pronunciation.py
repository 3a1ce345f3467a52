"""Pronunciations from the dictionary and from espeak."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringdown.providers import pronunciation
from ringdown.providers.espeak import EspeakServer

ARPABET = set(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()  # noqa: SIM905
)


@pytest.fixture
async def server() -> AsyncIterator[EspeakServer]:
    running = EspeakServer()
    await running.start()
    yield running
    await running.close()


def edit_distance(first: list[str], second: list[str]) -> int:
    row = list(range(len(second) + 1))
    for number, one in enumerate(first, 1):
        before, row[0] = row[0], number
        for place, other in enumerate(second, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (one != other))
    return row[-1]


async def test_espeak_says_words_nearly_as_the_dictionary_does(server: EspeakServer) -> None:
    lines = (pronunciation.model_path() / "cmudict-en-us.dict").read_text().splitlines()
    words = [word for word in (line.split(" ", 1)[0] for line in lines) if word.isalpha() and len(word) > 3]
    sample = random.Random(1).sample(words, 200)
    differences = length = 0
    for word, ipa in zip(sample, await server.phonemes(sample), strict=True):
        mapped = (pronunciation.from_ipa(ipa) or "").split()
        assert mapped and set(mapped) <= ARPABET, (word, ipa)
        known = [entry.split() for entry in pronunciation.dictionary().find(word)]
        differences += min(edit_distance(mapped, entry) for entry in known)
        length += len(known[0])
    assert differences / length < 0.15


def test_the_dictionary_finds_whole_words_with_all_their_pronunciations(tmp_path: Path) -> None:
    path = tmp_path / "words.dict"
    path.write_text("a AH\na(2) EY\nab  AE B\nyes Y EH S")
    found = pronunciation.PronouncingDictionary(path)
    assert [found.find(word) for word in ("a", "ab", "yes", "b", "es", "")] == [
        ("AH", "EY"), ("AE B",), ("Y EH S",), (), (), (),
    ]  # fmt: skip


async def test_words_nobody_can_say_are_reported_in_order(server: EspeakServer) -> None:
    words = ["yes", "北京", "12", "ringdown", "$", "O'Neil", "привет", "zürich", "x-ray", "", "12"]
    assert await pronunciation.check_words(words, server=server) == ["北京", "12", "$", "привет", ""]


async def test_a_voice_process_is_started_when_none_is_lent() -> None:
    found = await pronunciation.find_pronunciations(["ringdown", "yes", "7"])
    assert {word: spoken[0] for word, spoken in found.items()} == {"ringdown": "R IH NG D AW N", "yes": "Y EH S"}
