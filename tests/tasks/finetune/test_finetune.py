import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, MambaConfig, MambaForCausalLM

from tasks.errors import UserError
from tasks.finetune.callbacks import check_steps
from tasks.finetune.checkpoints import CheckpointFolder, identity_of
from tasks.finetune.common import Order
from tasks.finetune.packing import prepare
from tasks.finetune.process_setup import micro_batch, set_up_torch
from tasks.finetune.row_attention import ROW_ATTENTION
from tasks.finetune.supervised import Collator, check_separation
from tasks.finetune.trainer import _trainer, train
from tasks.settings import FinetuneSettings, Resources
from tests.tasks.finetune.finetune_parts import (
    grade,
    make_job,
    make_model,
    make_rows,
    make_start,
    make_tokenizer,
    write,
)

LORA = {"method": "lora", "lora_rank": 4, "lora_alpha": 8, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    torch.set_num_threads(1)
    return make_start(tmp_path_factory.mktemp("start"))


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def trainer_of(job: dict, work: Path):
    """The trainer that `train` would use, its data packed."""
    settings, resources = FinetuneSettings(**job["settings"]), Resources(**job["resources"])
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    dataset, packed = prepare(Path(job["rows"]), tokenizer, settings, work, seed=job["seed"])
    device = set_up_torch(resources)
    return _trainer(
        job, settings, resources, device, dataset, packed.weighted, 10, CheckpointFolder(work)
    )


def loss_and_gradient(trainer) -> tuple[float, torch.Tensor]:
    """Of all sequences in one batch."""
    model = trainer.plain_model
    batch = trainer.data_collator(list(trainer.train_dataset))
    model.zero_grad()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return loss.item(), gradient.clone()


def loss_by_hand(rows: list[dict]) -> float:
    """Weighted mean over solution tokens, row by row, from the model's own logits."""
    model, tokenizer = make_model(), make_tokenizer()
    total, count = 0.0, 0
    for row in rows:
        prompt = tokenizer(row["prompt"])["input_ids"]
        target = [*tokenizer(row["completion"], add_special_tokens=False)["input_ids"], 2]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + target])).logits[0, len(prompt) - 1 : -1]
        chosen = logits.log_softmax(-1).gather(1, torch.tensor(target)[:, None])
        total -= row["weight"] * float(chosen.sum())
        count += len(target)
    return total / count


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 0.25, 0.0)])
@pytest.mark.parametrize("packing", [True, False])
def test_loss_is_the_weighted_likelihood_of_solutions_alone(start, tmp_path, weights, packing):
    rows = make_rows(30, weights)
    job = make_job(start, write(tmp_path / "rows.parquet", rows), tmp_path, packing=packing)
    loss, _ = loss_and_gradient(trainer_of(job, tmp_path))
    assert loss == pytest.approx(loss_by_hand(rows), abs=1e-5)


@pytest.mark.parametrize("attention", [ROW_ATTENTION, "sdpa", "eager"])
def test_packed_rows_train_exactly_as_rows_of_their_own(start, tmp_path, attention):
    path = write(tmp_path / "rows.parquet", make_rows(30, (1.0, 0.5)))
    measured = []
    for packing in (True, False):
        work = tmp_path / str(packing)
        trainer = trainer_of(make_job(start, path, work, packing=packing), work)
        assert trainer.plain_model.config._attn_implementation == ROW_ATTENTION
        trainer.plain_model.set_attn_implementation(attention)
        trainer.data_collator = Collator(
            weighted=True, flat="layout" if attention == ROW_ATTENTION else ""
        )
        measured.append(loss_and_gradient(trainer))
    (packed, packed_gradient), (single, single_gradient) = measured
    assert packed == pytest.approx(single, abs=1e-5)
    assert torch.allclose(packed_gradient, single_gradient, rtol=1e-4, atol=1e-5)
    assert single_gradient.abs().max() > 1e-2


def test_weights_of_one_give_the_plain_loss(start, tmp_path):
    path = write(tmp_path / "rows.parquet", make_rows(30))
    trainer = trainer_of(make_job(start, path, tmp_path), tmp_path)
    plain = loss_and_gradient(trainer)
    trainer.data_collator = Collator(weighted=True, flat="layout")
    weighted = loss_and_gradient(trainer)
    assert weighted[0] == plain[0]
    assert torch.equal(weighted[1], plain[1])


def test_a_prompt_of_no_tokens_is_not_predicted_from_the_row_before():
    example = {
        "input_ids": [5, 6, 2, 7, 8, 2],
        "lengths": [3, 3],
        "prompts": [1, 0],
        "weights": [1.0, 1.0],
    }
    batch = Collator(weighted=False)([example])
    assert batch["labels"].tolist() == [[-100, 6, 2, -100, 8, 2]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1, 2]]


def test_a_model_that_mixes_packed_rows_is_refused():
    config = MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, state_size=4)
    with pytest.raises(UserError, match=r"finetune\.packing: mamba models mix the rows"):
        check_separation(MambaForCausalLM(config))
    check_separation(make_model())


@pytest.mark.engine
def test_training_lowers_the_loss_and_leaves_a_model_like_the_start(start, tmp_path):
    before = digests(start)
    rows = write(tmp_path / "rows.parquet", make_rows(60))
    reply = train(make_job(start, rows, tmp_path, checks=0, epochs=6.0), grade)
    losses = [entry["loss"] for entry in reply["history"]]
    assert losses[-1] < losses[0] / 2
    assert digests(start) == before
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {path.name for path in start.iterdir()}
    for path in start.glob("*.json"):
        assert json.loads((out / path.name).read_text()) == json.loads(path.read_text())
    assert not any(str(tmp_path) in file.read_text("latin-1") for file in out.iterdir())
    trained = AutoModelForCausalLM.from_pretrained(out)
    assert sum(p.numel() for p in trained.parameters()) == make_model().num_parameters()


