"""How a caller gets off the list: the words that ask for it, and the nodes that every flow leads them to. Pure."""

import re
import unicodedata
from dataclasses import replace

from ringdown.voice.flow import Flow
from ringdown.voice.flow_nodes import ANY, Listen, Node, NodeTool
from ringdown.voice.flow_phrases import FlowPhrases

#: The tool that writes it down.
TOOL = "opt_out"
#: Where a flow asks whether that is meant. No node of a document has these names: they are the only ones in brackets.
ASK, WRITE, DONE, FAILED = "(opt out)", "(opt out: write)", "(opt out: done)", "(opt out: failed)"

# Longer speech tells a story in which the words may come up.
_MAX_WORDS = 30
_PATTERNS = (
    r"\b(?:take|remove|get|delete|strike) (?:me|us|my (?:phone )?number|my name|this number) (?:off|from|out of)\b",
    r"\b(?:put|place|add) (?:me|us|my (?:phone )?number|this number) (?:on|to) (?:the|your|a) do not call\b",
    r"\b(?:do not|don t|never|stop) (?:ever )?(?:call|phone|ring|contact|bother)(?:ing)?"
    r" (?:me|us|here|this number|my (?:phone )?number)\b(?! back)",
    r"\bunsubscribe me\b|\bstop phoning me\b|\bopt(?:ing)? (?:me )?out\b|\bno more (?:phone )?calls\b",
    r"\b(?:rufen|ruf|rufe) (?:sie )?(?:mich|uns|hier|diese nummer) (?:bitte )?(?:nie|nicht|nie wieder|nicht mehr)"
    r"(?: mehr| wieder)* an\b",
    r"\b(?:streichen|loschen|entfernen|nehmen) sie (?:bitte )?(?:mich|uns|meine nummer|diese nummer)\b.{0,20}"
    r"\b(?:liste|verteiler|datenbank)\b",
    r"\bkeine (?:weiteren )?anrufe mehr\b",
    r"\bno (?:me|nos) (?:vuelva[ns]? a llamar|llame[ns]?|llamen mas)\b|\bdej(?:e|en) de llamar(?:me|nos)\b",
    r"\b(?:quite|quiteme|quitenme|borre|borreme|borrenme|elimine|elimineme|saque|saqueme|saquenme)\b.{0,25}\blista\b",
    r"\bne m(?:e)? ?(?:appelez|rappelez|contactez) (?:plus|jamais)\b|\barretez de m ?(?:appeler|contacter)\b",
    r"\b(?:retirez|enlevez|supprimez|rayez|otez)(?: moi| nous| mon numero| ce numero)\b.{0,20}\b(?:liste|fichier)\b",
)
_ASKED = re.compile("|".join(_PATTERNS))


def is_asked(text: str) -> bool:
    """Whether the caller asks not to be called any more; in English, German, Spanish or French."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    words = re.findall(r"[^\W_]+", "".join(char for char in plain if not unicodedata.combining(char)))
    return len(words) <= _MAX_WORDS and _ASKED.search(" ".join(words)) is not None


def lead_out(graph: Flow, phrases: FlowPhrases) -> Flow:
    """The flow with the way off the list: asks once whether it is meant, writes it down by the tool, says so, ends.

    Only a "no" leads back; who says nothing more has asked for it.
    """
    way = (
        Node(
            name=ASK,
            say=phrases.opt_out,
            listen=Listen(kind="yes_no"),
            keypad={"1": "yes", "2": "no"},
            max_reprompts=1,
            next={ANY: WRITE},
            on_failure=WRITE,
        ),
        Node(
            name=WRITE,
            tool=NodeTool(TOOL, {"reason": "asked for it during the call"}, {}),
            next={ANY: DONE},
            on_failure=FAILED,
        ),
        Node(name=DONE, say=phrases.opted_out, is_end=True),
        Node(name=FAILED, say=phrases.not_opted_out, is_end=True),
    )
    return replace(graph, nodes={**graph.nodes, **{node.name: node for node in way}})
