"""Where the answer of a chat model begins, what is graded of it, and what is trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.decoding.thinking import answer_in, answer_start, without_thoughts
from tasks.rows import CHAT_SAMPLE, SAMPLE, VERDICT, Row, read_rows, write_rows
from tasks.score.math.pool import GradePool
from tasks.score.score import score_rows
from tasks.select.pairs import pairs
from tasks.select.select import select
from tasks.settings import FilterSettings

ASKED = "<|im_start|>assistant\n"
OPENED = "<|Assistant|><think>\n"
HARMONY = "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>"

# Prompt, completion, its answer, and the completion without its thoughts.
CASES = [
    (ASKED, "13", "13", "13"),
    (ASKED, "<think>\n17 - 4\n</think>\n\n13", "13", "13"),
    (ASKED, "<think>\n17 - 4", "", ""),
    (OPENED, "17 - 4\n</think>\n\n13", "13", "</think>\n\n13"),
    (OPENED, "17 - 4 = 13", "", ""),
    (ASKED, "a</think>b</think>c", "c", "c"),
    (ASKED, "what <think> means", "what <think> means", "what <think> means"),
    (ASKED, "[THINK]a[/THINK] 13", "13", "13"),
    (ASKED, "[THINK]a", "", ""),
    (ASKED, "<seed:think>a</seed:think>13", "13", "13"),
    (ASKED, "<|START_THINKING|>a<|END_THINKING|>13", "13", "13"),
    (ASKED, "<|inner_prefix|>a<|inner_suffix|>13", "13", "13"),
    (ASKED, f"{HARMONY}13", "13", "<|channel|>final<|message|>13"),
    (ASKED, "<|channel|>analysis<|message|>a", "", ""),
    (ASKED + "<think>\n\n</think>\n\n", "13", "13", "13"),
    (ASKED, "<think>a</think>", "", ""),
]


@pytest.mark.parametrize(("prompt", "text", "answer", "without"), CASES)
def test_the_answer_follows_the_thoughts(prompt, text, answer, without):
    assert answer_in(prompt, text) == answer
    assert without_thoughts(prompt, text) == without


@given(st.text(), st.lists(st.sampled_from(["<think>", "</think>", " ", "13"]), max_size=8))
def test_an_answer_is_the_end_of_its_completion(prompt, parts):
    text = "".join(parts)
    start = answer_start(prompt, text)
    assert -1 <= start <= len(text)
    assert text.endswith(answer_in(prompt, text))


def scored(texts: list[str]) -> list[Row]:
    return [
        {
            **{"problem_id": "p", "index": i, "seed": i, "text": text, "tokens": 9},
            **{"finish": "stop", "model": "m", "prompt": "p", "answer": answer_start(ASKED, text)},
        }
        for i, text in enumerate(texts)
    ]


def test_thoughts_without_an_end_are_no_answer_and_thoughts_are_not_graded():
    samples = scored(["<think>\n13", "<think>\n12\n</think>\n\n13", "<think>\n13\n</think>\n\n12"])
    with GradePool(1, 10.0) as pool:
        found = [verdict["status"] for verdict, _ in score_rows(samples, {"p": "13"}, pool)]
    assert found == ["no_answer", "correct", "wrong_answer"]


RIGHT = ["<think>\na\n</think>\n\n13", "<think>\nb\n</think>\n\n13"]
WRONG = ["<think>\nc\n</think>\n\n12", "<think>\nd"]
PROBLEM = {"id": "p", "question": "?", "split": "train", "level": "", "solution": "", "subject": ""}


def shard(folder: Path) -> tuple[str, str, str]:
    samples = scored([*RIGHT, *WRONG])
    rewards = [
        {"reward": float(i < len(RIGHT)), "extracted": "", "first_failure": -1} for i in range(4)
    ]
    status = ["correct"] * 2 + ["wrong_answer"] * 2
    judged = [{**a, **b, "status": c} for a, b, c in zip(samples, rewards, status, strict=True)]
    paths = folder / "samples.parquet", folder / "verdicts.parquet"
    write_rows(paths[0], CHAT_SAMPLE, samples)
    write_rows(paths[1], VERDICT, judged)
    return str(paths[0]), str(paths[1]), "key"


@pytest.mark.parametrize(("thinking", "expected"), [("keep", RIGHT), ("drop", ["13"])])
def test_thoughts_are_trained_on_or_not_and_equal_texts_once(tmp_path, thinking, expected):
    settings = FilterSettings(thinking=thinking)
    rows, counts = select([shard(tmp_path)], [PROBLEM], settings, 0, lambda _: ASKED)
    assert [row["completion"] for row in rows] == expected
    assert counts.dropped_duplicate == len(RIGHT) - len(expected)


@pytest.mark.parametrize(("thinking", "expected"), [("keep", {*WRONG}), ("drop", {"12"})])
def test_the_wrong_side_of_a_pair_is_as_the_right_one(tmp_path, thinking, expected):
    settings = FilterSettings(thinking=thinking, dedup="none")
    rows, _ = pairs([shard(tmp_path)], [PROBLEM], settings, 0, lambda _: ASKED)
    assert {row["rejected"] for row in rows} == expected


def test_samples_of_plain_prompts_have_no_answers_place(tmp_path):
    assert set(CHAT_SAMPLE.names) - set(SAMPLE.names) == {"answer"}
    rows = scored(["13"])
    write_rows(tmp_path / "s.parquet", SAMPLE, rows)
    assert "answer" not in next(iter(read_rows(tmp_path / "s.parquet")))