@pytest.mark.engine
@pytest.mark.parametrize("settings", [{}, LORA])
def test_the_same_job_gives_the_same_bytes(start, tmp_path, settings):
    rows = write(tmp_path / "rows.parquet", make_rows(30))
    replies, outs = [], []
    for name in ("a", "b"):
        reply = train(make_job(start, rows, tmp_path / name, **settings), grade)
        reply.pop("seconds")
        replies.append(reply)
        outs.append(digests(tmp_path / name / "out"))
    assert replies[0] == replies[1]
    assert outs[0] == outs[1]
    assert outs[0]["model.safetensors"] != digests(start)["model.safetensors"]


@pytest.mark.engine
def test_small_forward_passes_add_up_to_the_same_step(start, tmp_path):
    rows = write(tmp_path / "rows.parquet", make_rows(61, (1.0, 0.5)))
    states = []
    for micro in (1, 4):
        job = make_job(start, rows, tmp_path / str(micro), checks=0)
        job["resources"]["train_batch_size"] = micro
        train(job, grade)
        states.append(AutoModelForCausalLM.from_pretrained(job["out"]).state_dict())
    for name, weight in states[0].items():
        assert torch.allclose(weight, states[1][name], atol=2e-4), name


@pytest.mark.engine
@pytest.mark.parametrize(
    ("rewards", "best", "measured"),
    [
        ([0.1, 0.4, 0.3, 0.2], 2, 4),
        ([0.1, 0.4, 0.4, 0.4], 2, 4),  # the earlier of equals
        ([0.5, 0.4, 0.3, 0.9], 1, 3),  # patience of 2 ends it before the fourth
        ([0.0, 0.0, 0.1, 0.0], 3, 4),  # a miss is forgotten after a better check
        ([0.1, 0.2, 0.3, 0.4], 4, 4),
    ],
)
def test_the_best_model_by_validation_reward_is_kept(start, tmp_path, rewards, best, measured):
    rows = write(tmp_path / "rows.parquet", make_rows(40))
    given = iter(rewards)
    seen = []

    def ask(question):
        seen.append(question["score"])
        return {"rewards": [next(given)] * len(question["score"])}

    job = make_job(start, rows, tmp_path / "full", checks=4, patience=2, schedule="constant")
    reply = train(job, ask)
    checks = [entry["step"] for entry in reply["history"] if "reward" in entry]
    assert len(checks) == measured == len(seen)
    assert (reply["best_step"], reply["best_reward"]) == (checks[best - 1], rewards[best - 1])
    # What was kept is the model that gave those texts.
    kept: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "full" / "out").eval()
    texts = seen[best - 1]
    tokenizer = make_tokenizer()
    for prompt, text in zip(job["validation"]["prompts"], texts, strict=True):
        ids = tokenizer(prompt, return_tensors="pt")
        out = kept.generate(**ids, do_sample=False, max_new_tokens=12)
        plain = tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        assert plain.split("\n")[0] == text


@pytest.mark.engine
def test_merged_adapters_compute_what_the_adapters_did(start, tmp_path):
    rows = write(tmp_path / "rows.parquet", make_rows(30))
    job = make_job(start, rows, tmp_path, checks=0, **LORA)
    train(job, grade)
    trainer = trainer_of(job, tmp_path)
    kept = load_file(next(tmp_path.glob("best-*.safetensors")))
    assert all("lora_" in name for name in kept)
    missing = trainer.model.load_state_dict(kept, strict=False)
    assert not missing.unexpected_keys
    ids = torch.arange(4, 40)[None]
    with torch.no_grad():
        adapted = trainer.model.eval()(ids).logits
        merged = AutoModelForCausalLM.from_pretrained(job["out"])(ids).logits
        base = AutoModelForCausalLM.from_pretrained(start)(ids).logits
    assert torch.allclose(merged, adapted, atol=1e-4)
    assert (merged - base).abs().max() > 0.1


@pytest.mark.engine
def test_another_job_in_the_same_work_folder_starts_afresh(start, tmp_path):
    first = write(tmp_path / "first.parquet", make_rows(20))
    second = write(tmp_path / "second.parquet", make_rows(30)[10:])
    train(make_job(start, first, tmp_path / "shared"), grade)
    job = make_job(start, second, tmp_path / "shared")
    train(job, grade)
    train(make_job(start, second, tmp_path / "own"), grade)
    assert digests(tmp_path / "shared" / "out") == digests(tmp_path / "own" / "out")
    assert identity_of(job) != identity_of({**job, "seed": 4})


def test_order_is_another_permutation_each_epoch_and_seed():
    orders = []
    for seed, epoch in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        order = Order(50, seed)
        order.set_epoch(epoch)
        assert sorted(order) == list(range(50))
        orders.append(tuple(order))
    assert len(set(orders)) == 4


@pytest.mark.parametrize(("batch", "most", "micro"), [(32, 8, 8), (12, 8, 6), (7, 4, 1), (4, 9, 4)])
def test_micro_batches_divide_the_batch(batch, most, micro):
    assert micro_batch(batch, most) == micro


@pytest.mark.parametrize(
    ("checks", "total", "steps"),
    [(4, 100, {25, 50, 75, 100}), (4, 3, {1, 2, 3}), (1, 9, {9}), (0, 9, set()), (3, 1, {1})],
)
def test_checks_are_spread_evenly_and_include_the_end(checks, total, steps):
    assert check_steps(checks, total) == steps
