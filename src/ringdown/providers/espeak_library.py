"""The espeak-ng library through ctypes; loaded in the espeak child only, because the library is GPL."""

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import espeakng_loader

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when all audio was handed to the callback
_BUFFER_MS = 60
_DO_NOT_EXIT = 0x8000  # otherwise the library ends the process when its data is missing
_POSITION_CHARACTER = 1
_UTF8 = 1
_END_PAUSE = 0x1000
_IPA = 0x02
_EVENT_END_OF_LIST, _EVENT_WORD, _EVENT_CLAUSE_END = 0, 1, 5
_RATE, _PITCH = 1, 3
PHONEME_SEPARATOR = "_"


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class WordEvent:
    """A word begins: its first character in the text (from 0) and its first sample."""

    character: int
    sample: int


Heard = Callable[[bytes, list[WordEvent]], bool]
"""Takes PCM (16-bit mono at the library's rate) and the events found so far; False stops the synthesis."""


class EspeakLibrary:
    """One loaded library; its state is global, so use it from one thread."""

    def __init__(self) -> None:
        """Load library and data. Raises `OSError` or `RuntimeError` when either is missing."""
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data_path = espeakng_loader.get_data_path().encode()
        self.sample_rate_hz: int = self._library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, data_path, _DO_NOT_EXIT)
        if self.sample_rate_hz <= 0:
            raise RuntimeError("espeak-ng found no data")
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._heard: Heard | None = None
        self._callback = _CALLBACK(self._receive)  # kept: the library holds only a pointer
        self._library.espeak_SetSynthCallback(self._callback)
        self._settings: tuple[str, int, int] | None = None
        self._identifiers = self._map_languages()

    def choose(self, *, voice: str, words_per_minute: int, pitch: int) -> bool:
        """Speak with this voice from now on; False when there is none of that name."""
        if self._settings == (voice, words_per_minute, pitch):
            return True
        self._settings = None
        language, plus, variant = voice.partition("+")
        identifier = self._identifiers.get(language.lower(), language)
        if self._library.espeak_SetVoiceByName(f"{identifier}{plus}{variant}".encode()) != 0:
            return False
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._settings = (voice, words_per_minute, pitch)
        return True

    def synthesize(self, text: str, heard: Heard, *, end_pause: bool) -> None:
        """Speak `text` into `heard`, in pieces of about 60 ms."""
        encoded = text.replace("\0", " ").encode("utf-8", "replace")
        self._heard = heard
        try:
            flags = _UTF8 | (_END_PAUSE if end_pause else 0)
            self._library.espeak_Synth(encoded, len(encoded) + 1, 0, _POSITION_CHARACTER, 0, flags, None, None)
        finally:
            self._heard = None

    def phonemes(self, text: str) -> str:
        """The IPA phonemes of `text` in the chosen voice, separated by `_`; words by spaces."""
        rest = ctypes.c_char_p(text.replace("\0", " ").encode("utf-8", "replace"))
        clauses = []
        while rest.value is not None:
            mode = (ord(PHONEME_SEPARATOR) << 8) | _IPA
            clauses.append(self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, mode).decode())
        return " ".join(clauses).strip()

    def voices(self) -> list[tuple[str, str]]:
        """Language code and display name of each voice; a variant is chosen with `+` and its name (`en-us+f2`)."""
        return [(languages[0][1], name) for _, name, languages in self._list_voices()]

    def _map_languages(self) -> dict[str, str]:
        """The voice to use for each language code: "en-gb" is in no voice's own name."""
        best: dict[str, tuple[int, str]] = {}
        for identifier, _, languages in self._list_voices():
            for priority, code in languages:
                best[code.lower()] = min(best.get(code.lower(), (256, "")), (priority, identifier))
        return {code: identifier for code, (_, identifier) in best.items()}

    def _list_voices(self) -> Iterator[tuple[str, str, list[tuple[int, str]]]]:
        """Identifier, display name, and languages by priority (lower is better) of each voice."""
        found = self._library.espeak_ListVoices(None)
        index = 0
        while found[index]:
            voice = found[index].contents
            if not voice.identifier.startswith(b"mb/"):  # mbrola voices need files that are not here
                yield voice.identifier.decode(), voice.name.decode(), _read_languages(voice.languages)
            index += 1

    def _receive(self, wave: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_Event]") -> int:
        words = []
        index = 0
        while (event := events[index]).type != _EVENT_END_OF_LIST:
            if event.type == _EVENT_WORD:
                words.append(WordEvent(character=event.text_position - 1, sample=event.sample))
            index += 1
        pcm = ctypes.string_at(wave, count * 2) if wave and count > 0 else b""
        return 0 if self._heard is not None and self._heard(pcm, words) else 1


def _read_languages(address: int) -> list[tuple[int, str]]:
    """The C list of a voice: a priority byte and a zero-terminated code each, ended by a zero byte."""
    languages = []
    while priority := ctypes.string_at(address, 1)[0]:
        code = ctypes.string_at(address + 1)
        languages.append((priority, code.decode()))
        address += len(code) + 2
    return languages
