"""Right and wrong samples together, each with its label: for KTO, and for rows of low weight.

The right ones are what `select` keeps. Of each problem's wrong ones (pairs.py says what a wrong
sample is) at most `cap` are drawn by the same seeded draw, whether or not the problem has a right
one. KTO (Ethayarajh et al., arXiv 2402.01306) needs a label and no pairs; with `wrong_weight` the
likelihood of wrong samples is trained on too, with less weight (arXiv 2601.04992 finds that they
help out of domain: a hypothesis to test, not advice).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from tasks.rows import FINISH, LABEL, TOKEN_IDS, Row
from tasks.select.drawn import Shard
from tasks.select.pairs import Wrong, wrong_samples
from tasks.select.results import SelectionCounts
from tasks.select.select import blocks, select, trained
from tasks.select.selectors import Choose
from tasks.settings import FilterSettings


def labelled(
    shards: Sequence[Shard],
    problems: Sequence[Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    *,
    adaptive: bool = False,
    choose: Choose | None = None,
) -> tuple[Iterator[Row], SelectionCounts]:
    """The rows, those of a problem together, right ones first; arguments and errors of `select`.

    Returns:
        Rows of rows.LABELLED and their counts, with `wrong` besides: how many wrong samples came.
    """
    chosen, counts = select(
        shards, problems, settings, seed, prompt_of, adaptive=adaptive, choose=choose
    )
    counts.wrong = 0
    known = {row["id"]: row for row in problems}
    return _joined(chosen, shards, known, settings, seed, prompt_of, counts), counts


def _joined(
    chosen: Iterator[Row],
    shards: Sequence[Shard],
    problems: dict[str, Row],
    settings: FilterSettings,
    seed: int,
    prompt_of: Callable[[Row], str],
    counts: SelectionCounts,
) -> Iterator[Row]:
    from tasks.select.decontaminate import overlapping

    overlap = overlapping(list(problems.values()), settings.decontaminate_ngram)
    right = {name: list(rows) for name, rows in groupby(chosen, lambda row: row["problem_id"])}
    for block in blocks(shards):
        found = wrong_samples(block, settings, seed)
        for name in (name for name in problems if name in found):
            for row in right.pop(name, []):
                yield {**row, LABEL: True}
            if name in overlap:
                continue
            prompt = prompt_of(problems[name])
            for one in sorted(found[name], key=lambda one: one.index):
                row = _row(name, prompt, one, settings)
                if row["completion"]:
                    counts.wrong = (counts.wrong or 0) + 1
                    yield row


def _row(name: str, prompt: str, one: Wrong, settings: FilterSettings) -> Row:
    return {
        "prompt": prompt,
        "completion": trained(one.text, prompt, settings),
        TOKEN_IDS: one.ids,
        FINISH: "stop",
        "weight": settings.wrong_weight,
        "problem_id": name,
        "index": one.index,
        "samples": one.samples,
        LABEL: False,
    }
