"""Fine-tune each iteration from the base or from the last policy (figure 7, section 5.4)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import bars, by_iteration
from flows.study.quantities import better

BASE, LAST = "math, from base", "math, from last"
CODE_BASE, CODE_LAST = "code, from base", "code, from last"


def arms(bases: Bases) -> list[Arm]:
    """Both ways on both tasks."""
    last = {"finetune.start_from": "last"}
    return [
        Arm(BASE),
        Arm(LAST, last),
        Arm(CODE_BASE, task="code"),
        Arm(CODE_LAST, last, task="code"),
    ]


STUDY = Study(
    name="start-from",
    title="From the base or from the last policy",
    question="ReST^EM fine-tunes the base policy anew in each iteration, ReST the last one. "
    "Does it matter on the task itself, and on another one?",
    arms=arms,
    claims=[
        Claim(
            "APPS: both ways are about the same.",
            "code, greedy: from base minus from last",
            better(CODE_BASE, CODE_LAST),
            "equal",
        ),
        Claim(
            "HumanEval: clearly better from base.",
            "code, shifted task, greedy: from base minus from last",
            better(CODE_BASE, CODE_LAST, "transfer"),
        ),
        Claim(
            "Section 5.4 argues that starting from base over-fits less and transfers better.",
            "math, shifted task, greedy: from base minus from last",
            better(BASE, LAST, "transfer"),
        ),
    ],
    figures=[
        by_iteration(
            "The task itself",
            {name: (name, "greedy") for name in (BASE, LAST, CODE_BASE, CODE_LAST)},
        ),
        by_iteration(
            "The shifted task",
            {name: (name, "transfer") for name in (BASE, LAST, CODE_BASE, CODE_LAST)},
        ),
        bars(
            "After the last iteration",
            {name: (name, -1) for name in (BASE, LAST, CODE_BASE, CODE_LAST)},
            {"itself": "greedy", "shifted": "transfer"},
        ),
    ],
)
