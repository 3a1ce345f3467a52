"""What a voice sounds like: one sentence of its language as MP3, made once and then remembered."""

import asyncio
from collections import OrderedDict

import lameenc

from ringdown.config import Settings
from ringdown.providers import registry
from ringdown.providers.opening import OpenProviders
from ringdown.providers.registry import ProviderBook
from ringdown.voice.ports import ProviderError
from ringdown.voices.catalog import Voice
from ringdown.voices.studio import VoiceProviderUnavailable

_RATE_HZ = 24_000
_KBIT_PER_SECOND = 48
_QUALITY = 5  # LAME's scale from 0 (best) to 9 (fastest)
# Sentences are cut off here: a provider that never ends must not fill the memory.
_MAX_PCM_BYTES = 20 * _RATE_HZ * 2
_MAX_KEPT_BYTES = 16 * 1024 * 1024
_MAX_AT_ONCE = 2
_TIMEOUT_S = 30.0

_TEXTS = {
    "ar": "مرحبًا، شكرًا لاتصالك. كيف يمكنني مساعدتك اليوم؟",
    "cs": "Dobrý den, děkujeme za zavolání. Jak vám mohu pomoci?",
    "da": "Hej, og tak fordi du ringer. Hvad kan jeg hjælpe dig med i dag?",
    "de": "Guten Tag, schön, dass Sie anrufen. Wie kann ich Ihnen heute helfen?",
    "el": "Γεια σας, ευχαριστούμε που καλέσατε. Πώς μπορώ να σας βοηθήσω;",
    "en": "Hello, and thank you for calling. How can I help you today?",
    "es": "Hola, gracias por llamar. ¿En qué puedo ayudarle hoy?",
    "fi": "Hei, ja kiitos soitostasi. Kuinka voin auttaa sinua tänään?",
    "fr": "Bonjour, et merci de votre appel. Comment puis-je vous aider ?",
    "hi": "नमस्ते, कॉल करने के लिए धन्यवाद। मैं आपकी क्या मदद कर सकता हूँ?",
    "it": "Buongiorno, grazie per aver chiamato. Come posso aiutarla oggi?",
    "ja": "お電話ありがとうございます。本日はどのようなご用件でしょうか。",
    "ko": "안녕하세요, 전화 주셔서 감사합니다. 무엇을 도와드릴까요?",
    "nb": "Hei, og takk for at du ringer. Hva kan jeg hjelpe deg med i dag?",
    "nl": "Goedendag, fijn dat u belt. Waarmee kan ik u vandaag helpen?",
    "pl": "Dzień dobry, dziękujemy za telefon. W czym mogę pomóc?",
    "pt": "Olá, obrigado por ligar. Como posso ajudar hoje?",
    "ru": "Здравствуйте, спасибо за звонок. Чем я могу вам помочь?",
    "sv": "Hej, och tack för att du ringer. Vad kan jag hjälpa dig med i dag?",
    "tr": "Merhaba, aradığınız için teşekkürler. Size nasıl yardımcı olabilirim?",
    "uk": "Вітаю, дякуємо за дзвінок. Чим я можу вам допомогти?",
    "zh": "您好，感谢您的来电。今天有什么可以帮您？",
}
_DEFAULT_LANGUAGE = "en"


def choose_text(language: str | None) -> str:
    """The sentence that a voice says; English where there is none in its language (BCP-47)."""
    return _TEXTS.get((language or _DEFAULT_LANGUAGE).partition("-")[0].lower(), _TEXTS[_DEFAULT_LANGUAGE])


class Previews:
    """Previews of one process; a few are made at once, so that many requests cost a provider no more than one."""

    def __init__(self, settings: Settings, *, max_kept_bytes: int = _MAX_KEPT_BYTES) -> None:
        self._settings = settings
        self._max_kept_bytes = max_kept_bytes
        self._kept: OrderedDict[tuple[str, str | None], bytes] = OrderedDict()
        self._locks: dict[tuple[str, str | None], asyncio.Lock] = {}
        self._places = asyncio.Semaphore(_MAX_AT_ONCE)

    async def get_preview(self, voice: Voice) -> bytes:
        """The MP3 of a voice. Raises `VoiceProviderUnavailable`."""
        key = (voice.alias, voice.language)
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with asyncio.timeout(_TIMEOUT_S), lock:  # who asks for the same waits for the first
                if key not in self._kept:
                    async with self._places:
                        self._keep(key, await asyncio.to_thread(_encode, await self._speak(voice)))
                self._kept.move_to_end(key)
                return self._kept[key]
        except TimeoutError as error:
            raise _fail(voice, "no audio in time", retryable=True) from error
        except ProviderError as error:
            raise _fail(voice, str(error), retryable=error.retryable) from error
        finally:
            if not lock.locked():
                self._locks.pop(key, None)

    async def _speak(self, voice: Voice) -> bytes:
        provider = registry.read_providers(self._settings).find("text_to_speech", voice.provider)
        if provider is None:
            raise ProviderError(voice.provider, "it is not configured any more", retryable=False)
        # Opened for one sentence: the API holds no child process or model that nobody needs.
        opened = OpenProviders(self._settings, ProviderBook((provider,)))
        pieces: list[bytes] = []
        try:
            await opened.start()
            speaker = opened.open_speaker(
                provider.name, voice.provider_voice, language=voice.language or _DEFAULT_LANGUAGE
            )
            async for speech in speaker.speak(choose_text(voice.language), sample_rate_hz=_RATE_HZ):
                pieces.append(speech.pcm)
                if sum(map(len, pieces)) > _MAX_PCM_BYTES:
                    break
        except ValueError as error:  # a table that cannot be used
            raise ProviderError(voice.provider, str(error), retryable=False) from error
        finally:
            await opened.close()
        return b"".join(pieces)

    def _keep(self, key: tuple[str, str | None], audio: bytes) -> None:
        self._kept[key] = audio
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._max_kept_bytes:
            self._kept.popitem(last=False)


def _encode(pcm: bytes) -> bytes:
    encoder = lameenc.Encoder()
    encoder.set_in_sample_rate(_RATE_HZ)
    encoder.set_channels(1)
    encoder.set_bit_rate(_KBIT_PER_SECOND)
    encoder.set_quality(_QUALITY)
    encoder.silence()
    return bytes(encoder.encode(pcm)) + bytes(encoder.flush())


def _fail(voice: Voice, message: str, *, retryable: bool) -> VoiceProviderUnavailable:
    return VoiceProviderUnavailable(f"{message}.", {"provider": voice.provider, "retryable": retryable})
