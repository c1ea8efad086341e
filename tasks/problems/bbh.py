"""`bbh`: BIG-Bench Hard (Suzgun et al., arXiv 2210.09261), 6,511 rows. Evaluation only.

27 files make 23 tasks: logical deduction and tracking shuffled objects come in three sizes each
(`without_size`). Fields read: input, target (the exact text of the answer) and task (on the Hub the
configuration); optional id, split. The subject of a row is the name of its file.

Its authors ask that the data never enter a training corpus, so there is no training split here.
Not covered: the JSON files of the authors' own repository (one object with a list of examples).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tasks.problems.source import Origin, problem_row, refuse_training
from tasks.rows import Row

BBH_SUBJECTS = (
    "boolean_expressions",
    "causal_judgement",
    "date_understanding",
    "disambiguation_qa",
    "dyck_languages",
    "formal_fallacies",
    "geometric_shapes",
    "hyperbaton",
    "logical_deduction_five_objects",
    "logical_deduction_seven_objects",
    "logical_deduction_three_objects",
    "movie_recommendation",
    "multistep_arithmetic_two",
    "navigate",
    "object_counting",
    "penguins_in_a_table",
    "reasoning_about_colored_objects",
    "ruin_names",
    "salient_translation_error_detection",
    "snarks",
    "sports_understanding",
    "temporal_sequences",
    "tracking_shuffled_objects_five_objects",
    "tracking_shuffled_objects_seven_objects",
    "tracking_shuffled_objects_three_objects",
    "web_of_lies",
    "word_sorting",
)
_ORIGIN = Origin(
    name="bbh",
    # The same 27 configurations as lukaemon/bbh, the older copy, which is a loading script that
    # current releases of `datasets` refuse to run.
    hub="SaylorTwift/bbh",
    configs=BBH_SUBJECTS,
    files=("bbh_{split}", "bbh", "{split}"),
)
_SIZE = re.compile(r"_(three|five|seven)_objects$")


def without_size(subject: str) -> str:
    """The task, of 23, to which a file belongs: its name without the number of objects."""
    return _SIZE.sub("", subject)


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the problem rows of `test`; raises like `loading.load_split`."""
    refuse_training(_ORIGIN.name, split, "math", ", as its authors ask")
    return _rows(source)


def _rows(source: str) -> Iterator[Row]:
    numbers: Counter[str] = Counter()
    for _, record in _ORIGIN.numbered("test", source):
        subject = record.text("task", "subject", "config")
        if subject not in BBH_SUBJECTS:
            field = next(name for name in ("task", "subject", "config") if name in record.data)
            record.fail(field, "one of the 27 names, such as navigate")
        own = record.optional("id") or f"{subject}/{numbers[subject]}"
        numbers[subject] += 1
        yield problem_row(
            *(_ORIGIN.name, "test", own, "text"),
            question=record.text("input"),
            reference=record.text("target"),
            subject=subject,
        )
