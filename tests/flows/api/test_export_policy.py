"""An exported policy: the answers, the card, and the settings that go with it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.api.export.export import export
from flows.api.export.source import read_source
from tasks.errors import UserError
from tests.flows.api.export_parts import PROBLEMS, greedy_answers, plain_answers
from tests.flows.conftest import Restem

STOP = "\n"


@pytest.fixture
def policy(there: Restem, tmp_path: Path) -> Path:
    return Path(export("latest:2", str(tmp_path / "policy")))


def test_plain_transformers_give_the_greedy_answers_of_the_run(policy: Path) -> None:
    from transformers import AutoModelForCausalLM

    source = read_source("latest:2")
    asked = greedy_answers(source)
    model = AutoModelForCausalLM.from_pretrained(policy, dtype="float32").eval()
    prompts = [prompt for prompt, _ in asked]
    found = plain_answers(model, policy, prompts, source.config.sampling.max_tokens, STOP)
    assert len(found) == PROBLEMS
    assert found == [answer for _, answer in asked]


def test_the_code_of_the_card_gives_the_answer_of_the_run(policy: Path) -> None:
    prompt, answer = greedy_answers(read_source("latest:2"))[0]
    question = prompt.removeprefix("Q: ").removesuffix("\nA: ")
    [code] = re.findall(r"```python\n(.*?)```", (policy / "README.md").read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code.replace("What is 2 + 3?", question)],
        cwd=policy.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == answer + "\n"


def test_the_card_is_read_by_the_hubs_own_reader_with_results_and_intervals(policy: Path) -> None:
    from huggingface_hub import ModelCard

    source = read_source("latest:2")
    metrics = source.metrics(2)
    assert metrics is not None
    data = ModelCard.load(policy / "README.md").data
    assert data.license == "apache-2.0"
    assert data.eval_results is not None
    greedy = next(one for one in data.eval_results if one.metric_type == "accuracy")
    assert greedy.metric_value == round(metrics.greedy.value, 4)
    assert greedy.metric_args is not None
    assert greedy.metric_args["low"] == round(metrics.greedy.low, 4)
    assert {one.metric_type for one in data.eval_results} == {
        "accuracy",
        "pass@1",
        "pass@4",
        "maj@4",
    }


def test_the_configuration_in_the_card_is_the_run(policy: Path, tmp_path: Path) -> None:
    from flows.config.rest_em import load_config

    [text] = re.findall(r"```toml\n(.*?)```", (policy / "README.md").read_text(), re.DOTALL)
    (tmp_path / "again.toml").write_text(text)
    assert load_config(tmp_path / "again.toml").run_id == read_source("latest").run


def test_no_sampling_default_of_the_base_model_goes_along(there: Restem, tmp_path: Path) -> None:
    from flows.api.export.policy import write_generation

    made = tmp_path / "made"
    made.mkdir()
    given = {"eos_token_id": [2, 3], "repetition_penalty": 1.05, "temperature": 0.7, "top_k": 20}
    (made / "generation_config.json").write_text(json.dumps(given))
    write_generation(made, tmp_path)
    kept = json.loads((tmp_path / "generation_config.json").read_text())
    assert kept == {"eos_token_id": [2, 3]}


def test_the_record_for_every_eval_ever_has_what_its_schema_asks_for(policy: Path) -> None:
    # eval.schema.json of every-eval-ever 0.3.0: what is required, at each place.
    record = json.loads((policy / "every_eval_ever.json").read_text())
    assert record.keys() >= {
        *("schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata"),
        *("model_info", "eval_library", "evaluation_results"),
    }
    assert record["schema_version"] == "0.3.0"
    details = record["model_info"]["additional_details"]
    assert details.keys() >= {"deployment_type", "model_availability"}
    assert all(isinstance(one, str) for one in details.values())
    for one in record["evaluation_results"]:
        assert one.keys() >= {
            *("evaluation_name", "source_data", "metric_config", "score_details"),
        }
        interval = one["score_details"]["uncertainty"]["confidence_interval"]
        assert interval["lower"] <= one["score_details"]["score"] <= interval["upper"]


def test_the_base_is_exported_as_policy_0(there: Restem, tmp_path: Path) -> None:
    from tasks.paths import MODELS

    place = Path(export("latest:0", str(tmp_path / "base")))
    name = "model.safetensors"
    assert (place / name).read_bytes() == (MODELS / "tiny-math" / name).read_bytes()


@pytest.mark.parametrize(
    ("run", "to", "options", "said"),
    [
        ("nobody", "x", {}, "no such run"),
        ("latest:9", "x", {}, "0 .its base. to 2"),
        ("latest:x", "x", {}, "expected RUN or RUN:ITERATION"),
        ("latest:0", "x", {"data": "rows"}, "it has no training rows"),
        ("latest", "x", {"adapter": True}, "finetune.method is full"),
        ("latest:0", "x", {"adapter": True}, "is the base policy"),
        ("latest", "x", {"adapter": True, "data": "rows"}, "expected no --data"),
        ("latest", "x", {"private": True}, "expected --to hub:NAME"),
        ("latest", "hub:", {}, "expected a folder, or hub:NAME"),
        ("latest", "hub:a/b/c/d", {}, "hub:ORGANISATION/NAME"),
        ("latest", "/dev/null/x", {}, "it cannot be written"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_written(
    there: Restem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: str,
    to: str,
    options: dict[str, Any],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        export(run, to, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_on_the_command_line_is_one_line(there: Restem) -> None:
    said = there("export", "nobody", "--to", "x", code=2)
    assert len(said.strip().splitlines()) == 1
