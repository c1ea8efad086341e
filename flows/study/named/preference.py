"""RLAIF beside RLHF (Lee et al., arXiv 2309.00267), on notes about made-up posts.

Numbers of the paper are those on summaries. Win rates are over the base policy and at equal length,
and who says which note is better is the checker, which knows; alignment is with the checker too,
where the paper has people.
"""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import bars
from flows.study.preference_metrics import (
    ALIGNMENT,
    REWARD_ACCURACY,
    SAME_PLACE,
    WIN,
    WIN_BY_JUDGE,
    WIN_CONTROLLED,
)
from flows.study.quantities import better, lead, order

RLHF, RLAIF, SMALL, DIRECT = "RLHF", "RLAIF", "smaller judge", "direct RLAIF"
NO_SWAP, NO_REASON, SEVERAL = "no swap", "no rationale", "several rationales"
REST, ORACLE, COIN = "ReST", "oracle", "random labels"
# Those whose policy is trained by a reward model and in the same way.
BY_MODEL = (RLHF, RLAIF, SMALL, NO_SWAP, NO_REASON, SEVERAL, ORACLE, COIN)
ARMS = (RLHF, RLAIF, SMALL, DIRECT, NO_SWAP, NO_REASON, SEVERAL, REST, ORACLE, COIN)
# Points of win rate within which two ways count as equally good.
_EQUAL = 0.05


def arms(_: Bases) -> list[Arm]:
    """Each by the fields in which it differs from RLAIF; samples and labels are shared."""
    found = {
        RLHF: {"judge.labels": "people"},
        RLAIF: {},
        SMALL: {"judge.model": "embedded:tiny-judge"},
        DIRECT: {"reward.by": "judge"},
        NO_SWAP: {"judge.swap": False},
        NO_REASON: {"judge.reasoning": False},
        # Four of the paper's sixteen: each is as dear as a label without.
        SEVERAL: {"judge.reasons": 4, "judge.reason_temperature": 1.0},
        REST: {
            "judge.labels": "people",
            "finetune.improve": "sft",
            "filter.thresholds": [0.5, 0.6, 0.7],
            "finetune.learning_rate": 3e-4,
            "finetune.batch_size": 16,
            "finetune.epochs": 1.0,
        },
        ORACLE: {"judge.labels": "oracle"},
        COIN: {"judge.labels": "random"},
    }
    return [Arm(name, changes, "notes") for name, changes in found.items()]


STUDY = Study(
    name="preference",
    title="Labels of a model in the place of people's",
    question="RLAIF trains a policy as RLHF does, on labels of a judge. Is it as good, what makes "
    "a judge a good one, and does a reward model's accuracy tell how good the policy will be?",
    arms=arms,
    claims=[
        Claim(
            "RLAIF beats the policy that it started from: 71% of summaries (59% at equal length).",
            "win rate over the base at equal length: RLAIF minus 50%",
            lead(RLAIF, WIN_CONTROLLED, 0.5),
        ),
        Claim(
            "RLHF does as well: 73% (61% at equal length).",
            "win rate over the base at equal length: RLHF minus 50%",
            lead(RLHF, WIN_CONTROLLED, 0.5),
        ),
        Claim(
            "RLAIF and RLHF are equally good: 71% and 73%, no significant difference.",
            "win rate over the base at equal length: RLAIF minus RLHF",
            better(RLAIF, RLHF, WIN_CONTROLLED),
            "equal",
            _EQUAL,
        ),
        Claim(
            "A small judge is enough: 68% with one of the policy's own size (59% at equal length). "
            "The smaller one here has a third of the policy's parameters.",
            "win rate over the base at equal length: smaller judge minus 50%",
            lead(SMALL, WIN_CONTROLLED, 0.5),
        ),
        Claim(
            "Direct RLAIF, without a reward model, is at least as good: 74% (65% at equal length).",
            "win rate over the base at equal length: direct minus RLAIF",
            better(DIRECT, RLAIF, WIN_CONTROLLED),
            "not below",
        ),
        Claim(
            "A rationale helps alignment: 76.1% to 77.5%.",
            "alignment of labels: RLAIF minus no rationale",
            better(RLAIF, NO_REASON, ALIGNMENT, 0),
        ),
        Claim(
            "Self-consistency hurts: 78.0% to 72.8% with 16 rationales at temperature 1.",
            "alignment of labels: several rationales minus RLAIF",
            better(SEVERAL, RLAIF, ALIGNMENT, 0),
            "below",
        ),
        Claim(
            "Larger labellers align better: 62.7%, 73.8%, 78.0%.",
            "alignment of labels: RLAIF minus smaller judge",
            better(RLAIF, SMALL, ALIGNMENT, 0),
        ),
        Claim(
            "Position bias grows as labellers shrink: 18%, 21%, 56% stay with the position.",
            "pairs that stay with the position: smaller judge minus RLAIF",
            better(SMALL, RLAIF, SAME_PLACE, 0),
        ),
        Claim(
            "Both orders are asked and averaged, against this bias.",
            "alignment of labels: RLAIF minus no swap",
            better(RLAIF, NO_SWAP, ALIGNMENT, 0),
        ),
        Claim(
            "The accuracy of reward models does not order the policies: one of 77.9% lost to one "
            "of 74.2%.",
            "Spearman's correlation over arms, accuracy with win rate: within 0.5 of 0",
            order(BY_MODEL, (REWARD_ACCURACY, 0), (WIN_CONTROLLED, -1)),
            "equal",
            0.5,
            in_points=False,
        ),
        Claim(
            "ReST (2308.08998): filtering by a reward model with rising thresholds improves the "
            "policy.",
            "win rate over the base at equal length: ReST minus 50%",
            lead(REST, WIN_CONTROLLED, 0.5),
        ),
        Claim(
            "It is the labels that help: a coin in their place does not (no claim of a paper).",
            "win rate over the base at equal length: RLAIF minus random labels",
            better(RLAIF, COIN, WIN_CONTROLLED),
        ),
        Claim(
            "Labels without any mistake are the most that can be had (ours, no claim of a paper).",
            "win rate over the base at equal length: oracle minus RLHF",
            better(ORACLE, RLHF, WIN_CONTROLLED),
            "not below",
        ),
    ],
    figures=[
        bars(
            "Win rate over the base",
            {name: (name, -1) for name in ARMS},
            {"all answers": WIN, "at equal length": WIN_CONTROLLED},
            "win rate",
        ),
        bars(
            "Labels",
            {name: (name, 0) for name in (RLHF, RLAIF, SMALL, NO_SWAP, NO_REASON, SEVERAL)},
            {
                "agree with the checker": ALIGNMENT,
                "stay with the position": SAME_PLACE,
                "reward model's accuracy": REWARD_ACCURACY,
            },
            "pairs",
        ),
    ],
    numbers={
        "win rate": (WIN, -1),
        "at equal length": (WIN_CONTROLLED, -1),
        "by the run's judge": (WIN_BY_JUDGE, -1),
        "labels right": (ALIGNMENT, 0),
        "stays with the position": (SAME_PLACE, 0),
        "reward model right": (REWARD_ACCURACY, 0),
        "greedy": ("greedy", -1),
    },
)
