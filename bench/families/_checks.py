"""What is measured of a family: sampling is what `generate` does, rows are apart in training.

Everything goes the way that it goes in a run: our `decode`, our trainer with the batches that it
chooses, our export.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.families._tiny import SHORT_POSITIONS, WINDOW, tiny
from bench.gpu._models import rows_of, save, texts, tokenizer
from tasks.processes.wire import Message
from tasks.rows import ROWS_FILE, TRAINING, Row, write_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tasks.finetune.common import QuietTrainer

# Shorter and longer than a window and than LongRoPE's short factors reach, so that neighbours and
# the crossing itself would show.
PROMPT_TOKENS = (3, 20, SHORT_POSITIONS - 6, WINDOW, 130)
NEW_TOKENS = 12
MAX_LENGTH = 300
# Largest difference of a loss from that of the rows one by one.
LOSS_LIMIT = 1e-4


@dataclass(frozen=True)
class Losses:
    """The loss of a first step.

    Attributes:
        batch: As the trainer computes it.
        rows: Mean over the solutions' tokens, each row in a pass of its own.
        flat: Whether the rows were one sequence, told apart by our attention.
    """

    batch: float
    rows: float
    flat: bool


def make(name: str, folder: Path, size: int = 32) -> Path:
    """A folder with a small model of a family, so wide, and its tokenizer."""
    return save(tiny(name, size), folder, "cpu")


def load(folder: Path) -> PreTrainedModel:
    """The model of a folder, in float32 and in evaluation mode."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def prompts() -> list[str]:
    """Prompts of very different lengths."""
    return [texts(1, count, seed=count)[0][:count] for count in PROMPT_TOKENS]


def sampled(model: PreTrainedModel, asked: list[str], reader: Any = None) -> list[str]:
    """Greedy texts by our sampler, rows of all lengths together.

    Args:
        model: Of a family.
        asked: Prompts.
        reader: Another tokenizer, as a family may load the files of ours.
    """
    from tasks.decoding.decode import decode
    from tasks.decoding.request import Sampling

    sampling = Sampling(temperature=0.0, max_tokens=NEW_TOKENS)
    requests = [(i, 0) for i in range(len(asked))]
    reader = reader or tokenizer()
    found = decode(model, reader, asked, requests, sampling, batch_size=len(asked) - 1)
    return [one.text for one in found]


def generated(model: PreTrainedModel, asked: list[str]) -> list[str]:
    """Greedy texts by transformers' `generate`, each prompt alone."""
    reader, found, network = tokenizer(), [], _any(model)
    for prompt in asked:
        ids = reader(prompt, return_tensors="pt")["input_ids"]
        made = network.generate(ids, do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=0)
        new = [token for token in made[0, ids.shape[1] :].tolist() if token != 2]
        found.append(reader.decode(new, skip_special_tokens=True))
    return found


def rows(count: int = 10) -> list[Row]:
    """Training rows of 20 to 160 tokens."""
    draw = random.Random(5)
    lengths = [draw.choice((20, 60, 130, 160)) for _ in range(count)]
    return rows_of(texts(1, length, seed=i)[0][:length] for i, length in enumerate(lengths))


def job(start: Path, work: Path, **settings: Any) -> Message:
    """A job of tasks.finetune.trainer on `rows`, which are written."""
    from tasks.settings import FinetuneSettings, Resources

    work.mkdir(parents=True, exist_ok=True)
    write_rows(work / ROWS_FILE, TRAINING, rows())
    chosen: dict[str, Any] = {
        "max_length": MAX_LENGTH,
        "batch_size": 10,
        "learning_rate": 1e-3,
        "epochs": 1.0,
        "checks": 1,
        **settings,
    }
    return {
        "rows": str(work / ROWS_FILE),
        "model": str(start),
        "out": str(work / "out"),
        "work": str(work),
        "settings": FinetuneSettings(**chosen).model_dump(),
        "seed": 3,
        "validation": {
            "prompts": prompts(),
            "max_tokens": NEW_TOKENS,
            "stop": [],
            "batch_size": 8,
        },
        "resources": Resources(device="cpu", threads=1, train_batch_size=10).model_dump(),
    }


def losses(start: Path, work: Path, *, packing: bool) -> Losses:
    """The first step's loss over all rows, and row by row.

    Raises:
        UserError: the model mixes the rows of a packed sequence.
    """
    import torch

    of = job(start, work, packing=packing)
    trainer: Any = _trainer(of, work)
    batch = trainer.data_collator(list(trainer.train_dataset))
    with torch.no_grad():
        loss = float(trainer.compute_loss(trainer.model, batch))
    flat = bool({"rows_there", "row_bounds"} & set(batch))
    return Losses(loss, _row_by_row(load(start)), flat)


def trained(start: Path, work: Path, **settings: Any) -> tuple[list[str], Path]:
    """Fine-tune; the texts that validation saw at the end, and the folder of the policy."""
    from tasks.finetune.trainer import train

    seen: list[str] = []

    def grade(question: Message) -> Message:
        seen[:] = question["score"]
        return {"rewards": [0.0] * len(seen)}

    of = job(start, work, **settings)
    train(of, grade)
    return seen, Path(of["out"])


def _trainer(of: Message, work: Path) -> QuietTrainer:
    from tasks.finetune.checkpoints import CheckpointFolder
    from tasks.finetune.packing import prepare
    from tasks.finetune.trainer import _trainer as trainer_of
    from tasks.settings import FinetuneSettings, Resources

    settings, resources = FinetuneSettings(**of["settings"]), Resources(**of["resources"])
    dataset, packed = prepare(Path(of["rows"]), tokenizer(), settings, work, seed=1)
    there = CheckpointFolder(work)
    return trainer_of(of, settings, resources, "cpu", dataset, packed.weighted, 10, there)


def _row_by_row(model: PreTrainedModel) -> float:
    import torch

    reader, total, count = tokenizer(), 0.0, 0
    for row in rows():
        prompt = reader(row["prompt"])["input_ids"]
        target = [*reader(row["completion"], add_special_tokens=False)["input_ids"], 2]
        with torch.no_grad():
            logits = _any(model)(torch.tensor([prompt + target]), use_cache=False).logits
        chosen = logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        total -= float(chosen.gather(1, torch.tensor(target)[:, None]).sum())
        count += len(target)
    return total / count


def _any(model: object) -> Any:
    """Transformers' classes are typed too narrowly for what they take."""
    return model
