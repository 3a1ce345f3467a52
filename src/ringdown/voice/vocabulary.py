"""The small words of taking turns in several languages: signs of listening, words that ask for more, spoken digits."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One language's words, in lower case.

    `binding` words end no sentence, whatever a recognizer's full stop says; `trailing` words rarely do, nor do
    `trailing_pairs` of words.
    `listening` are signs of listening, `farewells` what is said on parting, `answers` both and "no" and "hello";
    `numerals` are spoken numbers.
    """

    binding: frozenset[str]
    trailing: frozenset[str]
    trailing_pairs: frozenset[str]
    listening: frozenset[str]
    farewells: frozenset[str]
    answers: frozenset[str]
    numerals: frozenset[str]


def find_vocabulary(language: str) -> Vocabulary:
    """The words of a BCP-47 language; of an unknown one only the sounds that all share."""
    return _VOCABULARIES.get(language.lower().replace("_", "-").split("-")[0], _UNKNOWN)


# Sounds rather than words: heard everywhere.
_SOUNDS = "mhm mm mmm mmhm hm hmm hmmm aha ah oh ok okay"
_FILLERS = "uh uhm um er erm eh ehm äh ähm euh ehh öh"


def _make(words: Mapping[str, str]) -> Vocabulary:
    binding, trailing, listening, farewells, numerals = (
        frozenset(words.get(name, "").split()) for name in ("binding", "trailing", "listening", "farewells", "numerals")
    )
    return Vocabulary(
        binding=binding,
        trailing=trailing | binding | frozenset(_FILLERS.split()),
        trailing_pairs=frozenset(pair.strip() for pair in words.get("pairs", "").split(",")),
        listening=listening | frozenset(_SOUNDS.split()),
        farewells=farewells,
        answers=listening | farewells | frozenset((words.get("answers", "") + " " + _SOUNDS).split()),
        numerals=numerals,
    )


_UNKNOWN = _make({})
_VOCABULARIES = {
    "en": _make({
        "binding": "a an the my your our their and or but because if than whose",
        "trailing": "about at by for from with of on in to into until near is are was am were it's i'm that's "
        "there's its his her she he they we i well when which who where why how whether maybe like "
        "just would could should can will not as then also some any this these those need want i'd "
        "we'd i'll have has had me let see looking makes named called rather between",
        "pairs": "said that, says that, say that, is that, think that, know that, me that, so that, see that, "
        "but that, and that, believe that, hope that, you know, i mean, my name, kind of",
        "listening": "alright cool fine good got great haha hey huh i it nice really right see sure true uh uhm "
        "uhuh um very well wow yeah yep yes yup exactly absolutely all makes sense of course",
        "farewells": "bye goodbye thank thanks you too and have a day good nice",
        "numerals": "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
        "ninety hundred double triple",
        "answers": "no nope nah hello hi please not",
    }),
    "de": _make({
        "binding": "der die das den dem des ein eine einen einem einer mein meine meinen meiner dein ihr ihre "
        "und oder aber weil denn dass wenn ob",
        "trailing": "ich wir er sie es an auf aus bei für in im mit nach von vor zu zum zur über um am als wie wo "
        "wann warum ist sind war habe hat möchte gerne will würde kann soll also dann noch nicht "
        "sagen heiße doktor herr frau brauche",
        "listening": "ja jaja genau gut klar richtig stimmt verstehe ach so achso alles schön super sicher "
        "natürlich doch jo jawohl ich mmh",
        "farewells": "tschüss tschüß danke auf wiederhören wiedersehen schönen tag noch ihnen auch gleichfalls",
        "numerals": "null eins ein zwei zwo drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig "
        "vierzig fünfzig sechzig siebzig achtzig neunzig doppel",
        "answers": "nein nee hallo bitte guten tag",
    }),
    "es": _make({
        "binding": "el la los las un una unos unas mi mis tu su sus y e o u pero porque si que",
        "trailing": "a al de del con en para por sin sobre es son era está yo él ella cuando donde como quiero "
        "quisiera gustaría necesito puedo no se me lo le les muy más señor señora doctor entonces "
        "pues hablar este",
        "listening": "sí si claro vale bien bueno ya entiendo perfecto exacto cierto ajá de acuerdo por supuesto "
        "correcto eso",
        "farewells": "adiós gracias hasta luego chao igualmente buen día muchas",
        "numerals": "cero uno una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
        "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa doble",
        "answers": "no hola dígame diga",
    }),
    "fr": _make({
        "binding": "le la les un une des du mon ma mes ton votre notre et ou mais car que parce si",
        "trailing": "à au aux de en dans avec pour par sur sans chez est sont c'est j'ai je tu il elle on nous "
        "vous qui quand où comment voudrais veux peux aimerais cherche ne très monsieur "
        "madame docteur alors donc d' l' puis",
        "listening": "oui ouais d'accord bien sûr voilà exact exactement je vois très entendu parfait compris bon "
        "ben",
        "farewells": "au revoir merci bonne journée salut à bientôt également vous aussi",
        "numerals": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze "
        "seize vingt trente quarante cinquante soixante septante nonante cent double",
        "answers": "non allô bonjour",
    }),
    "it": _make({
        "binding": "il lo la i gli le un uno una mio mia miei tuo suo sua e o ma perché se che",
        "trailing": "a al alla di del della da in nel con per su tra è sono era ho io lui lei quando dove come "
        "vorrei voglio posso bisogno non mi si ci più molto signor signora dottor allora quindi "
        "chiamo",
        "listening": "sì si certo va bene capisco giusto esatto perfetto già d'accordo ecco ho capito chiaro",
        "farewells": "ciao arrivederci grazie buona giornata anche lei altrettanto mille",
        "numerals": "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici "
        "quindici venti trenta quaranta cinquanta sessanta settanta ottanta novanta doppio",
        "answers": "no pronto buongiorno",
    }),
    "pt": _make({
        "binding": "o a os as um uma meu minha meus minhas seu sua e ou mas porque se que",
        "trailing": "ao à de do da dos das em no na com para por sem é são era está eu ele ela quando onde como "
        "quero queria gostaria preciso posso não me muito mais senhor senhora doutor então",
        "listening": "sim claro certo tá bom bem entendi entendo isso perfeito pois é exato ok beleza",
        "farewells": "tchau adeus obrigado obrigada até logo bom dia igualmente",
        "numerals": "zero um uma dois duas três quatro cinco seis meia sete oito nove dez onze doze treze "
        "quatorze quinze vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
        "answers": "não alô oi olá",
    }),
    "nl": _make({
        "binding": "de het een mijn jouw uw onze hun en of maar want omdat als dat",
        "trailing": "aan bij door in met na naar om op over te tot uit van voor is zijn was heb heeft ik wij we "
        "hij zij ze wanneer waar hoe wil graag zou kan moet niet dus dan meneer mevrouw dokter",
        "listening": "ja jaja jawel goed klopt precies prima oké inderdaad natuurlijk snap ik het begrijp zeker",
        "farewells": "dag doei bedankt dank u wel tot ziens fijne",
        "numerals": "nul een één twee drie vier vijf zes zeven acht negen tien elf twaalf twintig dertig veertig "
        "vijftig zestig zeventig tachtig negentig dubbel",
        "answers": "nee hallo goedemorgen",
    }),
}  # fmt: skip
