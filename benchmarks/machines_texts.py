"""What people and machines say when they answer, for the answering-machine benchmark; a part is held out.

A language is a voice of espeak-ng. `|` is a pause between two sentences of a recording.
"""

from dataclasses import dataclass

Line = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one score."""

    hellos: tuple[Line, ...]
    businesses: tuple[Line, ...]
    voicemails: tuple[Line, ...]
    screenings: tuple[Line, ...]
    menus: tuple[Line, ...]
    variants: tuple[str, ...]


_EN = "en-us"

TUNED = Texts(
    hellos=(
        (_EN, "Hello?"), (_EN, "Hi."), (_EN, "Yes?"), (_EN, "Hello, this is Julia."), (_EN, "Miller."),
        (_EN, "Good morning."), ("de", "Hallo?"), ("de", "Schneider."), ("de", "Ja, bitte?"), ("es", "¿Diga?"),
        ("es", "¿Bueno?"), ("fr", "Allô?"), ("fr", "Oui, bonjour."), ("it", "Pronto?"), ("pt", "Alô?"),
        ("nl", "Hallo, met Jan."),
    ),
    businesses=(
        (_EN, "Good morning, Smith and Partners, this is Julia speaking."),
        (_EN, "Thank you for calling Green Dental, how can I help you?"),
        (_EN, "Hello, Oakwood Animal Hospital, Karen speaking, how may I direct your call?"),
        ("de", "Praxis Doktor Braun, mein Name ist Schneider, was kann ich für Sie tun?"),
        ("fr", "Cabinet Dubois bonjour, que puis-je faire pour vous?"),
    ),
    voicemails=(
        (_EN, "Hi, you have reached Bob Miller.| I can't take your call right now.| "
              "Please leave a message after the tone."),
        (_EN, "The person you are trying to reach is not available.| At the tone, please record your message."),
        (_EN, "Your call has been forwarded to an automated voice message system.| Five five five, one two three four "
              "is not available.| At the tone, please record your message."),
        (_EN, "Hey, it's Sarah.| Sorry I missed you.| Leave me a message and I will get back to you."),
        (_EN, "You have reached the offices of Smith and Partners.| Our office hours are nine to five."),
        ("de", "Guten Tag, hier ist der Anrufbeantworter von Familie Braun.| Bitte sprechen Sie nach dem Signalton."),
        ("de", "Der Teilnehmer ist zur Zeit nicht erreichbar.| Bitte hinterlassen Sie eine Nachricht."),
        ("es", "Hola, en este momento no puedo atender su llamada.| Deje su mensaje después de la señal."),
        ("fr", "Bonjour, vous êtes bien sur la messagerie de Paul.| Laissez un message après le bip."),
        ("it", "Salve, al momento non posso rispondere.| Lasciate un messaggio dopo il segnale acustico."),
        ("pt", "Olá, no momento não posso atender.| Deixe sua mensagem após o sinal."),
        ("nl", "U spreekt met de voicemail van Jan.| Spreek een bericht in na de piep."),
    ),
    screenings=(
        (_EN, "Hi, please state your name and why you are calling."),
        (_EN, "The person you're calling is using a screening service and will get a copy of this conversation.| "
              "Go ahead and say your name and why you're calling."),
        (_EN, "This call is being screened.| Before I try to connect you, can you tell me your name and what this is "
              "about?"),
        (_EN, "Hi, if you record your name and reason for calling, I will see if this person is available."),
    ),
    menus=(
        (_EN, "Welcome to Green Dental.| For appointments, press 1.| For billing, press 2."),
        ("de", "Willkommen bei Braun.| Für Termine drücken Sie die 1.| Für Rechnungen drücken Sie die 2."),
    ),
    variants=("m1", "f2", "m3"),
)  # fmt: skip

HELD_OUT = Texts(
    hellos=(
        (_EN, "Hey, hello?"), (_EN, "Yeah, who is this?"), (_EN, "Peter Johnson."), (_EN, "Hello, good afternoon."),
        ("de", "Ja, hallo?"), ("de", "Guten Tag, Weber."), ("es", "Sí, dígame."), ("fr", "Allô, oui?"),
        ("it", "Sì, pronto?"), ("pt", "Oi, quem é?"), ("nl", "Goedemorgen, De Vries."),
    ),
    businesses=(
        (_EN, "Riverside Plumbing, you've got Tom here, what's the problem?"),
        (_EN, "Front desk, this is Mike, what can I do for you?"),
        ("de", "Autohaus Lehmann, Sie sprechen mit Frau Weber, wie kann ich Ihnen helfen?"),
        ("es", "Clínica San Juan, buenos días, ¿en qué le puedo ayudar?"),
    ),
    voicemails=(
        (_EN, "Hello, this is Peter Johnson.| I'm away from my phone at the moment.| Leave your name and number and "
              "I'll call you back."),
        (_EN, "Welcome to the voicemail of extension four two one.| Please leave your message after the beep."),
        (_EN, "The customer you have called is unavailable.| Please try again later."),
        (_EN, "Thanks for calling the Johnsons.| We're not home right now so leave a message."),
        (_EN, "The mailbox is full and cannot accept any messages at this time.| Goodbye."),
        ("de", "Hallo, ich bin gerade nicht da.| Hinterlassen Sie mir gerne eine Nachricht, ich rufe zurück."),
        ("de", "Die gewünschte Rufnummer ist vorübergehend nicht erreichbar."),
        ("es", "Ha llamado al buzón de voz del número seis uno dos.| Grabe su mensaje después del tono."),
        ("fr", "Votre correspondant n'est pas disponible pour le moment.| Merci de laisser un message après le bip."),
        ("it", "Il cliente da lei chiamato non è al momento raggiungibile."),
        ("pt", "Sua chamada está sendo encaminhada para a caixa postal."),
        ("nl", "Ik ben op dit moment niet bereikbaar.| Laat een bericht achter na de toon."),
    ),
    screenings=(
        (_EN, "Hello, I am the call assistant of this person.| Who is calling, and what for?"),
        ("de", "Bitte nennen Sie Ihren Namen und den Grund Ihres Anrufs."),
    ),
    menus=(
        (_EN, "Thank you for calling Oakwood.| Please listen carefully, as our menu options have changed.| "
              "To speak to a nurse, press 3."),
        ("fr", "Bienvenue.| Pour un rendez-vous, tapez 1.| Pour une urgence, tapez 2."),
    ),
    variants=("m2", "f3", "m5"),
)  # fmt: skip
