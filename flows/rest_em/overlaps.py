"""Training problems that overlap the test set: found before anything is sampled for them."""

from __future__ import annotations

from collections.abc import Iterator


def overlap_lines(found: int, problems: int, words: int) -> Iterator[str]:
    """What a run says of the training problems that it does not sample; nothing of none.

    Args:
        found: How many there are.
        problems: Of training.
        words: Of a run that two questions share.
    """
    if found:
        yield (
            f"{found:,} of {problems:,} training problems share {words} words in a row with a test "
            "problem, or are one (filter.decontaminate_ngram), and are not sampled"
        )
