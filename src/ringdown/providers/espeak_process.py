"""The espeak child: speaks texts that come as frames into audio with word times; knows no call and logs nothing."""

import re
from collections import deque
from dataclasses import dataclass, field

import numpy

from ringdown.providers import child_pipes, espeak_library, frames, resample, spoken_words

# A long text is spoken sentence by sentence, so that texts of other calls get in between. Short ones stay whole: the
# library knows better where a sentence ends ("Dr. Smith").
_WHOLE_CHARACTERS = 400
_SENTENCE_END = re.compile(r"(?<=[a-z]{3}[.!?])\s+(?=[A-Z])")
_QUIET = 100  # amplitude (of 32767) below which the end of a word is its pause


@dataclass(slots=True)
class _Request:
    """A text on its way."""

    request_id: int
    text: str
    voice: str
    words_per_minute: int
    pitch: int
    resampler: resample.Resampler
    sentences: deque[str]
    spoken_samples: int = 0


@dataclass(slots=True)
class _Piece:
    """The audio of the words that are complete, of one sentence."""

    clock: spoken_words.WordClock
    audio: bytearray = field(default_factory=bytearray)
    begin: int = 0  # sample at which `audio` begins


class EspeakProgram:
    """Answers `speak`, `cancel`, `phonemes` and `voices`; texts take turns sentence by sentence."""

    def __init__(self) -> None:
        self._cancelled: set[int] = set()
        self._pipes = child_pipes.Pipes(on_receive=self._note_cancel)
        self._waiting: deque[_Request] = deque()

    def run(self) -> None:
        """Work until the parent goes away."""
        try:
            self._library = espeak_library.EspeakLibrary()
        except (OSError, RuntimeError) as error:
            self._pipes.fail(f"espeak-ng cannot be loaded: {error}")
        self._warm_up()
        self._pipes.start()
        self._pipes.send({"ready": True})
        while True:
            received = self._pipes.receive(wait=not self._waiting)
            if received is not None:
                self._answer(received[0])
            elif self._waiting:
                self._speak_next()

    def _warm_up(self) -> None:
        """Load the usual voice and numpy's code now: the first text of a call then starts ten times sooner."""
        self._library.choose(voice="en-us", words_per_minute=175, pitch=50)
        warm = resample.Resampler(from_hz=self._library.sample_rate_hz, to_hz=8000)

        def heard(pcm: bytes, _: list[espeak_library.WordEvent]) -> bool:
            warm.push(pcm[: 2 * _count_until_quiet(pcm)])
            return True

        self._library.synthesize("one two", heard, end_pause=False)

    def _note_cancel(self, header: frames.Header) -> None:
        if header["do"] == "cancel":
            self._cancelled.add(header["id"])

    def _answer(self, header: frames.Header) -> None:
        match header["do"]:
            case "speak":
                self._waiting.append(self._accept(header))
            case "cancel":
                self._waiting = deque(request for request in self._waiting if request.request_id != header["id"])
                self._cancelled.discard(header["id"])
            case "phonemes":
                self._library.choose(voice=header["voice"], words_per_minute=175, pitch=50)
                spoken = [self._library.phonemes(word) for word in header["words"]]
                self._pipes.send({"id": header["id"], "phonemes": spoken})
            case "voices":
                self._pipes.send({"id": header["id"], "voices": self._library.voices()})

    def _accept(self, header: frames.Header) -> _Request:
        text = header["text"]
        sentences = _SENTENCE_END.split(text) if len(text) > _WHOLE_CHARACTERS else [text]
        return _Request(
            request_id=header["id"],
            text=text,
            voice=header["voice"],
            words_per_minute=header["words_per_minute"],
            pitch=header["pitch"],
            resampler=resample.Resampler(from_hz=self._library.sample_rate_hz, to_hz=header["sample_rate_hz"]),
            sentences=deque(sentences),
        )

    def _speak_next(self) -> None:
        request = self._waiting.popleft()
        known = self._library.choose(
            voice=request.voice, words_per_minute=request.words_per_minute, pitch=request.pitch
        )
        if not known:
            self._pipes.send({"id": request.request_id, "error": f"no voice named {request.voice}"})
            return
        self._speak_sentence(request, request.sentences.popleft())
        if request.request_id in self._cancelled:
            return
        if request.sentences:
            self._waiting.append(request)
            return
        self._pipes.send({"id": request.request_id, "words": [], "end": True}, request.resampler.flush())

    def _speak_sentence(self, request: _Request, sentence: str) -> None:
        piece = _Piece(clock=spoken_words.WordClock(spoken_words.list_tokens(sentence)))

        def heard(pcm: bytes, words: list[espeak_library.WordEvent]) -> bool:
            if request.request_id in self._cancelled:
                return False
            piece.audio += pcm
            for word in words:
                # The library announces a word before it has made the samples up to it only at the very start.
                self._send_span(request, piece, piece.clock.advance(character=word.character, sample=word.sample))
            return True

        self._library.synthesize(sentence, heard, end_pause=bool(request.sentences))
        end = piece.begin + len(piece.audio) // 2
        self._send_span(request, piece, piece.clock.finish(end))
        request.spoken_samples += end

    def _send_span(self, request: _Request, piece: _Piece, span: spoken_words.Span | None) -> None:
        if span is None or request.request_id in self._cancelled:
            return
        length = 2 * (span.end - piece.begin)
        pcm = bytes(piece.audio[:length])
        del piece.audio[:length]
        words = spoken_words.share(span, quiet_from=piece.begin + _count_until_quiet(pcm))
        piece.begin += len(pcm) // 2
        rate = self._library.sample_rate_hz
        times = [
            (text, (request.spoken_samples + begin) * 1000 // rate, (request.spoken_samples + end) * 1000 // rate)
            for text, begin, end in words
        ]
        self._pipes.send({"id": request.request_id, "words": times}, request.resampler.push(pcm))


def _count_until_quiet(pcm: bytes) -> int:
    """How many samples there are up to the last one that can be heard."""
    loud = numpy.flatnonzero(numpy.abs(numpy.frombuffer(pcm, "<i2").astype(numpy.int32)) > _QUIET)
    return int(loud[-1]) + 1 if len(loud) else 0


if __name__ == "__main__":
    EspeakProgram().run()
