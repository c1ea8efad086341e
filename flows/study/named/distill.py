"""A larger policy's samples train a smaller one (figure 6 on the right, section 5.2)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import bars
from flows.study.quantities import better

HUMAN, ONE, MANY, OWN = "human", "one distilled", "many distilled", "own ReST^EM"


def arms(bases: Bases) -> list[Arm]:
    """All of the student; human and distilled ones on the questions that the teacher solves."""
    student = {"model.base": bases.student}
    taught = {**student, "sampling.teacher": bases.math.model.base, "iterations": 1}
    return [
        Arm(HUMAN, {**taught, "filter.select": "human"}),
        Arm(ONE, {**taught, "filter.cap": 1}),
        Arm(MANY, taught),
        Arm(OWN, {**student, "iterations": 3}),
    ]


STUDY = Study(
    name="distill",
    title="Distillation",
    question="Do a larger policy's correct samples teach a smaller one more than human solutions, "
    "and more than its own ReST^EM does?",
    arms=arms,
    claims=[
        Claim(
            "Figure 6, PaLM 2-S: one distilled solution for each question beats the human one.",
            "student, greedy: one distilled minus human",
            better(ONE, HUMAN),
        ),
        Claim(
            "Figure 6: many distilled solutions beat one.",
            "student, greedy: many distilled minus one distilled",
            better(MANY, ONE),
        ),
        Claim(
            "Figure 6: many distilled solutions beat the student's own ReST^EM.",
            "student, greedy: many distilled minus own ReST^EM",
            better(MANY, OWN),
        ),
    ],
    figures=[
        bars(
            "The student",
            {"base": (OWN, 0), **{name: (name, -1) for name in (HUMAN, ONE, MANY, OWN)}},
            {"greedy": "greedy", "pass@1": "pass@1", "shifted task": "transfer"},
        )
    ],
)
