"""What the models of a run are asked, which the look at them (flows/orchestrator) has to know.

The base policy continues the prompts of the run's own problems and those of the benchmarks of
`evaluation.transfer`, and is trained; a teacher samples the run's own problems alone.
"""

from __future__ import annotations

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.judge import FIELD as JUDGE
from flows.orchestrator.model_look import BASE, ModelLook, Use, shortest_of
from flows.rest_em.transfer import TransferBenchmark
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.model_checks.question import Fields
from tasks.prompts import PromptChoice, PromptTemplate
from tasks.rows import Row

TEACHER = "sampling.teacher"


def run_look(
    config: RestEmConfig,
    caller: Caller,
    template: PromptTemplate,
    splits: dict[str, list[Row]],
    benchmarks: list[TransferBenchmark],
) -> ModelLook:
    """Tells a caller to look at the models of one run.

    Args:
        config: Of the run.
        caller: Does the work, and looks.
        template: Of the prompts.
        splits: The problems.
        benchmarks: On which every policy is measured besides.
    """
    model, sampling = config.model, config.sampling
    shots = template.shots if model.shots < 0 else model.shots
    own = Use(
        prompt=PromptChoice(model.prompt, model.system, model.thinking),
        max_tokens=sampling.max_tokens,
        shortest=shortest_of(
            (row for rows in splits.values() for row in rows),
            shots,
            model.tuned_shots if model.tuned_shots >= 0 else shots,
        ),
    )
    base = Use(own.prompt, own.max_tokens, own.shortest, finetune=config.finetune)

    def uses(field: str) -> list[Use]:
        if field == JUDGE:  # it has a template of its own; of which form is what matters here
            form = "chat" if load_judge_prompt(config.judge.prompt).form == "chat" else "notes"
            return [Use(PromptChoice(form), config.judge.reason_tokens, None)]
        if field != BASE:
            return [] if sampling.hosted_teacher else [own]  # what is hosted has no files
        return [base, *(_transfer(one, model.shots) for one in benchmarks)]

    return ModelLook(
        caller,
        engine=sampling.engine,
        dtype=model.dtype,
        resources=config.resources,
        uses=uses,
    )


def _transfer(one: TransferBenchmark, shots: int) -> Use:
    name = f"evaluation.transfer: {one.name}"
    return Use(
        prompt=one.sampler.prompt,
        max_tokens=one.how.max_tokens,
        shortest=shortest_of(one.rows, one.sampler.shots(shots)),
        fields=Fields(max_tokens=name, prompt=name, remedy="a model of more, or other benchmarks"),
    )
