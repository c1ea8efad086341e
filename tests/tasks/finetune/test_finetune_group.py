"""Several processes, started by accelerate launch, train what one process trains."""

import signal
import sys
from pathlib import Path

import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen2MoeConfig, Qwen2MoeForCausalLM

from tasks.errors import StepError, UserError
from tasks.finetune.common import Order
from tasks.finetune.step import LAUNCHER
from tasks.finetune.supervised import filled
from tasks.finetune.trainer import train
from tasks.processes.child import Child
from tests.tasks.finetune.finetune_parts import (
    grade,
    make_job,
    make_rows,
    make_start,
    make_tokenizer,
    write,
)
from tests.tasks.finetune.test_finetune import loss_and_gradient, trainer_of
from tests.tasks.finetune.test_recurrent import HEADS, SHAPE

pytestmark = pytest.mark.engine

SETTINGS = {"epochs": 2.0, "checks": 3, "patience": 3, "batch_size": 4, "learning_rate": 1e-3}
# Runs here what a command such as srun would run elsewhere, and writes down for whom.
ELSEWHERE = """sh -c 'seen=$0; echo $1 >> $seen; shift; exec "$@"'"""
LORA = {"method": "lora", "lora_rank": 4, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("group")
    make_start(folder / "start")
    write(folder / "rows.parquet", make_rows(49, (1.0, 0.5)))
    return folder


@pytest.fixture(scope="module")
def alone(place):
    """What one process gives: reply, questions and weights."""
    done = {}

    def outcome(**settings):
        name = settings.get("method", "full")
        if name not in done:
            job = job_in(place, place / name, 1, **settings)
            asked = []
            reply = train(job, lambda question: asked.append(question) or grade(question))
            done[name] = reply, asked, weights_of(job)
        return done[name]

    return outcome


def job_in(place: Path, work: Path, processes: int, strategy: str = "ddp", **settings) -> dict:
    job = make_job(place / "start", place / "rows.parquet", work, **{**SETTINGS, **settings})
    job["resources"] |= {"train_processes": processes, "train_strategy": strategy}
    Path(job["out"]).mkdir(parents=True)
    return job


def weights_of(job: dict) -> dict[str, torch.Tensor]:
    return AutoModelForCausalLM.from_pretrained(job["out"]).state_dict()


def ranks_of(child: Child) -> dict[str, psutil.Process]:
    found = psutil.Process(child.pid).children(recursive=True)
    return {one.environ()["RANK"]: one for one in found if "RANK" in one.environ()}


def opened(log: Path) -> Child:
    return Child.script(Path(sys.executable), LAUNCHER, log=log)


def check_same(job: dict, reply: dict, asked: list, expected: tuple) -> None:
    single, questions, weights = expected
    assert asked == questions
    for name in ("rows", "sequences", "tokens", "targets", "steps", "best_step", "best_reward"):
        assert reply[name] == single[name], name
    assert len(reply["history"]) == len(single["history"])
    for entry, other in zip(reply["history"], single["history"], strict=True):
        assert entry == pytest.approx(other, abs=1e-4)
    for name, weight in weights_of(job).items():
        assert torch.allclose(weight, weights[name], atol=1e-4), name


@pytest.mark.parametrize(
    ("strategy", "settings"), [("ddp", {}), ("fsdp", {}), ("fsdp", LORA)], ids=str
)
def test_a_group_that_lost_a_process_goes_on_and_gives_what_one_process_gives(
    place, alone, tmp_path, strategy, settings
):
    expected = alone(**settings)
    reply = expected[0]
    # So the last step of an epoch has nothing for one of the processes.
    assert reply["sequences"] % SETTINGS["batch_size"] in (1, 2)
    assert reply["steps"] > 5
    job = job_in(place, tmp_path, 2, strategy, **settings)
    log = tmp_path / "log.txt"
    asked, killed = [], []

    def kill(question):
        asked.append(question)
        if len(asked) == 2:
            killed.extend(ranks_of(child).values())
            assert len(killed) == 2
            killed[-1].send_signal(signal.SIGKILL)
        return grade(question)

    with opened(log) as child:
        # Who is the first to notice, the launcher or the other process, is a matter of luck.
        with pytest.raises(StepError, match=r"died|reset by peer|closed"):
            child.call(job, on_ask=kill)
        assert not psutil.wait_procs(killed, 300)[1]
    saved = {path.name for path in (tmp_path / "checkpoints").rglob("*")}
    assert ("pytorch_model_fsdp_0" in saved) == (strategy == "fsdp")  # it was split, or not
    steps, again = [], []

    def answer(question):
        again.append(question)
        return grade(question)

    with opened(log) as child:
        result = child.call(job, on_ask=answer, on_progress=lambda done, _: steps.append(done))
    assert steps[0] > 1
    check_same(job, result, asked[: 3 - len(again)] + again, expected)


def test_a_split_model_with_weights_of_fewer_rows_than_processes_trains_as_a_whole_one(tmp_path):
    start = tmp_path / "start"
    torch.manual_seed(0)
    config = Qwen2MoeConfig(  # its gate of the shared expert has one row
        **{**SHAPE, **HEADS},
        moe_intermediate_size=32,
        shared_expert_intermediate_size=32,
        num_experts=4,
        num_experts_per_tok=2,
    )
    Qwen2MoeForCausalLM(config).to(torch.bfloat16).save_pretrained(start)
    make_tokenizer().save_pretrained(start)
    write(tmp_path / "rows.parquet", make_rows(12))
    replies, weights = [], []
    for processes, strategy in ((1, "ddp"), (2, "fsdp")):
        job = job_in(tmp_path, tmp_path / strategy, processes, strategy, epochs=1.0, checks=1)
        job["resources"]["checkpoint_minutes"] = 1e-4
        if processes == 1:
            replies.append(train(job, grade))
        else:
            with opened(tmp_path / "log.txt") as child:
                replies.append(child.call(job, on_ask=grade))
        weights.append(weights_of(job))
    assert replies[1]["best_reward"] == replies[0]["best_reward"]
    for name, weight in weights[0].items():
        assert weights[1][name].dtype == torch.bfloat16
        assert torch.allclose(weights[1][name].float(), weight.float(), atol=1e-2), name


def on_two_machines(place: Path, work: Path, **settings) -> dict:
    job = job_in(place, work, 2, "fsdp", epochs=1.0, checks=1, **settings)
    job["resources"]["train_machines"] = 2
    return job


def test_machines_that_the_operators_command_reaches_train_together(place, tmp_path, monkeypatch):
    seen = tmp_path / "started"
    monkeypatch.setenv("RESTEM_MACHINE_COMMAND", f"{ELSEWHERE} {seen} {{rank}}")
    monkeypatch.setenv("RESTEM_MACHINE_ADDRESS", "127.0.0.1")
    work = tmp_path / "work"
    work.mkdir()
    with opened(tmp_path / "log.txt") as child:
        reply = child.call(on_two_machines(place, work), on_ask=grade)
    assert reply["steps"] > 1
    assert seen.read_text().split() == ["1"]
    assert "model.safetensors" in {path.name for path in (work / "out").iterdir()}


def test_a_machine_that_cannot_be_reached_ends_the_fine_tune(place, tmp_path, monkeypatch):
    monkeypatch.setenv("RESTEM_MACHINE_COMMAND", "false")
    with (
        opened(tmp_path / "log.txt") as child,
        pytest.raises(StepError, match=r"died|reset by peer|closed"),
    ):
        child.call(on_two_machines(place, tmp_path), on_ask=grade)


def test_without_a_command_that_reaches_other_machines_there_is_one_line(
    place, tmp_path, monkeypatch
):
    monkeypatch.delenv("RESTEM_MACHINE_COMMAND", raising=False)
    with (
        opened(tmp_path / "log.txt") as child,
        pytest.raises(UserError, match=r"train_machines: 2 machines need RESTEM_MACHINE"),
    ):
        child.call(on_two_machines(place, tmp_path), on_ask=grade)


def test_a_mistake_in_a_group_is_the_users_one_line(place, tmp_path):
    job = job_in(place, tmp_path, 2, batch_size=3)
    with (
        opened(tmp_path / "log.txt") as child,
        pytest.raises(UserError, match=r"finetune.batch_size: 3 sequences cannot be split among 2"),
    ):
        child.call(job, on_ask=grade)


def test_a_batch_of_nothing_has_no_loss_and_no_gradient(place, tmp_path):
    trainer = trainer_of(job_in(place, tmp_path, 1), tmp_path)
    dataset = trainer.train_dataset
    more = filled(dataset, 8)
    assert 0 < len(more) - len(dataset) == -len(dataset) % 8
    assert more[: len(dataset)] == dataset[:]
    trainer.train_dataset = [more[i] for i in range(len(dataset), len(more))]
    loss, gradient = loss_and_gradient(trainer)
    assert loss == 0.0
    assert gradient.numel() and not gradient.any()


def test_empty_sequences_stand_at_the_end_of_every_epoch():
    order = Order(5, 1, 3)
    plain = Order(5, 1)
    assert len(order) == 8
    assert list(order) == [*plain, 5, 6, 7]
