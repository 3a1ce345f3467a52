"""What callers and agents say in the turn-taking suite: sentences with their places to pause; a part is held out.

`~` is a pause after words that ask for more ("I would like to"), `/` one after words that could be all.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one score."""

    sentences: tuple[tuple[str, str], ...]
    numbers: tuple[tuple[str, str], ...]
    interruptions: tuple[str, ...]
    back_channels: tuple[str, ...]
    # Long enough that something can happen over them: six seconds and more.
    answers: tuple[str, ...]
    voices: tuple[str, ...]


# Language (a voice of espeak-ng, and what the agent is told) and text.
_EN = "en-us"

TUNED = Texts(
    sentences=(
        (_EN, "I would like to ~ book a table / for four people."),
        (_EN, "Can you tell me ~ when you are open / on Sunday?"),
        (_EN, "My name is ~ Margaret Miller."),
        (_EN, "I need to change ~ my appointment / to next Tuesday."),
        (_EN, "The delivery was supposed to ~ arrive yesterday / but it never came."),
        (_EN, "I'm calling because ~ my internet is not working."),
        (_EN, "Well um ~ I think the blue one is better."),
        (_EN, "Could you send the invoice to ~ my office address?"),
        (_EN, "We moved last month / so I have a new address."),
        (_EN, "I want to cancel my order / and get the money back."),
        (_EN, "Is there ~ a train to Boston / in the evening?"),
        (_EN, "It depends on ~ how much it costs."),
        (_EN, "She said that ~ the package is at the neighbour."),
        (_EN, "I have an appointment with ~ Doctor Brown / at ten o'clock."),
        (_EN, "Please call me back / after five in the afternoon."),
        (_EN, "That sounds good."),
        (_EN, "No, I don't think so."),
        (_EN, "Tomorrow morning would be fine."),
        (_EN, "How much does it cost?"),
        (_EN, "I never got an email."),
        (_EN, "Yes, please do that."),
        (_EN, "What happens if ~ I miss the appointment?"),
        (_EN, "My order number starts with ~ the letter B."),
        (_EN, "I was wondering if ~ you could help me / with my bill."),
        ("de", "Ich möchte gerne ~ einen Tisch bestellen / für vier Personen."),
        ("de", "Mein Name ist ~ Petra Schneider."),
        ("de", "Ich rufe an weil ~ mein Internet nicht geht."),
        ("es", "Quiero cambiar mi ~ cita / para el martes."),
        ("es", "Mi nombre es ~ Carmen García."),
        ("fr", "Je voudrais ~ réserver une table / pour quatre personnes."),
        ("fr", "Je vous appelle parce que ~ mon téléphone ne marche plus."),
        ("it", "Vorrei ~ prenotare un tavolo / per quattro persone."),
        ("pt", "Eu gostaria de ~ marcar uma consulta / para sexta."),
        ("nl", "Ik wil graag ~ een afspraak maken / voor dinsdag."),
    ),
    numbers=(
        (_EN, "five five five ~ zero one seven ~ four two three nine."),
        (_EN, "My number is ~ two one two ~ five five five ~ eight six four four."),
        (_EN, "It's four seven one one ~ nine nine zero two ~ three six five eight ~ one one two seven."),
        (_EN, "The code is ~ seven three ~ nine one ~ zero four."),
        (_EN, "zero seven nine ~ three one five ~ two two six zero."),
        (_EN, "twenty five ~ thirty one ~ forty seven ~ eighty two ~ sixteen."),
        ("de", "Meine Nummer ist ~ null eins sieben ~ drei vier fünf ~ sechs acht neun zwei."),
        ("es", "Mi número es ~ seis uno dos ~ tres cuatro cinco ~ siete ocho nueve."),
        ("fr", "Mon numéro est le ~ zéro six ~ trente deux ~ quarante cinq ~ douze ~ vingt."),
    ),
    interruptions=(
        "Wait a moment please.", "No, that is wrong.", "Stop.", "Sorry, I have a question.", "Can I ask something?",
        "That's not what I ordered.", "Hold on, which day was that?", "I already paid that.", "No no no.",
        "Yeah but I have another question.", "Okay stop, I don't need that.", "Excuse me, could you repeat that?",
    ),
    back_channels=("mhm", "yeah", "okay", "right", "uh huh", "yes", "I see", "okay right", "sure", "got it"),
    answers=(
        "We have several tables free on that evening, the first one is at half past six near the window, "
        "and the second one is at a quarter to nine in the garden behind the house.",
        "Your order left our warehouse on Monday afternoon, it was handed to the carrier the same evening, "
        "and according to the tracking page it will reach you before the end of this week.",
        "The appointment takes about forty minutes, please bring your insurance card and a list of your medicine, "
        "and if you cannot come you should let us know one day before at the latest.",
        "I have looked at your account and there are two open invoices from last month, the larger one is from the "
        "third, and the smaller one was sent to you ten days later by ordinary mail.",
    ),
    voices=("", "+f2", "+m3", "+f4"),
)  # fmt: skip

