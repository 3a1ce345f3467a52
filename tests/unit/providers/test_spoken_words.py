"""Words of a text on the clock of its audio."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.providers.spoken_words import Span, Token, WordClock, list_tokens, share


def test_words_that_run_together_share_their_span_by_length() -> None:
    clock = WordClock(list_tokens("of the rest"))
    assert clock.advance(character=0, sample=0) is None
    span = clock.advance(character=7, sample=500)
    assert span is not None
    assert share(span, quiet_from=500) == [("of", 0, 200), ("the", 200, 500)]


def test_symbols_take_no_time_and_pauses_belong_to_no_word() -> None:
    span = Span((Token("ok", 0, 2), Token("–", 3, 4)), 100, 400)
    assert share(span, quiet_from=300) == [("ok", 100, 300), ("–", 300, 300)]


def test_a_word_read_in_parts_is_one_word() -> None:
    clock = WordClock(list_tokens("at 3:45 today"))
    assert clock.advance(character=0, sample=0) is None
    first, *rest = [clock.advance(character=c, sample=s) for c, s in ((3, 10), (5, 20), (6, 30), (8, 40))]
    assert first == Span((Token("at", 0, 2),), 0, 10)
    assert rest == [None, None, Span((Token("3:45", 3, 7),), 10, 40)]


@settings(max_examples=200)
@given(
    text=st.text(alphabet="ab c-1.\n", max_size=40),
    events=st.lists(st.tuples(st.integers(-2, 45), st.integers(0, 5_000)), max_size=12),
)
def test_every_word_comes_once_in_order_with_times_that_never_go_back(text: str, events: list[tuple[int, int]]) -> None:
    clock = WordClock(list_tokens(text))
    spans = [clock.advance(character=character, sample=sample) for character, sample in events] + [clock.finish(5_000)]
    words = [word for span in spans if span is not None for word in share(span, quiet_from=span.end - 7)]
    assert [word for word, _, _ in words] == text.split()
    times = [time for _, begin, end in words for time in (begin, end)]
    assert times == sorted(times)
