"""Policy gradient: the advantage by hand, what it learns, that it repeats and resumes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tasks.errors import UserError
from tasks.finetune.reinforce import Passes, Reinforce
from tasks.finetune.trainer import train
from tasks.rows import PROMPT, write_rows
from tests.tasks.finetune.finetune_parts import FORKS, grade, make_job, make_start, train_until
from tests.tasks.finetune.test_preference import LORA, digests

PROMPTS = [f"what is {n} + {n}?\n" + "so " * (n % 3) for n in range(10)]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_start(tmp_path_factory.mktemp("start"))


def write_prompts(path: Path, prompts: list[str]) -> Path:
    rows = ({"problem_id": f"p{n}", "prompt": prompt} for n, prompt in enumerate(prompts))
    write_rows(path, PROMPT, rows)
    return path


def make_rl_job(start: Path, rows: Path, work: Path, **settings: object) -> dict[str, Any]:
    plain = {"improve": "rl", "batch_size": 8, "learning_rate": 1e-2, "epochs": 2.0}
    job = make_job(start, rows, work, **{**plain, **settings})
    return {**job, "reward": {"by": "checker"}}


def digits(text: str) -> float:
    """Share of a text that is digits."""
    return sum(one.isdigit() for one in text) / max(1, len(text))


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Rewards of samples by their digits, and of validation texts as `grade` has them."""
    if "reward" in question:
        return {"rewards": [digits(text) for text in question["reward"]["texts"]]}
    return grade(question)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prompts(tmp_path_factory.mktemp("prompts") / "rows.parquet", PROMPTS)


def test_no_problem_is_left_out_and_each_pass_takes_all() -> None:
    passes = Passes(5, 3, problems=2, generations=3, times=2, steps=5)
    taken = list(passes)
    assert len(taken) == len(passes) == 5 * 2 * 3 * 2
    steps = [taken[n : n + 12] for n in range(0, len(taken), 12)]
    for step in steps:
        assert step[:6] == step[6:]  # the same again for the second forward pass
        assert step[:3] == [step[0]] * 3
    order = [step[place] for step in steps for place in (0, 3)]
    assert sorted(order[:5]) == sorted(order[5:]) == list(range(5))
    assert order[:5] != order[5:]
    assert [passes.pass_of(step, place) for step in range(5) for place in range(2)] == (
        [0] * 5 + [1] * 5
    )


Batch = dict[str, Any]


def watched(monkeypatch: pytest.MonkeyPatch, name: str, seen: list[Any]) -> None:
    """Note what a method of the trainer gives."""
    original: Callable[..., Any] = getattr(Reinforce, name)

    def noting(self: Reinforce, *args: Any, **kwargs: Any) -> Any:
        made = original(self, *args, **kwargs)
        seen.append(made)
        return made

    monkeypatch.setattr(Reinforce, name, noting)


@pytest.mark.engine
@pytest.mark.parametrize("settings", [{}, LORA])
def test_the_advantage_of_two_samples_is_the_difference_of_their_rewards(
    start: Path,
    prompts: Path,
    tmp_path: Path,
    settings: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R = r - beta * log ratio to the start by its own logits; A_1 = R_1 - R_2, A_2 = R_2 - R_1."""
    batches: list[Batch] = []
    drawn: list[Any] = []
    watched(monkeypatch, "_generate_and_score_completions", batches)
    watched(monkeypatch, "_generate", drawn)
    rewards: list[list[float]] = []
    watched(monkeypatch, "_reward", rewards)
    plain = {"checks": 0, "schedule": "constant", "warmup": 0.0, "beta": 0.3, "epochs": 1.6}
    job = make_rl_job(start, prompts, tmp_path / "a", temperature=0.7, **{**plain, **settings})
    train(job, answer)
    job = make_rl_job(start, prompts, tmp_path / "b", temperature=0.7, **{**plain, **settings})
    job["settings"]["epochs"] = 2.0  # the policy of "a" is that before the last step of this one
    batches.clear()
    drawn.clear()
    train(job, answer)
    then = log_probabilities(tmp_path / "a" / "out", drawn[-1], 0.7)
    before = log_probabilities(start, drawn[-1], 0.7)
    values = [
        reward - 0.3 * (now - was)
        for reward, now, was in zip(rewards[-1], then, before, strict=True)
    ]
    expected = [value - values[n + 1 if n % 2 == 0 else n - 1] for n, value in enumerate(values)]
    assert batches[-1]["advantages"].tolist() == pytest.approx(expected, abs=2e-4)
    assert batches[-1]["old_logps"].tolist() == pytest.approx(then, abs=1e-3)
    assert len(set(rewards[-1])) > 1
    assert max(abs(now - was) for now, was in zip(then, before, strict=True)) > 0.05


def log_probabilities(folder: Path, drawn: Any, temperature: float) -> list[float]:
    """Of sampled tokens, each row on its own, without padding."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    found = []
    for prompt, completion in zip(drawn[0], drawn[1], strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *completion]])).logits[0, len(prompt) - 1 : -1]
        likely = (logits / temperature).log_softmax(-1)
        found.append(float(likely.gather(1, torch.tensor(completion)[:, None]).sum()))
    return found


