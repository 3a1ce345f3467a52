"""Which language to go on in, from what a recognizer says about each turn. Pure."""

from collections.abc import Sequence

from ringdown.voice import turns

# One word ("okay", a name) is said in any language.
_CERTAIN_WORDS = 3


def match_language(tag: str, known: Sequence[str]) -> str | None:
    """The one of `known` that `tag` means (BCP-47, any case): the same tag, else the first of the same language."""
    wanted = tag.replace("_", "-").lower()
    for language in known:
        if language.lower() == wanted:
            return language
    return next((language for language in known if _primary(language) == _primary(wanted)), None)


class LanguageRule:
    """Follows the caller's language within `known`; the first of them is spoken at the beginning.

    A turn of three words changes it, or two shorter turns in a row.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._known = tuple(known)
        self.current = self._known[0]
        self._candidate: tuple[str, int] | None = None

    def hear(self, language: str | None, text: str, *, turn_start_ms: int) -> str | None:
        """The language to change to; a turn may be told again as it grows, and is known by its start."""
        heard = match_language(language, self._known) if language else None
        if heard is None:
            return None
        if _primary(heard) == _primary(self.current):
            self._candidate = None
            return None
        before, self._candidate = self._candidate, (heard, turn_start_ms)
        is_second = before is not None and before[0] == heard and before[1] != turn_start_ms
        if not is_second and len(turns.split_words(text)) < _CERTAIN_WORDS:
            if before is not None and before[0] == heard:
                self._candidate = before
            return None
        self.current, self._candidate = heard, None
        return heard


def _primary(tag: str) -> str:
    return tag.lower().partition("-")[0]
