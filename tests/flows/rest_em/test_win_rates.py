"""Win rates over the base in a run: measured where a judge has a say, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config.rest_em import RestEmConfig, load_config
from flows.orchestrator.direct_caller import DirectCaller
from flows.report.win_rates import win_rates_text
from flows.rest_em.loop import Loop
from flows.rest_em.results import RunReport
from flows.rest_em.summary import report_call
from tasks.rows import PREFERENCES_FILE, read_rows
from tests.flows.audit.test_audit_judge import TEMPLATE
from tests.small import SMALLEST

CHANGES = (
    *SMALLEST,
    "iterations=1",
    "evaluation.train_problems=0",
    "finetune.learning_rate=5e-3",  # so that so few rows change the answers
    "resources.threads=1",
    "resources.batch_size=64",
)


def _ran(config: RestEmConfig) -> RunReport:
    """The report of a run in this process."""
    with DirectCaller(config) as caller:
        outcome = Loop(config, caller).run()
        made = caller.call(report_call(config, outcome), config.iterations, "report")
        return RunReport.read(caller.store.path(made))


def _artifacts(home: Path, kind: str = "*") -> list[Path]:
    return sorted((home / "store").glob(f"{kind}/*"))


@pytest.fixture
def judged(home: Path, tmp_path: Path) -> RestEmConfig:
    """A run with a judge that is asked for win rates alone; rewards are the checker's."""
    template = tmp_path / "plain.toml"
    template.write_text(TEMPLATE)
    judge = (f"judge.prompt={template}", "judge.model=embedded:tiny-math", "judge.reason_tokens=4")
    return load_config("math-demo", [*CHANGES, *judge])


@pytest.mark.slow
def test_a_run_with_a_judge_has_win_rates_of_it_and_of_the_checker(
    judged: RestEmConfig, home: Path
) -> None:
    report = _ran(judged)
    base, policy = report.iterations
    assert base.win_rates is None and policy.win_rates is not None
    by = policy.win_rates.by
    assert set(by) == {"oracle", "judge"}
    assert [one.raw.problems for one in by.values()] == [8, 8]
    gain = policy.greedy.value - base.greedy.value
    assert by["oracle"].raw.value == pytest.approx(0.5 + gain / 2)
    # Equal answers are not asked about, and what is asked is asked in both orders.
    rows = [row for ref in _artifacts(home, "preferences") for row in _preferences(ref)]
    assert 0 < len(rows) <= 8
    assert all(row["p_second"] is not None for row in rows)
    text = win_rates_text({"p1": policy.win_rates}, "the base")
    assert "win rate over the base" in text and "at equal length" in text

    [folder] = _artifacts(home, "report")
    for page in ("report.html", "report.md"):
        assert "Win rate over the base policy" in (folder / page).read_text()

    made = _artifacts(home)
    assert _ran(judged) == report
    assert _artifacts(home) == made


def _preferences(folder: Path):
    return list(read_rows(folder / PREFERENCES_FILE))


@pytest.mark.slow
def test_a_run_without_preferences_has_none(home: Path) -> None:
    config = load_config("math-demo", [*CHANGES])
    report = _ran(config)
    assert report.win_rates == {} and "win_rates" not in str(report.to_json())
    assert not _artifacts(home, "win_rates")


@pytest.mark.slow
def test_notes_have_the_oracle_without_any_judge(home: Path) -> None:
    config = load_config("notes-demo", [*CHANGES, 'judge.model=""', "reward.by=checker"])
    found = _ran(config).win_rates[1].by
    assert list(found) == ["oracle"]
    assert found["oracle"].raw.problems == 8
