"""robots.txt as RFC 9309 reads it."""

import pytest

from ringdown.knowledge.robots import Robots

TEXT = """
# everybody
User-agent: *
Disallow: /private
Allow: /private/press
Disallow: /*.pdf$
Disallow: /search?*q=
Crawl-delay: 2.5

User-agent: BadBot
User-agent: WorseBot
Disallow: /
"""


@pytest.mark.parametrize(
    ("path", "is_allowed"),
    [
        ("/", True),
        ("/private", False),
        ("/private/x", False),
        ("/private/press/1", True),
        ("/a/b.pdf", False),
        ("/a/b.pdf?x", True),
        ("/search?lang=en&q=x", False),
        ("/search", True),
        ("/%70rivate", False),
    ],
)
def test_the_longest_rule_decides(path: str, is_allowed: bool) -> None:
    assert Robots.parse(TEXT).allows(path) is is_allowed


def test_a_group_that_names_us_replaces_the_one_for_everybody() -> None:
    robots = Robots.parse("User-agent: *\nDisallow: /\n\nUser-agent: Ringdown\nDisallow: /x\nAllow: /x\n")
    assert robots.allows("/")
    assert robots.allows("/x")


def test_the_delay_is_read_and_bounded() -> None:
    assert Robots.parse(TEXT).delay_s == 2.5
    assert Robots.parse("User-agent: *\nCrawl-delay: 86400").delay_s == 10
    assert Robots.parse("User-agent: *\nCrawl-delay: soon").delay_s == 0


@pytest.mark.parametrize("text", ["", "\0\0", "<html>no</html>", "Disallow: /", "User-agent: *\nDisallow:"])
def test_a_file_without_rules_allows_everything(text: str) -> None:
    assert Robots.parse(text).allows("/anything")


def test_a_file_of_endless_groups_costs_no_more_than_its_length() -> None:
    text = "".join(f"user-agent:a{number}\n" for number in range(15_000)) + "disallow:/\n" * 20_000
    assert not Robots.parse(text).rules
    assert len(Robots.parse("user-agent:ringdown\n" + text).rules) == 20_000
