"""The methods beside ReST^EM: ReST, RFT, STaR and DPO (section 4 places them)."""

from flows.study.claims import Claim
from flows.study.design import Arm, Bases, Study
from flows.study.figures import by_iteration
from flows.study.quantities import better

EM, RFT, STAR, DPO = "ReST^EM", "RFT", "STaR", "DPO"
CODE_EM, REST = "code, ReST^EM", "code, ReST"


def arms(bases: Bases) -> list[Arm]:
    """Each method by the fields in which it differs (docs/recipe.md)."""
    return [
        Arm(EM),
        Arm(
            RFT,
            {"iterations": 1, "sampling.samples": 3 * bases.math.sampling.samples, "filter.cap": 0},
        ),
        Arm(STAR, {"sampling.temperature": 0.0, "sampling.samples": 1}),
        # From the last policy: pairs are to come from the policy that DPO holds on to.
        Arm(
            DPO,
            {
                "finetune.improve": "dpo",
                "finetune.start_from": "last",
                "finetune.beta": 0.5,
                "finetune.batch_size": 32,
            },
        ),
        Arm(CODE_EM, task="code"),
        Arm(
            REST,
            {
                "filter.score": "tests",
                "filter.thresholds": [0.5, 0.8, 1.0],
                "finetune.start_from": "last",
                "finetune.learning_rate": bases.code.finetune.learning_rate / 2,
            },
            task="code",
        ),
    ]


STUDY = Study(
    name="rest",
    title="The methods beside it",
    question="ReST (real-valued reward, rising thresholds, from the last policy), RFT (one "
    "iteration, all distinct solutions), STaR (one greedy sample, no hints) and DPO (correct "
    "against wrong) are other settings of the same loop. How do they compare?",
    arms=arms,
    claims=[
        Claim(
            "Sections 4 and 5.4: ReST^EM, which starts from the base, generalises better than "
            "ReST.",
            "code, shifted task, greedy: ReST^EM minus ReST",
            better(CODE_EM, REST, "transfer"),
        ),
        Claim(
            "Section 5.1: iterating beats one iteration with as many samples, which RFT is.",
            "math, greedy: ReST^EM minus RFT",
            better(EM, RFT),
        ),
        Claim(
            "Section 4: sampling, not greedy decoding as in STaR, for the E-step.",
            "math, greedy: ReST^EM minus STaR",
            better(EM, STAR),
        ),
    ],
    figures=[
        by_iteration("math", {name: (name, "greedy") for name in (EM, RFT, STAR, DPO)}),
        by_iteration(
            "code",
            {
                f"{name}, {on}": (name, metric)
                for name in (CODE_EM, REST)
                for on, metric in {"itself": "greedy", "shifted": "transfer"}.items()
            },
        ),
    ],
)
