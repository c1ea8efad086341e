"""Whole small runs of methods beside the paper: blends, a pool of all iterations, a verifier."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from flows.config.rest_em import load_config
from flows.rest_em.page.page import render
from flows.rest_em.summary import report_call, summarise
from tasks.store.store import ArtifactRef
from tests.flows.rest_em.direct_run import QUIET, Ran
from tests.small import SMALL, SMALLEST

pytestmark = pytest.mark.engine
SMALL_RUN = (*SMALL, *SMALLEST, "data.train_limit=48", *QUIET)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all runs here: what they have in common is made once."""
    return tmp_path_factory.mktemp("methods")


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(home))


def ran(*changes: str) -> Ran:
    return Ran(load_config("math-demo", [*SMALL_RUN, *changes]))


def page_of(run: Ran) -> str:
    return render(summarise(report_call(run.config, run.outcome), run.store))


def weights(run: Ran, policy: ArtifactRef) -> dict[str, torch.Tensor]:
    return load_file(run.store.path(policy) / "model.safetensors")


def test_a_blend_is_the_mean_of_two_policies_and_trains_nothing_again() -> None:
    plain, half = ran("iterations=1"), ran("iterations=1", "finetune.blend=[0.5]")
    tuned = plain.outcome.iterations[1].policy
    base, blended = (now.policy for now in half.outcome.iterations)
    assert half.policies() == plain.policies()  # the same fine-tune
    before, after, mean = weights(half, base), weights(half, tuned), weights(half, blended)
    assert before.keys() == after.keys() == mean.keys()
    for name, one in mean.items():
        wanted = (before[name] + after[name]) / 2
        torch.testing.assert_close(one, wanted, rtol=0.0, atol=1e-6)
    # What is measured is the blend.
    greedy = half.rows(half.outcome.iterations[1].greedy.samples, "samples.parquet")
    assert {row["model"] for row in greedy} == {blended.digest} != {tuned.digest}


def test_of_several_shares_the_best_on_validation_problems_is_taken() -> None:
    run = ran("iterations=1", "data.validation=16", "finetune.blend=[0.0,0.5,1.0]")
    base, now = (one.policy for one in run.outcome.iterations)
    (tuned,) = run.policies().values()
    found = []
    for share in (0.0, 0.5, 1.0):
        (verdicts,) = [ref for group, ref in run.done if group == f"score blend {share:g}"]
        rows = run.rows([verdicts], "verdicts.parquet")
        found.append(sum(row["reward"] for row in rows) / len(rows))
    none, half = dict.fromkeys(ref for group, ref in run.done if group == "blend")
    best = max((reward, number) for number, reward in enumerate(found))[1]
    assert now == (none, half, tuned)[best]
    before, same = weights(run, base), weights(run, none)
    assert all(torch.equal(one, before[name]) for name, one in same.items())


def test_a_pool_has_the_samples_of_all_iterations() -> None:
    last, pooled = ran("filter.cap=0"), ran("filter.cap=0", "filter.pool=all")
    ones = [run.outcome.iterations[0].selection for run in (last, pooled)]
    assert ones[0] == ones[1] is not None  # there is one iteration so far
    first, second = (one.drawn for one in pooled.outcome.iterations[:2])
    selections = [run.outcome.iterations[1].selection for run in (last, pooled)]
    assert selections[0] is not None and selections[1] is not None and ones[1] is not None
    refs = [selections[0], selections[1], ones[1]]
    texts = [
        {(row["problem_id"], row["completion"]) for row in pooled.rows([ref], "rows.parquet")}
        for ref in refs
    ]
    of_last, of_both, of_first = texts
    assert of_both == of_last | of_first
    assert len(of_last) < len(of_both)
    assert first.samples != second.samples


def test_a_verifier_chooses_among_samples_of_test_problems() -> None:
    changes = (
        *("iterations=1", "sampling.samples=8", "evaluation.verifier=own"),
        *("evaluation.samples=4", "evaluation.pass_k=[1,4]", "evaluation.sampled_problems=8"),
        *("reward.batch_size=16", "reward.max_length=256", "reward.epochs=1"),
    )
    run = ran(*changes)
    groups = [group for group, _ in run.done]
    assert groups.count("fit verifier") == 1
    assert groups.count("verify") == 2  # the base and the policy
    for ref in (ref for group, ref in run.done if group == "verify"):
        metrics = json.loads((run.store.path(ref) / "verified.json").read_text())["metrics"]
        values = {name: one["value"] for name, one in metrics.items()}
        assert values["best@1"] <= values["best@4"] + 1.0
        assert all(0.0 <= one <= 1.0 for one in values.values())
    page = page_of(run)
    assert "A verifier at test time" in page
    # Without it nothing is fit, and nothing is drawn otherwise.
    plain = ran(*(one for one in changes if "verifier" not in one))
    assert not {"fit verifier", "verify"} & {group for group, _ in plain.done}
    assert plain.outcome.iterations[1].policy == run.outcome.iterations[1].policy
    assert "A verifier at test time" not in page_of(plain)
