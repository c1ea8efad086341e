"""The balance score by hand, against a plain version, and a run that searches."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.config.rest_em import load_config
from flows.rest_em.page.page import render
from flows.rest_em.search import balance_score
from flows.rest_em.summary import report_call, summarise
from tests.flows.rest_em.direct_run import QUIET, Ran
from tests.small import SMALL, SMALLEST

SAMPLES = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from("xyz")),
    max_size=12,
)


def row(name: str, reward: float, text: str) -> dict[str, object]:
    status = "correct" if reward == 1.0 else "wrong_answer"
    return {"problem_id": name, "reward": reward, "status": status, "text": text}


def test_by_hand() -> None:
    rows = [
        *(row("a", 1.0, text) for text in ("x", "x ", "y")),  # three kept, two unlike
        row("a", 0.5, "z"),
        row("b", 0.0, "x"),  # nothing kept
    ]
    assert balance_score(rows, 1.0, 4) == pytest.approx((2 / 4 * 2 / 3 + 0) / 2)
    # A lower threshold keeps a wrong one, which the score punishes.
    assert balance_score(rows, 0.5, 4) == pytest.approx((2 / 4 * 2 / 4 + 0) / 2)
    assert balance_score(rows, 1.0, 1) == pytest.approx((1 * 2 / 3 + 0) / 2)
    assert balance_score([], 1.0, 1) == 0.0


@given(SAMPLES, st.sampled_from([0.5, 1.0]), st.integers(1, 5))
def test_it_is_what_plain_counting_gives(found, threshold, wanted) -> None:  # type: ignore[no-untyped-def]
    rows = [row(*one) for one in found]
    scores = []
    for name in sorted({one[0] for one in found}):
        kept = [one for one in found if one[0] == name and one[1] >= threshold]
        unlike = {one[2] for one in kept if one[1] == 1.0}
        scores.append(min(len(unlike) / wanted, 1) * len(unlike) / len(kept) if kept else 0)
    assert balance_score(rows, threshold, wanted) == pytest.approx(
        sum(scores) / len(scores) if scores else 0
    )


@pytest.mark.engine
def test_a_run_takes_the_best_temperature_and_shares_the_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(tmp_path))

    def ran(*changes: str) -> Ran:
        small = ("iterations=1", "data.train_limit=48", "data.validation=24")
        return Ran(load_config("math-demo", [*SMALL, *SMALLEST, *small, *QUIET, *changes]))

    searched = ran("sampling.search=[0.7,1.4]", "sampling.search_samples=4")
    groups = [group for group, _ in searched.done]
    assert groups.count("generate search 0.7") == groups.count("generate search 1.4") > 0
    page = render(summarise(report_call(searched.config, searched.outcome), searched.store))
    taken = page.split("samples at temperature ")[1].split(" ")[0]
    # A run with that temperature and no search draws the very same samples.
    plain = ran(f"sampling.temperature={taken}")
    first, same = (run.outcome.iterations[0].drawn for run in (searched, plain))
    assert first.samples == same.samples
