"""Tones in noisy audio, phrases in seven languages, and the cadence of answers."""

import array
import math
import random

import pytest

from ringdown.voice import beep, machine
from ringdown.voice.cadence import Cadence, Line, judge_cadence
from ringdown.voice.settings import MachineSettings

LIMITS = MachineSettings("hang_up")


def find(
    *tones: tuple[int, int, tuple[float, ...]],
    rate_hz: int = 8000,
    noise: float = 100,
    ms: int = 3000,
    is_thrifty: bool = False,
) -> list[tuple[beep.Tone, ...]]:
    """The signals found in a line with these tones (from, until, frequencies) and noise."""
    chance = random.Random(1)
    finder, found = beep.ToneFinder(sample_rate_hz=rate_hz), []
    finder.is_thrifty = is_thrifty
    for at_ms in range(0, ms, 20):
        samples = array.array("h")
        for number in range(at_ms * rate_hz // 1000, (at_ms + 20) * rate_hz // 1000):
            value = chance.gauss(0, noise)
            for from_ms, until_ms, frequencies in tones:
                if from_ms * rate_hz <= number * 1000 < until_ms * rate_hz:
                    value += sum(4000 * math.sin(2 * math.pi * hz * number / rate_hz) for hz in frequencies)
            samples.append(round(value))
        if group := finder.push(samples.tobytes(), at_ms):
            found.append(group)
    return found


@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("hz", [420.0, 620.0, 1000.0, 1400.0, 1990.0])
@pytest.mark.parametrize("length_ms", [160, 400, 1200])
def test_a_beep_is_found_with_its_place_and_pitch(rate_hz: int, hz: float, length_ms: int) -> None:
    ((tone,),) = find((1003, 1003 + length_ms, (hz,)), rate_hz=rate_hz, noise=300)
    assert abs(tone.frequency_hz - hz) < 12
    assert abs(tone.start_ms - 1003) <= 40
    assert abs(tone.end_ms - 1003 - length_ms) <= 60


@pytest.mark.parametrize("hz", [620.0, 1000.0, 1400.0])
def test_a_beep_is_found_thriftily_in_a_quiet_line(hz: float) -> None:
    ((tone,),) = find((1000, 1400, (hz,)), is_thrifty=True)
    assert abs(tone.frequency_hz - hz) < 12


def test_noise_two_keys_and_speech_like_sounds_are_no_beep() -> None:
    assert find(noise=2000) == []
    assert find((500, 900, (697.0, 1209.0)), (1200, 1500, (941.0, 1477.0))) == []
    voice = tuple(120.0 * number for number in range(3, 12))
    assert find((500, 1500, voice)) == []
    assert find((500, 560, (1000.0,))) == []


def test_a_gliding_tone_is_no_beep() -> None:
    glide = tuple((500 + 20 * step, 520 + 20 * step, (500.0 + 40 * step,)) for step in range(30))
    assert find(*glide) == []


@pytest.mark.parametrize(
    ("tones", "has_spoken", "signal"),
    [
        ([(500, 1500, (425.0,))], False, "ringing"), ([(500, 2500, (440.0, 480.0))], False, "ringing"),
        ([(500, 900, (400.0, 450.0))], False, "ringing"), ([(500, 900, (440.0,))], True, "beep"),
        ([(500, 2500, (2100.0,))], False, "fax"), ([(500, 1000, (1100.0,))], False, "fax"),
        ([(500, 1000, (1100.0,))], True, "beep"), ([(500, 800, (1000.0,))], False, "beep"),
        ([(500, 880, (913.8,)), (880, 1260, (1370.6,)), (1260, 1640, (1776.7,))], False, "intercept"),
        ([(500, 700, (600.0,)), (740, 940, (800.0,)), (980, 1180, (1000.0,)), (1220, 1420, (700.0,))], True, None),
    ],
)  # fmt: skip
def test_what_a_signal_means(
    tones: list[tuple[int, int, tuple[float, ...]]], has_spoken: bool, signal: beep.Signal | None
) -> None:
    (group,) = find(*tones)
    assert beep.classify_tones(group, has_spoken=has_spoken) == signal


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        ("machine", "Hi, you've reached Bob. I can't take your call right now."),
        ("machine", "At the tone, please record your message."),
        ("machine", "Ihr Gesprächspartner ist vorübergehend nicht erreichbar."),
        ("machine", "Bitte hinterlassen Sie eine Nachricht nach dem Signalton."),
        ("machine", "Deje su mensaje después de la señal."),
        ("machine", "El número marcado no está disponible en este momento."),
        ("machine", "Bonjour, vous êtes sur la messagerie de Paul. Laissez un message après le bip."),
        ("machine", "L'utente da lei chiamato non è al momento raggiungibile."),
        ("machine", "Lasciate un messaggio dopo il segnale acustico."),
        ("machine", "Deixe o seu recado após o sinal."),
        ("machine", "Spreek een bericht in na de piep."),
        ("screening", "Please say your name and why you're calling."),
        ("screening", "Bitte nennen Sie Ihren Namen und den Grund Ihres Anrufs."),
        ("screening", "Diga su nombre y el motivo de la llamada."),
        ("screening", "Dites votre nom et la raison de votre appel."),
        ("screening", "Dica il suo nome e il motivo della chiamata."),
        ("screening", "Diga o seu nome e o motivo da ligação."),
        ("screening", "Noem uw naam en de reden van uw gesprek."),
        ("menu", "For sales, press one."), ("menu", "Für den Vertrieb drücken Sie die Eins."),
        ("menu", "Para ventas, marque el uno."), ("menu", "Pour les ventes, tapez 1."),
        ("menu", "Per le vendite, prema 1."), ("menu", "Para vendas, digite 1."), ("menu", "Toets 1 voor verkoop."),
        ("waiting", "Thanks. Please stay on the line."), ("waiting", "Einen Moment bitte, ich verbinde Sie."),
        ("waiting", "Ne quittez pas."), ("waiting", "Un momento, por favor."), ("waiting", "Resti in linea."),
        ("waiting", "Aguarde um momento."), ("waiting", "Een ogenblik geduld."),
        ("human", "Acme, how can I help you?"), ("human", "Braun, was kann ich für Sie tun?"),
        (None, "Hello?"), (None, "Hallo?"), (None, "Miller."), (None, "Yes, this is Ann."), (None, "Pronto?"),
        (None, ""),
    ],
)  # fmt: skip
def test_what_words_tell_about_who_says_them(hint: machine.Hint | None, text: str) -> None:
    assert machine.read_words(text, is_first=True) == hint


