"""More samples or more iterations (section 5.1), and how many samples a problem."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import bars, over_numbers
from flows.study.quantities import better

THREE, ONE = "three iterations", "one iteration, 3× the samples"
_SIZES = (1, 2, 4, 8, 16)


def _arm(size: int) -> str:
    """The arm of one iteration with so many samples a problem."""
    return f"one iteration, N = {size}"


def arms(bases: Bases) -> list[Arm]:
    """Both budgets of the same size, and the first N samples of the larger one."""
    once = {"iterations": 1, "sampling.samples": 3 * bases.math.sampling.samples}
    return [
        Arm(THREE, {"iterations": 3}),
        Arm(ONE, once),
        *(Arm(_arm(n), {**once, "filter.first": n}) for n in _SIZES),
    ]


STUDY = Study(
    name="samples",
    title="More samples or more iterations",
    question="With the same number of samples in all: is it better to draw them from the base "
    "policy at once, or in three iterations? And what do more samples of one iteration give?",
    arms=arms,
    claims=[
        Claim(
            "MATH, PaLM 2-L: 41.9 after three iterations, 40.3 after one with three times the "
            "samples.",
            "greedy: three iterations minus one with 3× the samples",
            better(THREE, ONE),
        ),
        Claim(
            "More samples in an iteration help (ReST^EM's N = 32 and 64 against one sample a "
            "question in figure 6).",
            f"greedy after one iteration: N = {_SIZES[-1]} minus N = {_SIZES[0]}",
            better(_arm(_SIZES[-1]), _arm(_SIZES[0])),
        ),
    ],
    figures=[
        bars(
            "The same number of samples",
            {"base": (THREE, 0), "1 iteration, 3×": (ONE, -1), "3 iterations": (THREE, -1)},
            {"greedy": "greedy", "pass@1": "pass@1", "shifted task": "transfer"},
        ),
        over_numbers(
            "One iteration with N samples",
            {
                label: {n: (_arm(n), metric, -1) for n in _SIZES}
                for label, metric in {"greedy": "greedy", "shifted task": "transfer"}.items()
            },
            "samples a problem (N)",
        ),
    ],
)
