"""Other tasks before and after (figure 9, section 5.1)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import bars
from flows.study.quantities import gain

MATH, CODE = "math", "code"


def arms(bases: Bases) -> list[Arm]:
    """The plain run of each task; `evaluation.transfer` names the other tasks."""
    return [Arm(MATH), Arm(CODE, task="code")]


STUDY = Study(
    name="transfer",
    title="Other tasks, before and after",
    question="What does training on one task do to others: the same skills in problems of another "
    "form and length, and skills that training never used?",
    arms=arms,
    claims=[
        Claim(
            "Trained on MATH, GSM8K improves (figure 2).",
            "math, shifted problems, greedy: last policy minus base",
            gain(MATH, "transfer:synthetic_math_shift"),
        ),
        Claim(
            "Trained on APPS, HumanEval improves (figure 3).",
            "code, shifted programs, greedy: last policy minus base",
            gain(CODE, "transfer:synthetic_code_shift"),
        ),
        Claim(
            "BIG-Bench Hard shows no major loss (figure 9).",
            "math, single sums (an older skill), greedy: last policy minus base",
            gain(MATH, "transfer:synthetic_sums"),
            "not below",
        ),
    ],
    figures=[
        bars(
            "Trained on math",
            {"base": (MATH, 0), "p1": (MATH, 1), "p2": (MATH, 2), "p3": (MATH, 3)},
            {
                "itself": "greedy",
                "shifted": "transfer:synthetic_math_shift",
                "single sums": "transfer:synthetic_sums",
            },
        ),
        bars(
            "Trained on code",
            {"base": (CODE, 0), "p1": (CODE, 1), "p2": (CODE, 2)},
            {"itself": "greedy", "shifted": "transfer:synthetic_code_shift"},
        ),
    ],
)
