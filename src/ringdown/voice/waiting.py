"""What the agent says while something takes its time, in the language of the call. Pure."""

from collections.abc import Mapping

# First what is said after a second of silence, then what is said later; taken in turn.
_TEXTS: Mapping[str, tuple[str, str]] = {
    "de": ("Einen Moment bitte, ich sehe nach.", "Es dauert noch einen Augenblick."),
    "en": ("One moment, please, let me check.", "I am still checking, thank you for waiting."),
    "es": ("Un momento, por favor, lo compruebo.", "Sigo comprobándolo, gracias por esperar."),
    "fr": ("Un instant, s'il vous plaît, je vérifie.", "Je vérifie encore, merci de patienter."),
    "it": ("Un momento, per favore, controllo.", "Sto ancora controllando, grazie per l'attesa."),
    "nl": ("Een moment alstublieft, ik kijk het na.", "Ik ben nog aan het kijken, dank u voor het wachten."),
    "pl": ("Chwileczkę, już sprawdzam.", "Jeszcze sprawdzam, dziękuję za cierpliwość."),
    "pt": ("Um momento, por favor, vou verificar.", "Ainda estou a verificar, obrigado por esperar."),
}


def waiting_texts(language: str) -> tuple[str, ...]:
    """The texts for a BCP-47 tag; none, that is silence, for a language that is not known."""
    return _TEXTS.get(language.lower().split("-")[0], ())
