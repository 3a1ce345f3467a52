"""Opens Pipecat's services as the ports of the conversation; importing it imports Pipecat."""

from ringdown.providers.pipecat_duplex import PipecatDuplex
from ringdown.providers.pipecat_hearing import PipecatRecognizer
from ringdown.providers.pipecat_plan import plan_service
from ringdown.providers.pipecat_speaking import PipecatSpeaker
from ringdown.providers.pipecat_thinking import PipecatModel
from ringdown.providers.registry import ProviderSettings

__all__ = ["open_duplex", "open_model", "open_recognizer", "open_speaker", "plan_service"]


def open_recognizer(provider: ProviderSettings) -> PipecatRecognizer:
    """The recognizer of a provider. Raises `ValueError`, like `plan_service`."""
    return PipecatRecognizer(plan_service(provider))


def open_model(provider: ProviderSettings) -> PipecatModel:
    """The chat model of a provider. Raises `ValueError`, like `plan_service`."""
    return PipecatModel(plan_service(provider))


def open_speaker(provider: ProviderSettings, *, voice: str, language: str) -> PipecatSpeaker:
    """A voice of a provider. Raises `ValueError`, like `plan_service`."""
    return PipecatSpeaker(plan_service(provider), voice=voice, language=language)


def open_duplex(provider: ProviderSettings) -> PipecatDuplex:
    """The speech-to-speech model of a provider. Raises `ValueError`, like `plan_service`."""
    return PipecatDuplex(plan_service(provider))
