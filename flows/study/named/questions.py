"""How many training questions (figure 8, section 5.3)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import over_numbers
from flows.study.quantities import better, gain

# The paper's data set holds 7,500; a configuration without a limit gets these.
OF_ALL = {1: 1000, 2: 2000, 4: 4000, 8: 0}


def _arm(eighths: int) -> str:
    """The arm with so many eighths of the questions."""
    return f"{eighths}/8 of the questions"


def arms(bases: Bases) -> list[Arm]:
    """One iteration on an eighth, a quarter, half and all of them."""
    whole = bases.math.data.train_limit
    limits = {e: whole * e // 8 for e in OF_ALL} if whole else OF_ALL
    return [Arm(_arm(e), {"data.train_limit": n, "iterations": 1}) for e, n in limits.items()]


STUDY = Study(
    name="questions",
    title="How many questions",
    question="How much does one iteration gain with fewer training questions?",
    arms=arms,
    claims=[
        Claim(
            "MATH, PaLM 2-L: 1,000 questions (about an eighth) already help.",
            "greedy, an eighth of the questions: first iteration minus base",
            gain(_arm(1)),
        ),
        Claim(
            "Figure 8: more questions help more.",
            "greedy after one iteration: all questions minus an eighth of them",
            better(_arm(8), _arm(1)),
        ),
    ],
    figures=[
        over_numbers(
            "One iteration on a part of the questions",
            {
                label: {e: (_arm(e), metric, -1) for e in OF_ALL}
                for label, metric in {"greedy": "greedy", "shifted task": "transfer"}.items()
            },
            "eighths of the training questions",
        )
    ],
)