HELD_OUT = Texts(
    sentences=(
        (_EN, "I am looking for ~ a hotel room / near the station."),
        (_EN, "Do you know ~ whether the shop is open / tomorrow?"),
        (_EN, "This is ~ Robert Taylor / from the second floor."),
        (_EN, "My daughter has a fever / since last night."),
        (_EN, "I forgot my password / and now the account is locked."),
        (_EN, "We would need ~ three rooms / for two nights."),
        (_EN, "The problem is that ~ the heating stopped."),
        (_EN, "Let me see ~ I think it was on Friday."),
        (_EN, "I'd rather ~ come in the afternoon."),
        (_EN, "Uh ~ could you say that again?"),
        (_EN, "The washing machine makes ~ a strange noise."),
        (_EN, "He told me to ~ ask for a refund."),
        (_EN, "Friday is better for me."),
        (_EN, "I have not received anything yet."),
        (_EN, "Who should I talk to?"),
        (_EN, "Yes, that is correct."),
        ("de", "Können Sie mir sagen ~ wann Sie geöffnet haben?"),
        ("de", "Ich brauche einen Termin mit ~ Doktor Weber / am Montag."),
        ("es", "Me gustaría hablar con ~ el gerente."),
        ("fr", "Je cherche ~ un hôtel / près de la gare."),
        ("it", "Ho bisogno di ~ un appuntamento / per lunedì."),
        ("pt", "Eu estou ligando porque ~ a minha internet caiu."),
        ("nl", "Mijn naam is ~ Jan de Vries."),
    ),
    numbers=(
        (_EN, "eight one eight ~ three three four ~ seven nine zero one."),
        (_EN, "You can reach me at ~ six four six ~ two two nine ~ one five five three."),
        (_EN, "The reference is ~ four nine ~ zero zero ~ eight three ~ one."),
        (_EN, "five two ~ eight eight ~ one three ~ nine six."),
        ("de", "null vier null ~ sieben sieben drei ~ eins zwei fünf acht."),
        ("it", "Il mio numero è ~ tre quattro sette ~ uno due tre ~ cinque sei otto nove."),
    ),
    interruptions=(
        "Just a second.", "No, I said Thursday.", "Could you speak louder?", "Wait.", "I don't want that.",
        "Right, but how much is it?", "Let me stop you there.", "Sorry, who are you?", "Which one do you mean?",
    ),
    back_channels=("hmm", "yep", "alright", "uh huh", "oh okay", "yeah yeah", "right right", "mm"),
    answers=(
        "The museum opens at nine in the morning and closes at six, children under twelve pay nothing at all, "
        "and there is a guided tour through the old part of the building every full hour.",
        "Our technician will come to your house on Wednesday between eight and noon, he calls you half an hour "
        "before he arrives, and the whole repair should not take longer than one hour.",
        "Your contract began in March of last year and runs for two years, you can end it three months before "
        "that, and otherwise it goes on month by month with the same price and conditions.",
    ),
    voices=("+f3", "+m7", "+m1"),
)  # fmt: skip

AGENT_VOICE = "en-us"
NEVER_STOPS = (
    "and then we went to the market because it was so warm that day and my sister wanted to see the flowers "
    "and the man there told us about his garden and about the rain and"
)
