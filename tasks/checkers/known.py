"""Which problems have a checker of ours: by what they say, so that no other problem gets it.

The problems are of APPS, which has one answer for each test. A checker is given to a reference when
it is judged, not when it is read: what samples are drawn for stays what it was.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from tasks.rows import Row, question_key

# Module and function -> the beginnings of the keys of the questions (rows.question_key), each with
# the problem's number in the training split of APPS.
KNOWN: dict[str, dict[str, str]] = {
    "sequences.proper_sequence": {"0a9bbfb3ad9c8b0c": "0002"},
    "sequences.pairs_in_any_order": {"b0fdcb3b9a9407b0": "0005"},
    "sequences.longest_way": {"284aed6e903e1664": "0010"},
    "sequences.sum_is_product": {"d2bdef2f7d63a3d8": "0024"},
    "sequences.erased_numbers": {"c1eae6ef1a0944b6": "0033"},
    "sequences.chairs": {"70c3b6a99ebd80fb": "0044"},
    "sequences.lucky_permutation": {"880868ff13f44fc6": "2012"},
    "sequences.flattest_permutation": {"174feb3732b5e2e9": "2023"},
    "sequences.telling_questions": {"f3a3147a3993e39b": "2025"},
    "sequences.even_circle": {"3ee9b35fb204743e": "2029"},
    "sequences.painted_cells": {"0c98f521d6ea884c": "2031"},
    "sequences.delayed_flights": {"a76a28d05d9fcd73": "2051"},
    "sequences.hidden_permutation": {"477e36580d239b55": "2365"},
    "sequences.sorting_shifts": {"4715989315365ae3": "2391"},
    "sequences.swapped_columns": {"668884caf152a6ac": "2398"},
    "sequences.carousel": {"c679079d1912ed8b": "2400"},
    "sequences.sorted_parts": {"790efb4c6f420374": "2096"},
    "sequences.apples": {"953c7912f6017d7a": "2187"},
    "sequences.balanced_boxes": {"3ab3815dec6f80d1": "2144"},
    "graphs.closed_spots": {"44b321f174295702": "0006"},
    "graphs.two_trees": {"2bb5bdad67226b0b": "2033"},
    "graphs.joined_lists": {"fffd200a2bc5c91a": "2043"},
    "graphs.vertex_in_hand": {"f1f50acbceaa8a5c": "2054"},
    "graphs.numbered_tree": {"ba18a35451cbb101": "2287"},
    "graphs.mended_tree": {"6db4b7b93d83b23b": "2095"},
    "texts.turned_words": {"df0a4da1774248db": "0000"},
    "texts.once_inside": {"db3b6fc7c572cb67": "0028"},
    "texts.brackets_turned": {"d8cea1fccfd3ae70": "0041"},
    "texts.best_throws": {"64d056e9b5b3f8bb": "0046"},
    "texts.necklace": {"ac69c09f28c06d03": "2020"},
    "texts.robot": {"ae789ffab28e1a87": "2378"},
    "texts.alternating": {"65d36d41083cd93f": "2379"},
    "texts.one_letter_off": {"ee70594b7e0092d2": "2382"},
    "texts.ternary": {"c003ec7d7edc2fd0": "2395"},
}

_BY_QUESTION = {key: name for name, keys in KNOWN.items() for key in keys}
_KEY_LENGTH = 16
# What a function of a module is called by; sandbox/checker.py says what is wanted of it.
_CALL = """

def check_output(given: str, expected: str, printed: str) -> bool:
    words = Words(printed)
    right = Words(expected, trusted=True)
    try:
        return {name}(Words(given, trusted=True), right, words) and words.ended()
    except Malformed:
        return False
"""


def judged_reference(row: Row) -> str:
    """The reference of a problem, with a checker of ours where there is one for it."""
    name = _known(row)
    if name is None:
        return row["reference"]
    reference = json.loads(row["reference"])
    return json.dumps({"checker": checker_source(name), **reference})


def has_checker(row: Row) -> bool:
    """Whether a problem's outputs are judged by a checker, of the data set or of ours."""
    return _known(row) is not None or "checker" in json.loads(row["reference"])


def _known(row: Row) -> str | None:
    if row["domain"] != "code":
        return None
    return _BY_QUESTION.get(question_key(row["question"])[:_KEY_LENGTH])


@cache
def checker_source(name: str) -> str:
    """The source of a checker, as the sandbox takes it.

    Args:
        name: `module.function` of this room.
    """
    module, function = name.split(".")
    texts = (
        Path(__file__).with_name(f"{one}.py").read_text(encoding="utf-8")
        for one in ("words", module)
    )
    lines = (line for text in texts for line in text.splitlines())
    kept = "\n".join(line for line in lines if not line.startswith("from tasks.checkers."))
    return kept + "\n" + _CALL.format(name=function)
