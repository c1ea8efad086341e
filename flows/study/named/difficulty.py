"""Which problems gain: by how often the base policy's samples solve them (figure 8)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import bars
from flows.study.quantities import minus, of
from flows.study.results import Quantity

_MATH = "math"
EASY, MEDIUM, HARD, HARDEST = "75% or more", "50% to 75%", "25% to 50%", "less than 25%"


def arms(bases: Bases) -> list[Arm]:
    """The plain run."""
    return [Arm(_MATH)]


def over_easy(name: str) -> Quantity:
    """How much more the problems of a bin gain than the easy ones."""
    return minus(of(_MATH, f"bin:{name}"), of(_MATH, f"bin:{EASY}"))


STUDY = Study(
    name="difficulty",
    title="Which problems gain",
    question="Problems are sorted by how often the base policy's samples solve them; greedy "
    "solutions of the base and of the last policy are then compared on each sort.",
    arms=arms,
    claims=[
        Claim(
            "Figure 8: medium problems gain more than easy ones.",
            f"gain on problems solved {MEDIUM} of the time minus gain on those solved {EASY}",
            over_easy(MEDIUM),
        ),
        Claim(
            "Figure 8: hard problems gain more than easy ones.",
            f"gain on problems solved {HARD} of the time minus gain on those solved {EASY}",
            over_easy(HARD),
        ),
    ],
    figures=[
        bars(
            "Gain over the base policy",
            {f"p{at}": (_MATH, at) for at in (1, 2, 3)},
            {name: f"bin:{name}" for name in (EASY, MEDIUM, HARD, HARDEST)},
            y="gain in accuracy (greedy)",
            x="policy; bars: how often the base's samples are right",
        )
    ],
)
