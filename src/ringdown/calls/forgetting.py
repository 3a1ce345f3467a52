"""What remains of the things told of a call when its words, or the person, must be forgotten; pure."""

from collections.abc import Mapping
from typing import Any

# In both documented forms of an event's data.
_WORDS = ("summary", "analysis")
_NESTED_WORDS = ("summary", "shortSummary")
_PERSON = ("to", "from", "phone_number", "contact_id")


def forget_words(told: Mapping[str, Any]) -> dict[str, object]:
    """The data of an event without what was said in the call."""
    kept = {name: None if name in _WORDS else value for name, value in told.items()}
    if isinstance(call := kept.get("call"), dict):
        kept["call"] = {name: None if name in _NESTED_WORDS else value for name, value in call.items()}
    return kept


def forget_person(told: Mapping[str, Any]) -> dict[str, object]:
    """The data of an event without anything of the person: what is left is the call's, its times and its cost."""
    kept = {name: None if name in _PERSON else value for name, value in forget_words(told).items()}
    return {**kept, "metadata": {}} if "metadata" in kept else kept
