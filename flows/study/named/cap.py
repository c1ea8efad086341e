"""How many correct samples of a problem are kept (section 3: at most ten)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import bars
from flows.study.quantities import better

CAPS = {1: "cap 1", 4: "cap 4", 10: "cap 10", 0: "no cap"}


def arms(bases: Bases) -> list[Arm]:
    """One iteration of three times the samples, so that a cap of ten cuts."""
    drawn = {"iterations": 1, "sampling.samples": 3 * bases.math.sampling.samples}
    return [Arm(name, {**drawn, "filter.cap": cap}) for cap, name in CAPS.items()]


STUDY = Study(
    name="cap",
    title="The cap on a problem's samples",
    question="Keeping all correct samples trains on easy problems above all; keeping one throws "
    "most away. What does the cap do?",
    arms=arms,
    claims=[
        Claim(
            "Figure 6: up to ten solutions for each question beat one.",
            "greedy: cap 10 minus cap 1",
            better(CAPS[10], CAPS[1]),
        ),
    ],
    figures=[
        bars(
            "One iteration, by cap",
            {"base": (CAPS[1], 0), **{name: (name, -1) for name in CAPS.values()}},
            {"greedy": "greedy", "pass@1": "pass@1", "pass@8": "pass@8"},
        )
    ],
)
