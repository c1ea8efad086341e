"""Accuracy by iteration, on what was trained on and on what was not (figures 2, 3 and 4)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import by_iteration
from flows.study.quantities import gain, minus

MATH, CODE = "math", "code"


def arms(bases: Bases) -> list[Arm]:
    """Up to five iterations of each, until validation accuracy falls."""
    long = {"iterations": 5, "stop_on_validation": True}
    return [Arm(MATH, long), Arm(CODE, {**long, "iterations": 3}, task="code")]


STUDY = Study(
    name="iterations",
    title="Accuracy by iteration",
    question="How many iterations help, on the task and on a shifted one, and when does the policy "
    "begin to learn its training problems by heart?",
    arms=arms,
    claims=[
        Claim(
            "MATH test: +5.94 (PaLM 2-S) and +6.34 (2-L) points over the base.",
            "math, greedy: first iteration minus base",
            gain(MATH, at=1),
        ),
        Claim(
            "APPS test: +5.6 (PaLM 2-S*) and +6.4 (2-L) points over the base.",
            "code, greedy: first iteration minus base",
            gain(CODE, at=1),
        ),
        Claim(
            "Most of the gain comes in the first iteration (APPS).",
            "code, greedy: gain of the first iteration minus gain of the second",
            minus(gain(CODE, at=1), gain(CODE, since=1, at=2)),
        ),
        Claim(
            "MATH, PaLM 2-L: a third iteration adds 0.9 points (41.0 to 41.9).",
            "math, greedy: third iteration minus second",
            gain(MATH, since=2, at=3),
        ),
        Claim(
            "APPS: the second iteration regresses.",
            "code, greedy: second iteration minus first",
            gain(CODE, since=1, at=2),
            "below",
        ),
        Claim(
            "HumanEval: the second iteration on APPS regresses.",
            "code, shifted task, greedy: second iteration minus first",
            gain(CODE, "transfer", since=1, at=2),
            "below",
        ),
        Claim(
            "Training accuracy grows further than test accuracy with every iteration (figure 4).",
            "math, gap of train over test: last policy minus base",
            gain(MATH, "gap"),
        ),
        Claim(
            "The same on APPS (figure 4).",
            "code, gap of train over test: last policy minus base",
            gain(CODE, "gap"),
        ),
    ],
    figures=[
        by_iteration(
            f"{task}: trained on, held out, shifted",
            {"train": (task, "train"), "test": (task, "greedy"), "shifted": (task, "transfer")},
        )
        for task in (MATH, CODE)
    ],
)
