"""Chunks ranked by the words they hold: rare words, repeated words, short chunks, beginnings."""

from ringdown.knowledge import ranking, words

FORMS = words.list_forms(["plan", "refunds"])


def rank(texts: list[str], *, query: list[str], total: int = 1_000, limit: int = 10) -> list[int]:
    """The places of the texts, ranked as a search ranks them."""
    forms = words.list_forms(query)
    hits = []
    for form in forms:
        starts = f" {form.word} " if form.beginning is None else f" {form.beginning}"
        hits.append([place for place, text in enumerate(texts) if starts in f" {text} "])
    weighted = ranking.weigh(forms, hits, total=total)
    chosen = ranking.choose(weighted, hits, limit=limit)
    return ranking.rank(weighted, [(place, texts[place]) for place in chosen], limit=limit)


def test_a_rare_word_counts_more_than_a_frequent_one() -> None:
    texts = ["plan one", *["plan of ours"] * 50, "refunds take days"]
    assert rank(texts, query=["plan", "refunds"])[0] == 51


def test_both_words_beat_one_and_a_word_itself_beats_a_like_one() -> None:
    texts = ["refund policy here", "refunds policy here", "refunds plan here", "nothing of it"]
    assert rank(texts, query=["plan", "refunds"]) == [2, 1, 0]


def test_a_repeated_word_counts_more_and_a_long_chunk_less() -> None:
    assert rank(["fee for this", "fee and fee", "fee " + "word " * 60], query=["fee"]) == [1, 0, 2]


def test_equal_chunks_come_in_their_order_and_no_more_than_asked_for() -> None:
    assert rank(["fee"] * 9, query=["fee"], limit=4) == [0, 1, 2, 3]


def test_of_many_chunks_those_with_the_most_telling_words_are_read() -> None:
    forms = words.list_forms(["plan", "fee"])
    hits = [list(range(500)), [499, 700]]
    weighted = ranking.weigh(forms, hits, total=1_000)
    assert ranking.choose(weighted, hits, limit=3) == [499, 700, 0]


def test_nothing_found_is_nothing_ranked_and_counts_that_lag_behind_do_no_harm() -> None:
    hits: list[list[int]] = [[] for _ in FORMS]
    weighted = ranking.weigh(FORMS, hits, total=0)
    assert ranking.choose(weighted, hits, limit=5) == []
    assert ranking.rank(weighted, [], limit=5) == []
    # A source that is being read has chunks before it counts them.
    assert rank(["fee a", "fee b"], query=["fee"], total=0) == [0, 1]
