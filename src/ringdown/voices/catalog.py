"""The voices of the installation: those of the configured providers, then those of the offline voice.

An organization's own voices (`store`) are looked up beside them, as `own`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ringdown.config import Settings
from ringdown.providers import registry
from ringdown.providers.registry import ProviderSettings

_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

# espeak-ng's name, the language (BCP-47), and the name for people.
_OFFLINE_VOICES = (
    ("en-us", "en-US", "English (America)"),
    ("en-gb", "en-GB", "English (Great Britain)"),
    ("en-gb-x-rp", "en-GB", "English (Received Pronunciation)"),
    ("en-gb-scotland", "en-GB", "English (Scotland)"),
    ("en-029", "en-029", "English (Caribbean)"),
    ("af", "af", "Afrikaans"),
    ("ar", "ar", "Arabic"),
    ("bg", "bg", "Bulgarian"),
    ("bn", "bn", "Bengali"),
    ("bs", "bs", "Bosnian"),
    ("ca", "ca", "Catalan"),
    ("cmn", "zh-CN", "Chinese (Mandarin)"),
    ("cs", "cs", "Czech"),
    ("cy", "cy", "Welsh"),
    ("da", "da", "Danish"),
    ("de", "de-DE", "German"),
    ("el", "el", "Greek"),
    ("es", "es-ES", "Spanish (Spain)"),
    ("es-419", "es-419", "Spanish (Latin America)"),
    ("et", "et", "Estonian"),
    ("fa", "fa", "Persian"),
    ("fi", "fi", "Finnish"),
    ("fr-fr", "fr-FR", "French (France)"),
    ("fr-be", "fr-BE", "French (Belgium)"),
    ("fr-ch", "fr-CH", "French (Switzerland)"),
    ("ga", "ga", "Irish"),
    ("gu", "gu", "Gujarati"),
    ("he", "he", "Hebrew"),
    ("hi", "hi-IN", "Hindi"),
    ("hr", "hr", "Croatian"),
    ("hu", "hu", "Hungarian"),
    ("hy", "hy", "Armenian"),
    ("id", "id", "Indonesian"),
    ("is", "is", "Icelandic"),
    ("it", "it-IT", "Italian"),
    ("ja", "ja-JP", "Japanese"),
    ("ka", "ka", "Georgian"),
    ("kk", "kk", "Kazakh"),
    ("kn", "kn", "Kannada"),
    ("ko", "ko-KR", "Korean"),
    ("lt", "lt", "Lithuanian"),
    ("lv", "lv", "Latvian"),
    ("mk", "mk", "Macedonian"),
    ("ml", "ml", "Malayalam"),
    ("mr", "mr", "Marathi"),
    ("ms", "ms", "Malay"),
    ("nb", "nb-NO", "Norwegian (Bokmål)"),
    ("ne", "ne", "Nepali"),
    ("nl", "nl-NL", "Dutch"),
    ("pa", "pa", "Punjabi"),
    ("pl", "pl-PL", "Polish"),
    ("pt", "pt-PT", "Portuguese (Portugal)"),
    ("pt-br", "pt-BR", "Portuguese (Brazil)"),
    ("ro", "ro", "Romanian"),
    ("ru", "ru-RU", "Russian"),
    ("sk", "sk", "Slovak"),
    ("sl", "sl", "Slovenian"),
    ("sq", "sq", "Albanian"),
    ("sr", "sr", "Serbian"),
    ("sv", "sv-SE", "Swedish"),
    ("sw", "sw", "Swahili"),
    ("ta", "ta", "Tamil"),
    ("te", "te", "Telugu"),
    ("th", "th", "Thai"),
    ("tr", "tr-TR", "Turkish"),
    ("uk", "uk-UA", "Ukrainian"),
    ("ur", "ur", "Urdu"),
    ("uz", "uz", "Uzbek"),
    ("vi", "vi-VN", "Vietnamese"),
    ("yue", "zh-HK", "Chinese (Cantonese)"),
)


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaking voice; `provider_voice` is what its provider calls it. `language` None speaks many."""

    id: str
    name: str
    provider: str
    provider_voice: str
    language: str | None

    @property
    def alias(self) -> str:
        """The readable name that is accepted wherever the id is (`espeak:en-us`)."""
        return f"{self.provider}:{self.provider_voice}"


def list_voices(settings: Settings) -> Sequence[Voice]:
    """All voices, those of the configured providers first."""
    providers = registry.read_providers(settings).list("text_to_speech")
    return [voice for provider in providers for voice in _list_voices_of(provider)]


def _list_voices_of(provider: ProviderSettings) -> Sequence[Voice]:
    if provider.name == registry.ESPEAK:
        return [_new_voice(registry.ESPEAK, name, title, language) for name, language, title in _OFFLINE_VOICES]
    only = provider.languages[0] if len(provider.languages) == 1 else None
    return [
        _new_voice(provider.name, known.voice, known.name or known.voice, known.language or only)
        for known in provider.list_voices()
    ]


def find_voice(settings: Settings, name: str, *, own: Sequence[Voice] = ()) -> Voice | None:
    """The voice of this id or alias."""
    return next((voice for voice in (*list_voices(settings), *own) if name in (voice.id, voice.alias)), None)


def is_speakable(settings: Settings, voice: Voice) -> bool:
    """Whether the provider of a voice is still configured."""
    return registry.read_providers(settings).find("text_to_speech", voice.provider) is not None


def _new_voice(provider: str, provider_voice: str, name: str, language: str | None) -> Voice:
    return Voice(_make_id(f"{provider}:{provider_voice}"), name, provider, provider_voice, language)


def _make_id(alias: str) -> str:
    # Derived from the name, so that an agent keeps its voice on every installation and after every upgrade.
    number = int.from_bytes(hashlib.sha256(alias.encode()).digest()[:16])
    return "voice_" + "".join(_ID_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
