"""The LoRA adapter of a policy on its base model is the policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flows.api.export.adapter import write_adapter
from flows.api.export.source import Source
from flows.config.rest_em import load_config
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.loop import Loop
from flows.runs.journal_forms import RunHead, StepLine
from tasks.errors import UserError
from tasks.paths import MODELS
from tasks.store.store import ArtifactRef
from tests.flows.api.export_parts import plain_answers
from tests.small import SMALLEST

pytestmark = pytest.mark.engine
CHANGES = (
    *SMALLEST,
    "finetune.method=lora",
    "finetune.lora_rank=4",
    "finetune.lora_alpha=16",
    "finetune.start_from=last",
    "finetune.learning_rate=0.001",
    "iterations=2",
    "data.train_limit=48",
    "evaluation.train_problems=0",
    "resources.threads=1",
)
PROMPTS = [f"Q: Ann has {n} cups, gets {n + 3}. How many?\nA: " for n in range(20, 30)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A run with adapters of rank 4, the second on top of the first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTEM_HOME", str(tmp_path_factory.mktemp("lora")))
        config = load_config("math-demo", list(CHANGES))
        with DirectCaller(config) as caller:
            iterations = Loop(config, caller).run().iterations
            store = caller.store
    lines = [_line(one.number, one.policy) for one in iterations]
    head = RunHead(run="lora-1", state="completed", pid=1, started=0.0, config=config.model_dump())
    return Source(head, lines, config, store, 2, 2)


def _line(number: int, ref: ArtifactRef) -> StepLine:
    return StepLine(
        iteration=number,
        step="finetune" if number else "base model",
        label="",
        state="Completed",
        took=0.0,
        seconds=0.0,
        tokens=0,
        rows=0,
        artifact=ref.location,
        digest=ref.digest,
    )


@pytest.fixture(scope="module")
def policies(source: Source) -> dict[int, ArtifactRef]:
    found = {}
    for line in source.steps:
        ref = source.store.lookup(*line.artifact.split("/"))
        assert ref is not None
        found[line.iteration] = ref
    return found


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, policies: dict[int, ArtifactRef]) -> None:
    """The run was made without a journal, where policies are looked up."""
    monkeypatch.setattr(Source, "policy", lambda _, number: policies[number])


def test_the_adapter_on_the_base_gives_the_policys_answers(
    source: Source, policies: dict[int, ArtifactRef], tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    write_adapter(tmp_path, source)
    base = AutoModelForCausalLM.from_pretrained(MODELS / "tiny-math", dtype=torch.float32)
    adapted = PeftModel.from_pretrained(base, tmp_path).eval()
    folder = source.store.path(policies[2])
    policy = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = torch.arange(3, 40)[None]
    with torch.inference_mode():
        now, wanted = adapted(tokens).logits, policy(tokens).logits
        with adapted.disable_adapter():
            before = adapted(tokens).logits
    assert (now - wanted).abs().max() < 1e-4
    assert (before - wanted).abs().max() > 1e-2  # the fine-tunes changed something
    assert plain_answers(adapted, tmp_path, PROMPTS, 40, "\n") == plain_answers(
        policy, folder, PROMPTS, 40, "\n"
    )
    assert adapted.peft_config["default"].r == 2 * 4


@pytest.mark.parametrize("method", ["qlora", "full"])
def test_adapters_of_qlora_are_merged_alike_and_whole_fine_tunes_have_none(
    source: Source, tmp_path: Path, method: str
) -> None:
    tuned = source.config.finetune.model_copy(update={"method": method})
    other = replace(source, config=source.config.model_copy(update={"finetune": tuned}))
    if method == "full":
        with pytest.raises(UserError, match=r"finetune\.method is full; expected lora or qlora"):
            write_adapter(tmp_path, other)
        return
    for name, one in (("lora", source), ("qlora", other)):
        (tmp_path / name).mkdir()
        write_adapter(tmp_path / name, one)
    weights = [tmp_path / name / "adapter_model.safetensors" for name in ("lora", "qlora")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_difference_of_a_higher_rank_is_refused(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller = source.config.finetune.model_copy(update={"lora_rank": 1})
    changed = source.config.model_copy(update={"finetune": smaller})
    object.__setattr__(source, "config", changed)
    with pytest.raises(UserError, match="by more than rank 2"):
        write_adapter(tmp_path, source)
