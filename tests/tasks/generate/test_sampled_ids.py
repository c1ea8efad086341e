"""From an engine to the trainer: the ids of a training row are those that were sampled."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from transformers import AutoTokenizer

from flows.machines.local import LocalMachine
from tasks.dag.runtime import Runtime
from tasks.dag.step import perform
from tasks.decoding.trained_ids import TrainedIds, ends_of
from tasks.finetune.packing import prepare
from tasks.finetune.pairs import pack
from tasks.generate.step import generate_call
from tasks.generate.vllm_environment import VARIABLE
from tasks.policy.step import base_call
from tasks.problems.step import cut_blocks, load_splits, problems_call
from tasks.prompts import PromptChoice, load_template
from tasks.rows import (
    REJECTED_IDS,
    ROWS_FILE,
    SAMPLES_FILE,
    TOKEN_IDS,
    VERDICT,
    VERDICTS_FILE,
    Row,
    Status,
    write_rows,
)
from tasks.select.step import pairs_call, select_call
from tasks.settings import DataSettings, FilterSettings, FinetuneSettings, ModelSettings, Resources
from tasks.store.store import ArtifactRef, Store
from tests.needs import lacking
from tests.tasks.chat_parts import FAMILIES, save

# A template whose stop text a random policy comes to often.
TEMPLATE = """
name = "short"
preamble = ""
example = "{question}\\nA: {solution}\\n"
query = "{question}\\nA:"
stop = ["a", "1"]
"""
SAMPLES = 12
TOKENS = 6


@pytest.fixture
def vllm_python() -> str:
    named = os.environ.get(VARIABLE)
    if not named:
        lacking(f"{VARIABLE} is not set: no environment with vLLM (make test makes one)")
    return named


class Way:
    """From problems to training rows with one engine, by the real steps."""

    def __init__(self, folder: Path, engine: str, family: str, template: str) -> None:
        self.folder, self._engine = folder, engine
        self._choice = PromptChoice(template)
        self.policy = save(folder / "model", family)
        self._store = Store(str(folder / "store"), cache=folder / "cache")
        self.samples: list[Row] = []

    def rows(self, *, wrong: int = 0) -> Path:
        """The file of training rows, of pairs where some samples are `wrong`."""
        resources = Resources(device="cpu", threads=1, batch_size=16, cpu_cache_gb=0.25)
        with LocalMachine(
            self._store, self.folder, resources, lambda *_: None, isolate=self._engine == "vllm"
        ) as services:
            return self._rows(services.runtime, wrong)

    def _rows(self, runtime: Runtime, wrong: int) -> Path:
        data = DataSettings(train="synthetic_math", train_limit=3, test="synthetic_math")
        problems = perform(problems_call(data), runtime)
        model = perform(base_call(ModelSettings(base=str(self.policy))), runtime)
        (block,) = cut_blocks(load_splits(self._store.path(problems))["train"], "train", 10)
        prompt = load_template(self._choice).digest
        settings = {
            "engine": self._engine,
            "dtype": "float32",
            "sampling": {"temperature": 1.0, "max_tokens": TOKENS},
            "prompt": prompt,
            "shots": 0,
            "seed": 0,
            "problems": block.digest,
            "samples": [0, SAMPLES],
        }
        hints = {**block.to_json(), **self._choice.hints()}
        drawn = perform(generate_call("generate", settings, model, problems, hints), runtime)
        self.samples = pq.read_table(self._store.path(drawn) / SAMPLES_FILE).to_pylist()
        call = select_call(
            "select",
            FilterSettings(finished_only=False, dedup="none", cap=0),
            seed=0,
            prompt=prompt,
            shots=0,
            template=self._choice,
            problems=problems,
            samples=[drawn],
            verdicts=[self._verdicts(wrong)],
            chat=model if self._choice.name == "chat" else None,
        )
        made = perform(pairs_call(call) if wrong else call, runtime)
        return self._store.path(made) / ROWS_FILE

    def _verdicts(self, wrong: int) -> ArtifactRef:
        with self._store.draft("verdicts", "v") as draft:
            rows = (
                {
                    "problem_id": row["problem_id"],
                    "index": row["index"],
                    "reward": float(row["index"] >= wrong),
                    "status": Status.WRONG_ANSWER if row["index"] < wrong else Status.CORRECT,
                    "extracted": "",
                    "first_failure": -1,
                }
                for row in self.samples
            )
            draft.rows = write_rows(draft.path / VERDICTS_FILE, VERDICT, rows)
        found = self._store.lookup("verdicts", "v")
        assert found is not None
        return found


ROUTES = [("mistral", "short"), ("gemma", "chat"), ("llama3", "chat"), ("llama3", "short")]
# vLLM takes a minute to start. It is given tokens and gives tokens, whatever the family is; so one
# prompt of each form shows that they arrive.
ENGINES = [
    *(("transformers", *route) for route in ROUTES),
    *(pytest.param("vllm", *route, marks=pytest.mark.vllm) for route in ROUTES[:2]),
]


@pytest.fixture
def way(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., Way]:
    def of(engine: str, family: str, template: str) -> Way:
        if engine == "vllm":
            request.getfixturevalue("vllm_python")
        if template != "chat":
            path = tmp_path / "short.toml"
            path.write_text(TEMPLATE)
            template = str(path)
        return Way(tmp_path, engine, family, template)

    return of


@pytest.mark.parametrize(("engine", "family", "template"), ENGINES)
def test_the_ids_of_a_row_are_those_that_were_sampled(way, tmp_path, engine, family, template):
    made = way(engine, family, template)
    path = made.rows()
    chat = template == "chat"
    tokenizer = AutoTokenizer.from_pretrained(made.policy)
    sampled = {(row["problem_id"], row["index"]): row for row in made.samples}
    rows = pq.read_table(path).to_pylist()
    assert len(rows) == len(sampled) == 3 * SAMPLES
    settings = FinetuneSettings(max_length=10_000, packing=False)
    ends = ends_of(made.policy)
    dataset, _ = prepare(path, tokenizer, settings, tmp_path, chat=chat, ends=ends)
    ids = TrainedIds(tokenizer, chat=chat, ends=ends)

    def in_context(row: Row, begin: list[int], finished: bool) -> list[int]:
        texts = [row["completion"]]
        return ids.completions([row["prompt"]], [begin], texts, [None], [finished])[0]

    written = own_way = 0
    for row, trained in zip(rows, dataset, strict=True):
        sample = sampled[row["problem_id"], row["index"]]
        assert row[TOKEN_IDS] == sample[TOKEN_IDS] and len(row[TOKEN_IDS]) == sample["tokens"]
        (begin,) = ids.prompts([row["prompt"]])
        assert trained["input_ids"][: len(begin)] == begin and trained["prompts"] == [len(begin)]
        behind = trained["input_ids"][len(begin) :]
        if sample["finish"] == "length":
            assert behind == sample[TOKEN_IDS]
        elif behind != sample[TOKEN_IDS]:  # cut at a stop text, at a token or inside of one
            assert behind[-1] == tokenizer.eos_token_id and not chat
            assert behind[:-1] == sample[TOKEN_IDS][: len(behind) - 1] or (
                behind == in_context(row, begin, True)
            )
        written += behind == sample[TOKEN_IDS]
        own_way += behind != in_context(row, begin, sample["finish"] == "stop")
    assert written and own_way  # a random policy writes texts in its own way
    assert {"stop", "length"} == {row["finish"] for row in made.samples}


def test_both_sides_of_a_pair_have_the_ids_that_were_sampled(way, tmp_path):
    made = way("transformers", "mistral", "short")
    path = made.rows(wrong=6)
    sampled = {(row["problem_id"], row["index"]): row for row in made.samples}
    rows = pq.read_table(path).to_pylist()
    assert rows
    for row in rows:
        sides = ((TOKEN_IDS, "index"), (REJECTED_IDS, "rejected_index"))
        for ids, index in sides:
            assert row[ids] == sampled[row["problem_id"], row[index]][TOKEN_IDS]
    tokenizer = AutoTokenizer.from_pretrained(made.policy)
    ids = TrainedIds(tokenizer, ends=ends_of(made.policy))
    settings = FinetuneSettings(max_length=10_000)
    pack(path, ids, settings, tmp_path, tmp_path / "pairs", 0)
    kept = 0
    for pair, row in zip(Dataset.from_file(str(tmp_path / "pairs")), rows, strict=True):
        for side, given in (("chosen_ids", TOKEN_IDS), ("rejected_ids", REJECTED_IDS)):
            kept += pair[side] == row[given] or pair[side][:-1] == row[given][: len(pair[side]) - 1]
    assert kept > len(rows)


def test_the_families_here_have_one_with_a_dummy_prefix():
    assert FAMILIES["mistral"].metaspace == "first"