@pytest.mark.parametrize(
    "text",
    [
        "I did not get your voicemail", "I'm not available on Tuesday", "just a moment please", "can you call me back",
        "we are not home on Monday", "ich bin dann nicht zu Hause", "no puedo atender ahora", "how can I help you",
    ],
)  # fmt: skip
def test_what_people_say_later_is_no_machine(text: str) -> None:
    assert machine.read_words(text, is_first=False) is None


@pytest.mark.parametrize(
    ("spoken_ms", "silence_ms", "text", "is_deaf", "verdict"),
    [
        (400, 300, None, False, None), (400, 500, None, False, "human"), (400, 500, "Hello?", False, "human"),
        (2000, 500, None, False, None), (2000, 1000, None, False, "human"), (2600, 0, None, True, "machine"),
        (2600, 0, "some words", False, None), (2600, 500, "some words", False, "human"),
        (4000, 0, "this is Bob and I am out today", False, "machine"),
        (4000, 0, "some words", False, "unknown"), (4000, 0, "", False, "unknown"),
        (900, 0, "you have reached", False, "machine"),
        (500, 900, "one moment please", False, None), (90, 500, None, False, None), (90, 1500, None, False, "unknown"),
        (3000, 100, "how can I help you", False, None),
    ],
)  # fmt: skip
def test_the_verdict_on_first_words(
    spoken_ms: int, silence_ms: int, text: str | None, is_deaf: bool, verdict: str | None
) -> None:
    evidence = machine.Evidence(
        spoken_ms=spoken_ms, silence_ms=silence_ms, quiet_ms=spoken_ms + silence_ms, text=text, is_deaf=is_deaf
    )
    finding = machine.judge(evidence, limits=LIMITS)
    assert (finding.verdict if finding is not None else None) == verdict


def test_silence_is_answered_after_its_longest_time() -> None:
    quiet = machine.Evidence(spoken_ms=0, silence_ms=1400, quiet_ms=1400)
    assert machine.judge(quiet, limits=LIMITS) is None
    assert machine.judge(machine.Evidence(0, 1500, 1500), limits=LIMITS) == machine.Finding("unknown", "silence")


def test_a_pause_begins_a_new_stretch_and_a_breath_does_not() -> None:
    cadence = Cadence()
    for at_ms in range(0, 3000, 20):
        is_voiced = at_ms < 400 or 800 <= at_ms < 1000 or at_ms >= 2000
        voiced_ms = at_ms if is_voiced else 1000 if at_ms >= 1000 else 400
        cadence.feed(started_ms=0, last_voiced_ms=voiced_ms, level=1000, now_ms=at_ms)
    assert 900 <= cadence.spoken_ms <= 1000


def test_quieter_voices_in_the_background_do_not_go_on_speaking() -> None:
    cadence = Cadence()
    for at_ms in range(0, 3000, 20):
        cadence.feed(started_ms=0, last_voiced_ms=at_ms, level=5000 if at_ms < 600 else 700, now_ms=at_ms)
    assert cadence.spoken_ms <= 620
    assert judge_cadence(spoken_ms=cadence.spoken_ms, silence_ms=cadence.silence_ms(3000)) == "human"


@pytest.mark.parametrize(
    ("levels", "has_voice"),
    [
        ([300] * 50, False),
        ([120, 300, 460, 200] * 20, False),
        ([200] * 20 + [2500] * 20, True),
        ([0] * 5 + [300] * 50, False),  # packets that were missing
        ([0] * 20 + [300] * 50, True),  # a line that was silent
        ([300] * 20 + [9000] + [300] * 20, False),  # a click
        ([], True),
    ],
)
def test_a_voice_stands_out_of_its_line(levels: list[int], has_voice: bool) -> None:
    line = Line()
    for level in levels:
        line.feed(level)
    assert line.has_voice is has_voice


@pytest.mark.parametrize(
    ("text", "is_deaf", "quiet_ms", "is_silence"),
    [
        ("", False, 1500, True),
        (None, True, 1500, True),
        (None, False, 1900, False),
        (None, False, 2000, True),
        ("well then", False, 2000, False),
    ],
)
def test_noise_without_words_is_silence(text: str | None, is_deaf: bool, quiet_ms: int, is_silence: bool) -> None:
    evidence = machine.Evidence(1200, 0, quiet_ms, text=text, is_deaf=is_deaf, has_voice=False)
    finding = machine.judge(evidence, limits=LIMITS)
    assert (finding == machine.Finding("unknown", "silence")) is is_silence
