"""Human solutions against the policy's own, on the same questions (figure 6, section 5.2)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import bars
from flows.study.quantities import better

HUMAN, ONE, MANY, FULL = "human", "one own each", "many own each", "full ReST^EM"


def arms(bases: Bases) -> list[Arm]:
    """All train on the questions that the base's samples solve."""
    return [
        Arm(HUMAN, {"filter.select": "human", "iterations": 1}),
        Arm(ONE, {"filter.cap": 1, "iterations": 1}),
        Arm(MANY, {"iterations": 1}),
        Arm(FULL, {"iterations": 3}),
    ]


STUDY = Study(
    name="own-vs-human",
    title="Own solutions or human ones",
    question="The data set's solutions, one correct sample of the base policy for each question, "
    "or all of ReST^EM: which teaches more, on the same questions? Human solutions are stood for "
    "by text in one manner that the base policy was not trained on.",
    arms=arms,
    claims=[
        Claim(
            "Figure 6: one own solution for each question beats the human one.",
            "greedy: one own each minus human",
            better(ONE, HUMAN),
        ),
        Claim(
            "Figure 6: full ReST^EM beats one own solution for each question.",
            "greedy: full ReST^EM minus one own each",
            better(FULL, ONE),
        ),
    ],
    figures=[
        bars(
            "Trained on the same questions",
            {"base": (FULL, 0), **{name: (name, -1) for name in (HUMAN, ONE, MANY, FULL)}},
            {"greedy": "greedy", "pass@1": "pass@1", "shifted task": "transfer"},
        )
    ],
)
