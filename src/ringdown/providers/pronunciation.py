"""How English words are spoken, in the phonemes of the recognizer's model: from its dictionary, else from espeak.

Knows nothing of flows; it is asked for single lower-case words.
"""

import asyncio
import functools
import importlib.util
import mmap
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from ringdown.providers import espeak

# What espeak-ng says for en-us, as IPA without stress marks, and the nearest phonemes of the model (ARPAbet). Found by
# comparing the two for words of the dictionary.
_FROM_IPA = {
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "tʃ": "CH", "dʒ": "JH", "f": "F", "v": "V",
    "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH", "m": "M", "n": "N", "ŋ": "NG", "l": "L",
    "ɹ": "R", "r": "R", "j": "Y", "w": "W", "ʍ": "W", "ɾ": "T", "ʔ": "T", "x": "K", "ç": "HH", "ɬ": "L", "n̩": "AH N",
    "m̩": "AH M", "l̩": "AH L", "əl": "AH L", "ɲ": "N Y",
    "i": "IY", "iː": "IY", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "e": "EH", "eː": "EY", "ɛ": "EH", "ɛː": "EH", "æ": "AE",
    "a": "AA", "aː": "AA", "ɑ": "AA", "ɑː": "AA", "ɑ̃": "AA N", "ɒ": "AA", "ɔ": "AO", "ɔː": "AO", "ɔ̃": "AO N",
    "o": "OW", "oː": "AO", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɜː": "ER", "ɜ": "ER", "ɚ": "ER", "ʊ": "UH", "u": "UW",
    "uː": "UW", "y": "UW", "yː": "UW", "ø": "ER", "øː": "ER", "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW",
    "ɔɪ": "OY", "əʊ": "OW", "iə": "IY AH", "aɪə": "AY AH", "aɪɚ": "AY ER", "ɔːɹ": "AO R", "oːɹ": "AO R", "ɑːɹ": "AA R",
    "ɛɹ": "EH R", "ɪɹ": "IH R", "ʊɹ": "UH R", "ææ": "AE",
}  # fmt: skip
_STRESS = re.compile("[ˈˌ]")
_WORD = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*['’.]?")
_OTHERS_TO_TRY = 8  # word(2) … word(8): the dictionary never has more


def model_path() -> Path:
    """The folder of the English model in the pocketsphinx package, found without loading the package."""
    spec = importlib.util.find_spec("pocketsphinx")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the pocketsphinx package is not installed")
    return Path(spec.origin).parent / "model" / "en-us"


class PronouncingDictionary:
    """The dictionary file, mapped into memory and searched per word, so that it costs no memory of ours."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def find(self, word: str) -> tuple[str, ...]:
        """All pronunciations of a lower-case word, the usual one first; empty when it has none."""
        found = []
        for number in range(1, _OTHERS_TO_TRY + 1):
            key = word if number == 1 else f"{word}({number})"
            pronunciation = self._find_line(key)
            if pronunciation is None:
                break
            found.append(pronunciation)
        return tuple(found)

    def _find_line(self, key: str) -> str | None:
        entry = f"{key} ".encode()
        begin = 0 if self._text[: len(entry)] == entry else self._text.find(b"\n" + entry) + 1
        if begin == 0 and self._text[: len(entry)] != entry:
            return None
        end = self._text.find(b"\n", begin)
        line = self._text[begin + len(entry) : end if end >= 0 else len(self._text)]
        return " ".join(line.decode().split())


@functools.cache
def dictionary() -> PronouncingDictionary:
    """The dictionary of the installed model."""
    return PronouncingDictionary(model_path() / "cmudict-en-us.dict")


def from_ipa(phonemes: str) -> str | None:
    """The model's phonemes for espeak's, which are separated by `_`; None when one has no counterpart."""
    mapped = []
    for symbol in _STRESS.sub("", phonemes).replace(" ", "_").split("_"):
        if not symbol:
            continue
        known = _FROM_IPA.get(symbol) or _FROM_IPA.get(symbol.rstrip("ːʲ"))
        if known is None:
            return None
        mapped.append(known)
    return " ".join(mapped) or None


async def find_pronunciations(
    words: Iterable[str], *, server: espeak.EspeakServer | None = None
) -> Mapping[str, tuple[str, ...]]:
    """The pronunciations of each word that has any, each as phonemes separated by spaces.

    Words that the dictionary lacks are asked of espeak: of `server`, or of one started for the purpose. Digits, symbols
    and words of other scripts have none. Raises `ProviderError` when espeak fails.
    """
    asked = list(dict.fromkeys(words))
    known = await asyncio.to_thread(lambda: {word: dictionary().find(word.lower()) for word in asked})
    missing = [word for word in asked if not known[word] and _is_latin_word(word)]
    if missing:
        spoken = await _ask_espeak(missing, server)
        known.update({word: (phonemes,) for word, phonemes in spoken.items()})
    return {word: found for word, found in known.items() if found}


async def check_words(words: Iterable[str], *, server: espeak.EspeakServer | None = None) -> list[str]:
    """Those of `words` that cannot be recognized because they have no pronunciation. Raises `ProviderError`."""
    asked = list(dict.fromkeys(words))
    found = await find_pronunciations(asked, server=server)
    return [word for word in asked if word not in found]


async def _ask_espeak(words: list[str], server: espeak.EspeakServer | None) -> dict[str, str]:
    if server is not None:
        spoken = await server.phonemes(words)
    else:
        own = espeak.EspeakServer()
        await own.start()
        try:
            spoken = await own.phonemes(words)
        finally:
            await own.close()
    mapped = {word: from_ipa(phonemes) for word, phonemes in zip(words, spoken, strict=True)}
    return {word: phonemes for word, phonemes in mapped.items() if phonemes is not None}


def _is_latin_word(word: str) -> bool:
    """Letters with at most inner apostrophes, hyphens and dots, all of the Latin blocks of Unicode."""
    return _WORD.fullmatch(word) is not None and all(ord(character) < 0x250 or character == "’" for character in word)