@pytest.mark.engine
def test_it_raises_the_reward_and_a_strong_hold_keeps_it_near_the_start(
    start: Path, prompts: Path, tmp_path: Path
) -> None:
    plain = {"epochs": 20.0, "generations": 4, "batch_size": 40, "checks": 0, "learning_rate": 3e-3}
    gained, moved = {}, {}
    for beta in (0.001, 1.0):
        job = make_rl_job(start, prompts, tmp_path / str(beta), beta=beta, **plain)
        history = train(job, answer)["history"]
        assert history[0]["kl"] == pytest.approx(0.0, abs=1e-5)
        gained[beta] = history[-1]["sampled_reward"] - history[0]["sampled_reward"]
        moved[beta] = history[-1]["kl"]
    assert gained[0.001] > 0.4
    assert gained[1.0] < 0.2
    assert 0 < moved[1.0] < moved[0.001] / 4


@pytest.mark.engine
@pytest.mark.parametrize("settings", [{}, LORA])
def test_the_same_job_gives_the_same_bytes(
    start: Path,
    prompts: Path,
    tmp_path: Path,
    settings: dict[str, object],
    capfd: pytest.CaptureFixture[str],
) -> None:
    replies, outs = [], []
    for name in ("a", "b"):
        reply = train(make_rl_job(start, prompts, tmp_path / name, **settings), answer)
        reply.pop("seconds")
        replies.append(reply)
        outs.append(digests(tmp_path / name / "out"))
    assert replies[0] == replies[1]
    assert outs[0] == outs[1]
    assert outs[0]["model.safetensors"] != digests(start)["model.safetensors"]
    assert outs[0].keys() == digests(start).keys()
    assert capfd.readouterr().out == ""


@pytest.mark.engine
def test_another_seed_draws_other_samples(start: Path, prompts: Path, tmp_path: Path) -> None:
    outs = []
    for seed in (1, 2):
        job = {**make_rl_job(start, prompts, tmp_path / str(seed)), "seed": seed}
        train(job, answer)
        outs.append(digests(tmp_path / str(seed) / "out")["model.safetensors"])
    assert outs[0] != outs[1]


THREE = {"epochs": 3.0, "checks": 3}


@pytest.fixture(scope="module")
def whole(
    start: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, str]]:
    """What a fine-tune gives that is not killed: its reply and its files."""
    work = tmp_path_factory.mktemp("whole")
    return train(make_rl_job(start, prompts, work, **THREE), answer), digests(work / "out")


@pytest.mark.engine
@pytest.mark.parametrize("point", ["step", "half of the best weights", "checkpoint without marker"])
def test_a_fine_tune_killed_at_random_goes_on_to_the_same_bytes(
    start: Path,
    prompts: Path,
    whole: tuple[dict[str, Any], dict[str, str]],
    tmp_path: Path,
    point: str,
) -> None:
    job = make_rl_job(start, prompts, tmp_path / "killed", **THREE)
    draw = random.Random(point)
    for _ in range(2):
        count = draw.randrange(1, 4)
        child = FORKS.Process(target=train_until, args=(job, point, count, answer))
        child.start()
        child.join(180)
        assert child.exitcode in (-9, 0)  # the second one may have less left to do
    reply = train(job, answer)
    assert reply["history"] == whole[0]["history"]
    assert digests(tmp_path / "killed" / "out") == whole[1]


@pytest.mark.engine
def test_forward_passes_of_any_size_make_the_same_steps_but_for_rounding(
    start: Path, prompts: Path, tmp_path: Path
) -> None:
    found = []
    for size in (8, 2):
        job = make_rl_job(start, prompts, tmp_path / str(size), checks=0, epochs=1.0)
        job["resources"]["train_batch_size"] = size
        found.append([entry["sampled_reward"] for entry in train(job, answer)["history"]])
    assert found[0] == pytest.approx(found[1], abs=1e-4)


@pytest.mark.engine
def test_what_does_not_end_or_says_nothing_has_no_reward_and_nobody_is_asked_of_it(
    start: Path, prompts: Path, tmp_path: Path
) -> None:
    asked: list[str] = []

    def ask(question: dict[str, Any]) -> dict[str, Any]:
        asked.extend(question["reward"]["texts"])
        return {"rewards": [1.0] * len(question["reward"]["texts"])}

    job = make_rl_job(start, prompts, tmp_path / "a", checks=0, epochs=1.0)
    job["validation"]["max_tokens"] = 6
    reply = train(job, ask)
    share = len(asked) / (8 * reply["steps"])
    mean = sum(entry["sampled_reward"] for entry in reply["history"]) / reply["steps"]
    assert 0 < share < 1
    assert mean == pytest.approx(share, abs=1e-5)
    assert all(text.strip() for text in asked)


@pytest.mark.engine
def test_prompts_without_room_for_a_sample_are_dropped_and_counted(
    start: Path, tmp_path: Path
) -> None:
    path = write_prompts(tmp_path / "rows.parquet", [*PROMPTS[:4], "so " * 40])
    reply = train(make_rl_job(start, path, tmp_path / "a", checks=0, epochs=1.0), answer)
    assert (reply["rows"], reply["dropped_long"]) == (4, 1)
    with pytest.raises(UserError, match=r"^finetune\.max_length: all 5 prompts are longer"):
        train(make_rl_job(start, path, tmp_path / "b", max_length=16), answer)
