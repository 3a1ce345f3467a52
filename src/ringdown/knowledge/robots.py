"""robots.txt (RFC 9309): which paths of a site a crawler may fetch, and how fast; pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote_to_bytes

#: The name that site owners address us by.
PRODUCT = "ringdown"
# RFC 9309 §2.5 asks for at least 500 KiB.
_MAX_LENGTH = 512 * 1024
_MAX_DELAY_S = 10.0


@dataclass(frozen=True, slots=True)
class Rule:
    """An `allow` or `disallow` line; the longest pattern that matches a path decides (RFC 9309 §2.2.2)."""

    is_allowed: bool
    pattern: str

    def matches(self, path: str) -> bool:
        """Whether the pattern, in which `*` is anything and a last `$` the end, matches the beginning of the path."""
        is_whole = self.pattern.endswith("$")
        parts = self.pattern.removesuffix("$").split("*")
        if not path.startswith(parts[0]):
            return False
        position = len(parts[0])
        for part in parts[1:]:
            position = path.find(part, position)
            if position < 0:
                return False
            position += len(part)
        return not is_whole or position == len(path) or (len(parts) > 1 and path.endswith(parts[-1]))


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules that a site has for us."""

    rules: Sequence[Rule] = ()
    delay_s: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """The rules of the groups that name us, else of those for everybody."""
        groups: dict[str, list[tuple[str, str]]] = {}
        # Of the agents that the present group names, those that matter to us.
        agents: set[str] = set()
        is_header = False
        for line in text[:_MAX_LENGTH].splitlines():
            name, colon, value = line.partition("#")[0].partition(":")
            name, value = name.strip().lower(), value.strip()
            if not colon:
                continue
            if name == "user-agent":
                agents = (agents if is_header else set()) | ({value.lower()} & {PRODUCT, "*"})
                is_header = True
                groups |= {agent: groups.get(agent, []) for agent in agents}
            elif name in ("allow", "disallow", "crawl-delay"):
                is_header = False
                for agent in agents:
                    groups[agent].append((name, value))
        lines = groups.get(PRODUCT, groups.get("*", []))
        rules = [Rule(name == "allow", _normalise(value)) for name, value in lines if name != "crawl-delay" and value]
        delays = [value for name, value in lines if name == "crawl-delay" and re.fullmatch(r"\d{1,6}(\.\d+)?", value)]
        return cls(rules, min(float(delays[0]), _MAX_DELAY_S) if delays else 0.0)

    def allows(self, path: str) -> bool:
        """Whether the path, with its query, may be fetched."""
        path = _normalise(path)
        found = [rule for rule in self.rules if rule.matches(path)]
        return max(((len(rule.pattern), rule.is_allowed) for rule in found), default=(0, True))[1]


ALLOW_ALL = Robots()
DISALLOW_ALL = Robots([Rule(False, "/")])


def _normalise(path: str) -> str:
    # One spelling of every octet (RFC 9309 §2.2.2).
    return quote(unquote_to_bytes(path), safe="/?&=*$:@!,;+~()'")
