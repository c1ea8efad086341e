"""pass@k and majority vote of the base policy and of each iteration (figure 5, section 5.1)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import bars, over_numbers
from flows.study.quantities import gain, minus

MATH, CODE = "math", "code"
_SIZES = {MATH: (1, 2, 4, 8, 16), CODE: (1, 2, 4)}
POLICIES = {MATH: 4, CODE: 3}


def arms(bases: Bases) -> list[Arm]:
    """The plain run of each task."""
    return [Arm(MATH), Arm(CODE, task="code")]


STUDY = Study(
    name="passk",
    title="pass@k and majority vote",
    question="Does the policy only become surer of what its samples could do before, or can its "
    "samples do more? Where a curve crosses below the base's, a warning says so.",
    arms=arms,
    claims=[
        *(
            Claim(
                "Figure 5: pass@K is above the base's at every K.",
                f"{task}, pass@{k}: last policy minus base",
                gain(task, f"pass@{k}"),
            )
            for task in (MATH, CODE)
            for k in (1, _SIZES[task][-1])
        ),
        *(
            Claim(
                "Figure 5: the gain is largest at K = 1.",
                f"{task}: gain in pass@1 minus gain in pass@{_SIZES[task][-1]}",
                minus(gain(task, "pass@1"), gain(task, f"pass@{_SIZES[task][-1]}")),
            )
            for task in (MATH, CODE)
        ),
        Claim(
            "MATH, PaLM 2-L: majority vote of 64 rises from 44.02 to 48.82.",
            "math, majority vote of 8: last policy minus base",
            gain(MATH, "maj@8"),
        ),
    ],
    figures=[
        *(
            over_numbers(
                f"{task}: pass@k",
                {
                    f"p{at}" if at else "base": {k: (task, f"pass@{k}", at) for k in _SIZES[task]}
                    for at in range(POLICIES[task])
                },
                "samples a problem (k)",
                "solved by one of k samples",
            )
            for task in (MATH, CODE)
        ),
        bars(
            "math: one sample, a vote of eight, one of eight",
            {"base": (MATH, 0), "p1": (MATH, 1), "p2": (MATH, 2), "p3": (MATH, 3)},
            {"pass@1": "pass@1", "vote of 8": "maj@8", "pass@8": "pass@8"},
            "problems solved",
        ),
    ],
)
