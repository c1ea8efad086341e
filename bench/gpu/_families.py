"""Steps `families` and `dpo`: mixtures of experts, hybrids and preferences, one step each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.gpu._models import make, save, texts, tiny, tokenizer
from bench.gpu._record import Bench
from bench.gpu._training import against_rows, job, ours, pairs, rows
from bench.gpu._ways import chosen
from tasks.errors import UserError
from tasks.processes.wire import Message

EXPERTS = ("Mixtral", "Qwen3-MoE")
HYBRIDS = ("Qwen3.5", "LFM2", "Falcon-H1")
TOKENS, LONGEST, BATCH = 60, 256, 2
LIMIT = 1e-3


def families(bench: Bench) -> None:
    """A step of each kind: whether it can be trained, and whether rows stay apart."""
    for kind in (*EXPERTS, *HYBRIDS):
        for packing in (True, False):
            case = f"{kind}, {'packed' if packing else 'unpacked'}"
            try:
                _step(bench, case, kind, packing)
            except UserError as error:
                bench.line(case, refused=str(error))
            except Exception as error:
                bench.failed(case, error)
        try:
            _sampled(bench, kind)
        except UserError as error:
            bench.line(f"{kind}, sampling", refused=str(error))
        except Exception as error:
            bench.failed(f"{kind}, sampling", error)


def _folder(bench: Bench, kind: str) -> Path:
    folder = bench.place / kind.replace(" ", "-")
    if not (folder / "config.json").exists():
        save(tiny(kind, not bench.small), folder, "cpu")
    return folder


def _step(bench: Bench, case: str, kind: str, packing: bool) -> None:
    size = BATCH if packing else BATCH * LONGEST // TOKENS
    of: Message = job(
        bench,
        _folder(bench, kind),
        rows(24, TOKENS),
        case.replace(" ", "-"),
        max_length=LONGEST,
        batch_size=size,
        packing=packing,
        micro=size,
    )
    made = ours(of, None, 1)
    examples = [made.trainer.train_dataset[i] for i in range(min(size, made.sequences))]
    made.trainer.plain_model.to(bench.device)
    figures: dict[str, Any] = {"attention": chosen(made.trainer)}
    try:
        found = against_rows(made.trainer, examples, half=False)
        figures |= {
            "loss_difference_float32": found.loss,
            "token_difference_float32": found.token,
            "rows_apart": found.token <= LIMIT,
        }
    except Exception as error:  # kernels of experts may take bfloat16 alone
        figures["float32_error"] = str(error)[:200]
    if bench.device == "cuda":
        half = against_rows(made.trainer, examples, half=True)
        figures["token_difference_bfloat16"] = half.token
    made.trainer.train()
    bench.line(case, trained_steps=made.trainer.state.global_step, **figures)


def _sampled(bench: Bench, kind: str) -> None:
    from tasks.decoding.decode import decode
    from tasks.decoding.request import Sampling

    model: Any = make(tiny(kind, not bench.small), "cpu")
    model = model.to(bench.device)
    prompts, reader = texts(4, 30), tokenizer()
    sampling = Sampling(temperature=0.0, max_tokens=8)
    found = decode(model, reader, prompts, [(i, 0) for i in range(4)], sampling, batch_size=4)
    same = 0
    for prompt, one in zip(prompts, found, strict=True):
        given = reader(prompt, return_tensors="pt")["input_ids"].to(model.device)
        made = model.generate(given, do_sample=False, max_new_tokens=8, pad_token_id=0)
        drawn = [token for token in made[0, given.shape[1] :].tolist() if token != 2]
        same += reader.decode(drawn, skip_special_tokens=True) == one.text
    bench.line(f"{kind}, sampling", equal_to_generate=same / len(prompts))


def dpo(bench: Bench) -> None:
    """A step of DPO, whose loss at the start is ln 2, full and with adapters."""
    for method in ("full", "lora"):
        of = job(
            bench,
            _folder(bench, "Qwen2"),
            pairs(8, TOKENS),
            method,
            max_length=LONGEST,
            batch_size=4,
            micro=8,
            improve="dpo",
            method=method,
        )
        try:
            made = ours(of, None, 1)
            made.trainer.train()
            # Of the forward passes since it was last taken: one step's.
            bench.line(
                method,
                loss=made.trainer.take_loss_sum(),
                trained_steps=made.trainer.state.global_step,
            )
        except Exception as error:
            bench.failed(method, error)
