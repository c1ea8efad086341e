"""A fit that is killed at random moments, by SIGKILL, goes on to the same bytes."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tasks.fit.results import FitFacts
from tasks.fit.trainer import fit
from tests.tasks.finetune.finetune_parts import FORKS
from tests.tasks.fit.test_fit import _digest, _facts, _job

pytestmark = pytest.mark.engine


def fit_until(job: dict[str, Any], point: str, count: int) -> None:
    """Fit, and be killed when `point` is reached for the `count`th time."""
    from tasks.finetune import checkpoints
    from tasks.fit import trainer

    reached = 0

    def here() -> None:
        nonlocal reached
        reached += 1
        if reached == count:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def patched(*args: Any, **kwargs: Any) -> Any:
            here()
            return original(*args, **kwargs)

        setattr(owner, name, patched)

    if point == "durable write":
        before(checkpoints, "write_durably")
    elif point == "best weights":
        before(checkpoints, "put_durably")
    elif point == "export":
        before(trainer, "_export")
    fit(job, lambda *_: here() if point == "step" else None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[FitFacts, str]:
    """What a fit gives that is not killed: its facts, and the digest of its model."""
    folder = tmp_path_factory.mktemp("whole")
    return _facts(fit(_job(folder))), _digest(folder / "out")


@pytest.mark.parametrize(
    ("point", "times"), [("step", 5), ("durable write", 2), ("best weights", 1), ("export", 1)]
)
def test_it_goes_on_to_the_same_bytes(
    whole: tuple[FitFacts, str], tmp_path: Path, point: str, times: int
) -> None:
    job, draw = _job(tmp_path), random.Random(point)
    kills = 0
    for _ in range(2):
        count = draw.randint(1, times)
        child = FORKS.Process(target=fit_until, args=(job, point, count))
        child.start()
        child.join()
        assert child.exitcode in (-9, 0)  # a later one may have less left to do
        kills += child.exitcode == -9
    assert kills
    assert (_facts(fit(job)), _digest(tmp_path / "out")) == whole
