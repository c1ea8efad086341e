"""A misspelt name is met with the one that was meant, and `--set` with its own mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config.evaluate import load_evaluation
from flows.config.rest_em import load_config
from tasks.errors import UserError


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "sampling.sample=8",
            "--set sampling.sample: no such field; did you mean sampling.samples?",
        ),
        ("samplng.samples=8", "--set samplng: no such field; did you mean sampling?"),
        ("data.train_limits=8", "did you mean data.train_limit?"),
        ("epochs=2", "--set epochs: no such field; did you mean finetune.epochs or reward.epochs?"),
        ("temprature=0.5", "did you mean sampling.temperature"),
        ("finetune.temperatur=0.5", "did you mean finetune.temperature?"),
    ],
)
def test_a_field(change: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config("math-demo", [change])
    assert said in str(caught.value)


def test_nothing_is_like_it() -> None:
    with pytest.raises(UserError) as caught:
        load_config("math-demo", ["qqqqqqqqq=8"])
    assert str(caught.value) == "--set qqqqqqqqq: no such field"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sampling.samples=0", "--set sampling.samples: Input should be greater than"),
        ("filter.score=tests", "--set filter.score: tests is a reward of programs"),
        ("filter.score=nowhere.py:f", "--set filter.score: "),
    ],
)
def test_set_is_blamed_for_its_own(change: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config("math-demo", [change])
    assert str(caught.value).startswith(said)


def test_the_file_is_blamed_for_its_own(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('like = "math-demo"\n[sampling]\nsamples = 0\n')
    with pytest.raises(UserError) as caught:
        load_config(file, ["sampling.temperature=-1"])
    both = str(caught.value)
    assert f"{file}: sampling.samples: " in both
    assert "--set sampling.temperature: " in both


def test_set_of_an_evaluation() -> None:
    with pytest.raises(UserError, match=r"^--set measure.sample: no such field; did you mean"):
        load_evaluation("", {"model": "embedded:tiny-math"}, ["measure.sample=3"])


@pytest.mark.parametrize(
    ("name", "meant"), [("math-dmeo", "math-demo"), ("wise_ft", "wise-ft"), ("own.tml", "own.toml")]
)
def test_a_configuration(
    name: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.toml").write_text('like = "math-demo"\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        load_config(name)
    assert f"{name}: no such file; did you mean {meant}?" in str(caught.value)
