"""What the agent says in a flow where the flow has no words for it, by language. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlowPhrases:
    """One language. `press` takes `key` and `answer`, `seconds` takes `count`; `choose` takes the list of keys."""

    not_understood: str
    silence: str
    unclear: str
    confirm: str
    nobody_there: str
    keypad: str
    choose: str
    press: str
    one_second: str
    seconds: str
    opt_out: str
    opted_out: str
    not_opted_out: str


_ENGLISH = FlowPhrases(
    not_understood="I'm sorry, I could not understand you. Goodbye.",
    silence="Sorry, I did not hear you.",
    unclear="Sorry, I did not understand.",
    confirm="Please say yes or no, or press one for yes and two for no.",
    nobody_there="I'm sorry, nobody is available right now. Please call again later. Goodbye.",
    keypad="Please use your keypad and finish with the hash key.",
    choose="Please {keys}.",
    press="press {key} for {answer}",
    one_second="1 second",
    seconds="{count} seconds",
    opt_out="Shall I put you on our do not call list? Say yes or no, or press one for yes and two for no.",
    opted_out="All right. You are on our do not call list, and we will not call you again. Goodbye.",
    not_opted_out="I'm sorry, I could not do that just now. Please tell us once more. Goodbye.",
)
_PHRASES: Mapping[str, FlowPhrases] = {
    "de": FlowPhrases(
        not_understood="Es tut mir leid, ich konnte Sie nicht verstehen. Auf Wiederhören.",
        silence="Entschuldigung, ich habe Sie nicht gehört.",
        unclear="Entschuldigung, das habe ich nicht verstanden.",
        confirm="Bitte sagen Sie ja oder nein, oder drücken Sie eins für ja und zwei für nein.",
        nobody_there="Es tut mir leid, gerade ist niemand erreichbar. Bitte rufen Sie später an. Auf Wiederhören.",
        keypad="Bitte benutzen Sie die Tasten und schließen Sie mit der Raute ab.",
        choose="Bitte drücken Sie {keys}.",
        press="{key} für {answer}",
        one_second="1 Sekunde",
        seconds="{count} Sekunden",
        opt_out="Soll ich Sie auf unsere Sperrliste setzen? Sagen Sie ja oder nein, oder drücken Sie eins oder zwei.",
        opted_out="In Ordnung. Sie stehen auf unserer Sperrliste, und wir rufen Sie nicht mehr an. Auf Wiederhören.",
        not_opted_out="Es tut mir leid, das ging gerade nicht. Bitte sagen Sie es uns noch einmal. Auf Wiederhören.",
    ),
    "es": FlowPhrases(
        not_understood="Lo siento, no he podido entenderle. Adiós.",
        silence="Perdone, no le he oído.",
        unclear="Perdone, no le he entendido.",
        confirm="Por favor, diga sí o no, o pulse uno para sí y dos para no.",
        nobody_there="Lo siento, ahora no hay nadie disponible. Por favor, llame más tarde. Adiós.",
        keypad="Por favor, use el teclado y termine con la almohadilla.",
        choose="Por favor, {keys}.",
        press="pulse {key} para {answer}",
        one_second="1 segundo",
        seconds="{count} segundos",
        opt_out="¿Le pongo en nuestra lista de no llamar? Diga sí o no, o pulse uno para sí y dos para no.",
        opted_out="De acuerdo. Está en nuestra lista de no llamar y no volveremos a llamarle. Adiós.",
        not_opted_out="Lo siento, ahora no ha sido posible. Por favor, díganoslo otra vez. Adiós.",
    ),
    "fr": FlowPhrases(
        not_understood="Je suis désolé, je ne vous ai pas compris. Au revoir.",
        silence="Excusez-moi, je ne vous ai pas entendu.",
        unclear="Excusez-moi, je n'ai pas compris.",
        confirm="Dites oui ou non, ou tapez un pour oui et deux pour non.",
        nobody_there="Je suis désolé, personne n'est disponible. Veuillez rappeler plus tard. Au revoir.",
        keypad="Veuillez utiliser le clavier et terminer par la touche dièse.",
        choose="Veuillez {keys}.",
        press="taper {key} pour {answer}",
        one_second="1 seconde",
        seconds="{count} secondes",
        opt_out="Dois-je vous mettre sur notre liste rouge ? Dites oui ou non, ou tapez un pour oui et deux pour non.",
        opted_out="Très bien. Vous êtes sur notre liste rouge, et nous ne vous appellerons plus. Au revoir.",
        not_opted_out="Je suis désolé, cela n'a pas été possible. Veuillez nous le redire. Au revoir.",
    ),
}


def find_phrases(language: str) -> FlowPhrases:
    """The phrases for the language of a BCP-47 tag; English ones where there are none."""
    return _PHRASES.get(language, _ENGLISH)
