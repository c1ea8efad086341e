"""The card (README.md) of an exported policy, and what cards of data share with it."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path

import tomli_w

from flows.api.export.licences import UNKNOWN, base_hub, base_licence, data_origin, public_name
from flows.api.export.results import EVERY_EVAL_EVER, hub_results, measured
from flows.api.export.source import Source
from flows.config.rest_em import RestEmConfig
from flows.report.tables import metric_cell
from tasks.finetune.objectives import OBJECTIVES
from tasks.prompts import PromptChoice, load_template
from tasks.rows import Json

README = "README.md"
PAPER = "[ReST^EM](https://arxiv.org/abs/2312.06585)"
_PACKAGES = ("restem", "torch", "transformers", "trl", "peft")
_USE = """\
```python
from transformers import AutoModelForCausalLM, AutoTokenizer

{load}
prompt = {prompt!r}.replace("{{question}}", {question!r})
tokens = tokenizer(prompt, return_tensors="pt"{special})
made = model.generate(**tokens, do_sample=False, max_new_tokens={most}{stop})
answer = tokenizer.decode(made[0, tokens["input_ids"].shape[1] :], skip_special_tokens=True)
{cut}print(answer)
```
"""


def write_policy_card(folder: Path, source: Source, name: str, *, adapter: bool) -> None:
    """Write the card of a policy or of its adapter.

    Args:
        folder: Of the export.
        source: The run and the policy.
        name: Folder or Hub id under which the reader will have it.
        adapter: Whether the folder holds an adapter alone.
    """
    from huggingface_hub import ModelCard, ModelCardData

    data = ModelCardData(
        license=base_licence(source.config),
        base_model=base_hub(source.config) or None,
        datasets=data_origin(source.config.data, "train").hub or None,
        library_name="peft" if adapter else "transformers",
        pipeline_tag="text-generation",
        tags=["restem", "rest-em", *(["lora"] if adapter else [])],
        model_name=f"{source.run}:{source.number}",
        eval_results=hub_results(source) or None,
    )
    text = "\n".join(
        [
            f"# {source.run}, policy {source.number}",
            "",
            _what(source, adapter),
            "",
            *_results(source),
            "## Use",
            "",
            _use(source, name, adapter=adapter),
            *licences(source),
            *reproduce(source),
        ]
    )
    ModelCard(f"---\n{data}\n---\n\n{text}").save(folder / README)


def _what(source: Source, adapter: bool) -> str:
    base, number = public_name(source.config.model.base), source.number
    if not number:
        return f"The base policy of a run of {PAPER}: `{base}`."
    parts = [
        f"{'The LoRA adapter of ' if adapter else ''}`{base}` after "
        f"{number} iteration{'s' * (number > 1)} of {PAPER}, made by restem: sample solutions, "
        "keep what the checker accepts, fine-tune on it."
    ]
    settings = source.config.finetune
    objective = f"{settings.improve}, {settings.method}, from the {settings.start_from} policy"
    pairs = OBJECTIVES[settings.improve].pairs
    if training := source.training(number):
        parts.append(
            f"Last fine-tune: {objective}; {training.rows:,} {'pairs' if pairs else 'rows'}, "
            f"{training.best_step} steps."
        )
    return "\n".join(parts)


def _results(source: Source) -> list[str]:
    """Results of the base and of this policy, with intervals."""
    found = measured(source)
    if not found:
        return ["The policy was not measured.", ""]
    base = source.metrics(0)
    origin = data_origin(source.config.data, "test")
    confidence = f"{100 * source.config.evaluation.confidence:g}%"
    lines = [
        "## Results",
        "",
        f"On test problems of {origin.name}, in percent, with {confidence} intervals (bootstrap "
        f"over problems). The same as data: the front matter, and `{EVERY_EVAL_EVER}` in the form "
        "of Every Eval Ever.",
        "",
        "| metric | base | this policy | problems |",
        "|---|---|---|---|",
    ]
    for one in found:
        before = metric_cell(base.metrics.get(one.name)) if base else "-"
        now = metric_cell(one.found)
        lines.append(f"| {one.name}: {one.words} | {before} | {now} | {one.found.problems} |")
    return [*lines, ""]


def _use(source: Source, name: str, *, adapter: bool) -> str:
    config = source.config
    model = config.model
    template = load_template(PromptChoice(model.prompt, model.system, model.thinking))
    wanted = config.model.shots
    if source.number and config.model.tuned_shots >= 0:
        wanted = config.model.tuned_shots
    shots = template.shots if wanted < 0 else wanted
    subject = next(iter(template.subjects), "")
    load = [
        f'model = AutoModelForCausalLM.from_pretrained({name!r}, dtype="float32")',
        f"tokenizer = AutoTokenizer.from_pretrained({name!r})",
    ]
    note = ""
    if adapter:
        note = "Loading an adapter's folder loads its base model too (`peft` has to be there).\n\n"
    if subject:
        note += f"Prompts differ by subject; this is the one of `{subject}`.\n\n"
    render, special = template.render, ""
    stop = f", stop_strings={list(template.stop)!r}, tokenizer=tokenizer" * bool(template.stop)
    if template.form == "chat":
        from tasks.decoding.chat import Chat

        chat = Chat(source.store.path(source.policy(source.number)), template)
        render, special = chat.render, ", add_special_tokens=False"  # the template wrote them
        stop += f", eos_token_id={list(chat.ends)!r}"
    return note + _USE.format(
        load="\n".join(load),
        prompt=render("{question}", shots, subject),
        special=special,
        question="What is 2 + 3?",
        most=config.sampling.max_tokens,
        stop=stop,
        cut="".join(f"answer = answer.split({stop!r})[0]\n" for stop in template.stop),
    )


def licences(source: Source) -> list[str]:
    """The part of a card that says under which licences its sources are."""
    config = source.config
    train, test = (data_origin(config.data, side) for side in ("train", "test"))
    lines = [
        "## Licences",
        "",
        f"- base model `{public_name(config.model.base)}`: {base_licence(config)}",
        f"- training problems {train.name}: {train.licence}",
        f"- test problems {test.name}: {test.licence}",
    ]
    if config.sampling.teacher:
        lines.append(f"- samples come from `{public_name(config.sampling.teacher)}`: {UNKNOWN}")
    return [*lines, ""]


def reproduce(source: Source) -> list[str]:
    """The part of a card that says how to make the same again."""
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    lines = [
        "## Reproduce",
        "",
        f"Run `{source.run}`; policy {source.number} has the digest "
        f"`{source.policy(source.number).digest}`. Exported with {', '.join(versions)}. "
        "`restem run CONFIG.toml` with",
        "",
        "```toml",
        tomli_w.dumps(public_config(source.config)).strip(),
        "```",
        "",
    ]
    return lines


def public_config(config: RestEmConfig) -> Json:
    """The recipe without what is this machine's: resources, and folders in front of a file."""
    found = config.model_dump(exclude={"resources"}, exclude_none=True)
    for field, place in config.places:
        section, _, name = field.partition(".")
        if name in found.get(section, {}) and Path(place).expanduser().is_absolute():
            found[section][name] = public_name(place)
    return found
