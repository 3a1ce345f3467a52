"""The recognizer's child: decodes whole utterances with the grammar they come with; knows no call, logs nothing."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy
import pocketsphinx
from numpy.typing import NDArray

from ringdown.providers import child_pipes, frames, grammars, pronunciation, resample

_MODEL_RATE_HZ = 16_000
_FRAMES_PER_SECOND = 100
# A decoder wants a dictionary with a word in it; the whole one would cost 27 MB and 0.15 s a decoder.
_ONE_WORD = Path(__file__).with_name("one_word.dict")
_KEPT_DECODERS = 16  # 5 MB each: a decoder keeps its grammar and words, so that the next utterance starts at once
_LEVEL = 3500.0  # root mean square to which the loudest part of speech is brought
_LOUD_FROM = 0.85  # the loudest share of an utterance that counts for that
_QUIET = 1e-3  # power, as a share of the loudest part's, below which speech has not begun
_MARGIN_BLOCKS = 12  # 240 ms are left around speech
# The model has never heard the silence that upsampling leaves above 4 kHz; a little noise in all bands more than halves
# the word errors of phone audio.
_NOISE = 125.0
_SEED = 1


class RecognizerProgram:
    """Answers `decode`; utterances take turns in the order they came."""

    def __init__(self) -> None:
        self._pipes = child_pipes.Pipes(on_receive=self._note_cancel)
        self._cancelled: set[int] = set()
        self._decoders: OrderedDict[str, Any] = OrderedDict()
        self._model = pronunciation.model_path() / "en-us"

    def run(self) -> None:
        """Work until the parent goes away."""
        self._make_decoder()
        self._pipes.start()
        self._pipes.send({"ready": True})
        while True:
            received = self._pipes.receive()
            if received is None:
                continue
            header, pcm = received
            if header["do"] == "decode" and header["id"] not in self._cancelled:
                self._pipes.send({"id": header["id"], "words": self._decode(header, pcm)})
            elif header["do"] == "cancel":
                self._cancelled.discard(header["id"])

    def _note_cancel(self, header: frames.Header) -> None:
        if header["do"] == "cancel":
            self._cancelled.add(header["id"])

    def _decode(self, header: frames.Header, pcm: bytes) -> list[tuple[str, int, int]]:
        decoder = self._find_decoder(header["jsgf"], header["pronunciations"])
        decoder.start_utt()
        prepared, cut_ms = _prepare(pcm, header["sample_rate_hz"])
        decoder.process_raw(prepared, False, True)
        decoder.end_utt()
        if decoder.hyp() is None:
            return []
        return _list_words(decoder, cut_ms)

    def _find_decoder(self, jsgf: str, pronunciations: dict[str, list[str]]) -> Any:
        decoder = self._decoders.pop(jsgf, None)
        if decoder is None:
            decoder = self._make_decoder()
            for word, spoken in pronunciations.items():
                for number, phonemes in enumerate(spoken, start=1):
                    key = word if number == 1 else f"{word}({number})"
                    if decoder.lookup_word(key) is None:
                        decoder.add_word(key, phonemes, False)
            decoder.add_jsgf_string("answer", jsgf)
            decoder.activate_search("answer")
        self._decoders[jsgf] = decoder
        if len(self._decoders) > _KEPT_DECODERS:
            self._decoders.popitem(last=False)
        return decoder

    def _make_decoder(self) -> Any:
        return pocketsphinx.Decoder(
            hmm=str(self._model),
            dict=str(_ONE_WORD),
            lm=None,
            samprate=float(_MODEL_RATE_HZ),
            wip=1e-3,
            loglevel="FATAL",
        )


def _prepare(pcm: bytes, sample_rate_hz: int) -> tuple[bytes, int]:
    """The utterance as the model likes it, and the milliseconds of silence cut off in front.

    At the model's rate and a usual level, without the long silence around it (which would spoil the channel's mean),
    and with the noise that its upper band lacks.
    """
    wide_pcm = resample.resample(pcm, from_hz=sample_rate_hz, to_hz=_MODEL_RATE_HZ)
    wide = numpy.frombuffer(wide_pcm, "<i2").astype(numpy.float32)
    level, first, last = _find_speech(wide)
    wide = wide[first:last] * (_LEVEL / max(level, 1.0))
    wide = wide + numpy.random.default_rng(_SEED).normal(0, _NOISE, len(wide)).astype(numpy.float32)
    prepared: bytes = numpy.clip(numpy.rint(wide), -32768, 32767).astype("<i2").tobytes()
    return prepared, first * 1000 // _MODEL_RATE_HZ


def _find_speech(samples: NDArray[numpy.float32]) -> tuple[float, int, int]:
    """The root mean square of the loud blocks of 20 ms, and the samples where speech begins and ends, with a margin."""
    block = _MODEL_RATE_HZ // 50
    powers = (samples[: len(samples) // block * block].reshape(-1, block) ** 2).mean(axis=1)
    if not len(powers):
        return 0.0, 0, len(samples)
    loud = float(numpy.sort(powers)[int(len(powers) * _LOUD_FROM) :].mean())
    heard = numpy.flatnonzero(powers >= loud * _QUIET)
    first = max(0, int(heard[0]) - _MARGIN_BLOCKS) * block
    last = min(len(samples), (int(heard[-1]) + 1 + _MARGIN_BLOCKS) * block)
    return loud**0.5, first, last


def _list_words(decoder: Any, cut_ms: int) -> list[tuple[str, int, int]]:
    words = []
    for segment in decoder.seg():
        if segment.word.startswith(("<", "[", "+", "(", grammars.OTHER_PREFIX)):  # silence, noise, other sounds
            continue
        text = segment.word.split("(", 1)[0]
        begin = cut_ms + segment.start_frame * 1000 // _FRAMES_PER_SECOND
        words.append((text, begin, cut_ms + (segment.end_frame + 1) * 1000 // _FRAMES_PER_SECOND))
    return words


if __name__ == "__main__":
    RecognizerProgram().run()
