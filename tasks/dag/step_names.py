"""Names of the steps: in cache keys, in journals, and in the lines that people see.

A journal's line is named after its step and, where there is something to add, what for: `generate
draw`, `score pass@k`, `measure math-500`.
"""

from __future__ import annotations

from typing import Final

BASE_MODEL: Final = "base model"
GENERATE: Final = "generate"
SCORE: Final = "score"
GROUP_ANSWERS: Final = "group"
RELABEL: Final = "relabel"
SELECT: Final = "select"
PAIRS: Final = "pairs"
LABELLED_ROWS: Final = "labelled"
PREFERENCE_SET: Final = "preference set"
PROMPTS: Final = "prompts"
COMPARE: Final = "compare"
FIT: Final = "fit"
RATE: Final = "rate"
COMPARE_ANSWERS: Final = "compare answers"
COMPARE_VERDICTS: Final = "compare verdicts"
WIN_RATES: Final = "win rates"
FINETUNE: Final = "finetune"
BLEND: Final = "blend"
MEASURE: Final = "measure"
MEASURE_LABELS: Final = "measure labels"
MEASURE_PROXY: Final = "measure proxy"
DIVERSITY: Final = "diversity"
VERIFY: Final = "verify"
REPORT: Final = "report"
IMPORT: Final = "import"
IMPORT_SAMPLES: Final = "import samples"

# What samples are drawn for: training, greedy accuracy on test problems, pass@k and the vote.
DRAW: Final = "draw"
TEST: Final = "test"
PASS_AT_K: Final = "pass@k"


def line_name(step: str, purpose: str) -> str:
    """Name of a step's line in the journal: `generate draw`."""
    return f"{step} {purpose}"
