"""The methods that people compare with ReST^EM, at equal samples, beside two controls.

All arms sample as often: 8 samples of each training problem in each of 3 iterations (RFT and the
vote's arms too). Where an arm keeps more rows than ReST^EM its epochs are fewer, so that about as
many rows pass through training.
"""

from collections.abc import Mapping

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Comparison, Study
from flows.study.figures import bars
from flows.study.quantities import better, gain, minus

EM, RANDOM, MORE = "ReST^EM", "random rows", "more training"
CODE_EM, CODE_RANDOM = "code, ReST^EM", "code, random rows"
VOTE, ANY = "vote (LMSI)", "no check (SSD)"
BAND, DIFFICULTY = "band of pass rates", "cap by difficulty"
EQUATIONS, DIVERSE, POOL = "distinct equations", "diverse choice", "pool of iterations"
DPO, RPO, IPO, KTO, SPIN = "DPO", "DPO + likelihood", "IPO", "KTO", "SPIN"
WRONG, BLEND, SEARCH = "wrong rows, low weight", "mean with the base", "searched temperature"

_PAIRS: Mapping[str, object] = {
    "finetune.improve": "dpo",
    "finetune.start_from": "last",
    "finetune.beta": 0.5,
    "finetune.batch_size": 32,
}
# Each by the fields in which it differs; docs/methods.md says of each what its paper changes.
METHODS: Mapping[str, Mapping[str, object]] = {
    MORE: {"finetune.epochs": 4},
    VOTE: {"filter.score": "vote"},
    ANY: {"filter.score": "any", "finetune.epochs": 1},
    BAND: {"filter.min_pass_rate": 0.2, "filter.max_pass_rate": 0.8},
    DIFFICULTY: {"filter.cap_by": "difficulty"},
    EQUATIONS: {"filter.dedup": "equations"},
    DIVERSE: {"filter.select": "diverse", "filter.cap": 4},
    POOL: {"filter.pool": "all"},
    DPO: _PAIRS,
    RPO: {**_PAIRS, "finetune.nll": 1.0},
    IPO: {**_PAIRS, "finetune.trainer_args": ["loss_type=ipo"]},
    KTO: {**_PAIRS, "finetune.improve": "kto"},
    SPIN: {**_PAIRS, "finetune.pairs": "human", "filter.cap": 4},
    WRONG: {"filter.wrong_weight": 0.1},
    BLEND: {"finetune.blend": [0.25, 0.5, 0.75, 1.0]},
    SEARCH: {"sampling.search": [0.5, 0.7, 1.0]},
}


def arms(_: Bases) -> list[Arm]:
    """ReST^EM, the control and each method."""
    seen = {"evaluation.diversity": True}
    math = {EM: {}, RANDOM: {"filter.score": "random"}, **METHODS}
    code = {CODE_EM: {}, CODE_RANDOM: {"filter.score": "random"}}
    return [
        *(Arm(name, {**seen, **changes}) for name, changes in math.items()),
        *(Arm(name, changes, "code") for name, changes in code.items()),
    ]


STUDY = Study(
    name="methods",
    title="The methods that people compare, at equal samples",
    question="Each method changes a field or two of the same loop. What does each gain over "
    "training on as many samples chosen at random, and over ReST^EM, on and off the task?",
    arms=arms,
    claims=[
        Claim(
            "rlhf-book issue 350: a loop without any reward gains as well (0.760 to 0.775).",
            "greedy: random rows, last policy minus base",
            gain(RANDOM),
        ),
        Claim(
            "Any gain has to be larger than that of rows chosen at random.",
            "greedy: ReST^EM minus random rows",
            better(EM, RANDOM),
        ),
        Claim(
            "The same on programs.",
            "code, greedy: ReST^EM minus random rows",
            better(CODE_EM, CODE_RANDOM),
        ),
        Claim(
            "LMSI (2210.11610): labels of the majority, without references, gain (74.4 to 82.1).",
            "greedy: vote, last policy minus base",
            gain(VOTE),
        ),
        Claim(
            "SSD (2604.01193): training on unchecked samples gains (42.4 to 55.3).",
            "pass@1: no check, last policy minus base",
            gain(ANY, "pass@1"),
        ),
        Claim(
            "Reinforce-Rej (2504.11343): leaving out what is solved always or never helps.",
            "greedy: band of pass rates minus ReST^EM",
            better(BAND, EM),
        ),
        Claim(
            "DART-Math (2407.13690): more rows for harder problems help.",
            "greedy: cap by difficulty minus ReST^EM",
            better(DIFFICULTY, EM),
        ),
        Claim(
            "RFT (2308.01825): what counts are distinct paths; repeated ones can go.",
            "greedy: distinct equations minus ReST^EM",
            better(EQUATIONS, EM),
            "not below",
        ),
        Claim(
            "Iterative RPO (2404.19733): the likelihood of the chosen side is crucial beside DPO.",
            "greedy: DPO + likelihood minus DPO",
            better(RPO, DPO),
        ),
        Claim(
            "SPIN (2401.01335): human solutions over one's own gain (58.1 to 63.2).",
            "greedy: SPIN, last policy minus base",
            gain(SPIN),
        ),
        Claim(
            "2601.04992: wrong rows of low weight help out of the task.",
            "other tasks: wrong rows minus ReST^EM",
            better(WRONG, EM, "transfer"),
        ),
        Claim(
            "WiSE-FT (2504.10478): a mean with the base wins back pass@k.",
            "pass@16: gain of the mean minus gain of ReST^EM",
            minus(gain(BLEND, "pass@16"), gain(EM, "pass@16")),
        ),
        Claim(
            "B-STaR (2412.17256): temperature chosen each iteration helps.",
            "greedy: searched temperature minus ReST^EM",
            better(SEARCH, EM),
        ),
    ],
    figures=[
        bars(
            "Accuracy of the last policy",
            {name: (name, -1) for name in (EM, RANDOM, *METHODS)},
            {"greedy": "greedy", "pass@16": "pass@16"},
        ),
    ],
    comparison=Comparison(
        EM,
        (RANDOM, *METHODS),
        {
            "greedy": "greedy",
            "pass@1": "pass@1",
            "pass@16": "pass@16",
            "vote of 8": "maj@8",
            "other tasks": "transfer",
        },
    ),
)
