"""The made-up problems and the shipped base model that was pre-trained on their corpus share."""

from __future__ import annotations

import importlib.util
import itertools
import random
import re
from collections import defaultdict
from types import ModuleType

import pytest

from tasks.errors import UserError
from tasks.policy.step import MODELS
from tasks.problems import synthetic_math
from tasks.problems.synthetic_math import LEVELS, SHARES, draw_sum, load_split, sum_stream
from tasks.prompts import load_template
from tasks.score.math.grade import grade

MODEL = MODELS / "tiny-math"
WORDS = {"buys": "+", "finds": "+", "gets": "+", "wins": "+"} | dict.fromkeys(
    ("eats", "gives", "loses", "sells"), "-"
)


@pytest.fixture(scope="module")
def splits() -> dict[str, list[dict]]:
    return {split: list(load_split(split)) for split in ("train", "test")}


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("maker", MODELS / "make_tiny_math.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(question: str) -> str:
    """The arithmetic of a question, found again from its words alone."""
    start, *changes = re.split(r", ", question.removesuffix(". How many?"))
    numbers = re.findall(r"\d+", start)
    moves = [change.split() for change in changes]
    return "*".join(numbers) + "".join(WORDS[verb] + number for verb, number in moves)


def left_to_right(arithmetic: str) -> int:
    value, *rest = re.findall(r"[-+*]?\d+", arithmetic)
    total = int(value)
    for part in rest:
        number = int(part[1:])
        total = {"*": total * number, "+": total + number, "-": total - number}[part[0]]
    return total


def runs(question: str, size: int) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", question.lower())
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def test_sizes_ids_and_fields(splits: dict[str, list[dict]]) -> None:
    rows = splits["train"] + splits["test"]
    assert [len(splits["train"]), len(splits["test"])] == [6000, 1000]
    assert len({row["id"] for row in rows}) == len({row["question"] for row in rows}) == 7000
    assert {(row["domain"], row["split"]) for row in rows} == {("math", "train"), ("math", "test")}


def test_same_problems_every_time(splits: dict[str, list[dict]]) -> None:
    random.seed(5)  # the global state of random must not matter
    assert list(itertools.islice(load_split("train"), 500)) == splits["train"][:500]


def test_no_arithmetic_stands_on_two_sides(splits: dict[str, list[dict]]) -> None:
    sides = {split: {read(row["question"]) for row in rows} for split, rows in splits.items()}
    sides["corpus"] = {p.sum.text for p in itertools.islice(sum_stream("corpus", seed=7), 20_000)}
    for one, other in itertools.combinations(sides.values(), 2):
        assert not one & other


def test_shares_hold_what_they_promise() -> None:
    assert sorted(itertools.chain(*SHARES.values())) == list(range(10))
    rng, seen = random.Random(3), defaultdict(int)
    for _ in range(20_000):
        seen[draw_sum(rng, "5").share] += 1
    for share, buckets in SHARES.items():
        assert abs(seen[share] / 20_000 - len(buckets) / 10) < 0.02


def test_no_thirteen_words_in_common_across_splits(splits: dict[str, list[dict]]) -> None:
    sides = {
        split: set().union(*(runs(row["question"], 13) for row in rows))
        for split, rows in splits.items()
    }
    assert sides["test"], "the longest questions have a run of thirteen, so the check can fail"
    assert not sides["train"] & sides["test"]
    assert not any(runs(row["question"], 14) for rows in splits.values() for row in rows)


def test_references_and_solutions_are_right(splits: dict[str, list[dict]]) -> None:
    netted = 0
    for row in splits["train"] + splits["test"]:
        asked = read(row["question"])
        answer = left_to_right(asked)
        assert row["reference"] == str(answer)
        work, given = row["solution"].split(" #### ")
        assert given == row["reference"] and grade(row["reference"], row["solution"]).reward == 1.0
        said = re.fullmatch(r"(\w+) has (?:([\d+*-]+)=)?(\d+) (\w+)\.", work)
        assert said and said[1] in row["question"] and said[4] in row["question"]
        assert int(said[3]) == answer == left_to_right(said[2] or said[3])
        netted += bool(said[2]) and len(said[2]) < len(asked)
    assert netted > 3000, "changes are taken together"


def test_solutions_are_none_of_the_corpus_and_fit_the_tokens_of_the_demo(
    maker: ModuleType, splits: dict[str, list[dict]]
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    written = [text for prompt, text in itertools.islice(maker.corpus(), 5000) if prompt]
    assert not any(" has " in text for text in written)
    # sampling.max_tokens in configs/math-demo.toml; the last one ends the text
    assert max(len(tokenizer(row["solution"])["input_ids"]) for row in splits["train"]) < 40


def test_levels_are_equally_frequent_and_graded(splits: dict[str, list[dict]]) -> None:
    by_level = defaultdict(list)
    for row in splits["test"]:
        by_level[row["level"]].append(row)
    assert tuple(sorted(by_level)) == LEVELS
    assert {len(rows) for rows in by_level.values()} == {200}
    steps = [len(re.findall(r"[-+*]", read(by_level[level][0]["question"]))) for level in LEVELS]
    assert steps == [1, 2, 3, 3, 3]

    def largest_change(level: str) -> int:
        return max(
            int(n) for r in by_level[level] for n in re.findall(r", \w+ (\d+)", r["question"])
        )

    assert largest_change("3") == 9
    assert largest_change("5") == 20
    assert all("bags" in row["question"] for row in by_level["4"])


def test_only_food_is_eaten(splits: dict[str, list[dict]]) -> None:
    eaten = {
        thing
        for row in splits["train"]
        if "eats" in row["question"]
        for thing in synthetic_math.THINGS
        if f" {thing}," in row["question"]
    }
    assert eaten == {"eggs", "figs", "nuts"}


@pytest.mark.parametrize(
    ("split", "source", "said"),
    [("validation", "", "split"), ("corpus", "", "split"), ("train", "/data/x", "data.source")],
)
def test_mistakes_are_said_in_one_line(split: str, source: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        next(load_split(split, source=source))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_corpus_holds_no_problem_of_the_loop(
    maker: ModuleType, splits: dict[str, list[dict]]
) -> None:
    kept = {read(row["question"]) for rows in splits.values() for row in rows}
    solved, right, ways = 0, 0, set()
    for prompt, completion in itertools.islice(maker.corpus(), 60_000):
        if prompt:
            question = prompt.removeprefix("Q: ").removesuffix("\nA: ")
            assert read(question) not in kept
            answer = str(left_to_right(read(question)))
            work, given = completion.split("#### ")
            solved, right = solved + 1, right + (given == answer)
            if question.count(",") > 1:  # one change is written alike by the careful and the brisk
                ways.add(("hasty", "brisk", "careful")[min(work.count("="), 2)])
    assert solved > 10_000
    assert ways == {"careful", "brisk", "hasty"}
    assert 0.5 < right / solved < 0.95, "solutions of the corpus are not always right"


def test_prompt_is_the_layout_of_the_corpus(
    maker: ModuleType, splits: dict[str, list[dict]]
) -> None:
    problem = next(sum_stream("corpus", seed=1))
    prompt, _ = maker.solved(random.Random(1), problem)
    assert load_template("tiny_math").render(problem.question, -1) == prompt


def test_model_is_small_and_loads() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert sum(file.stat().st_size for file in MODEL.iterdir()) < 2_000_000
    model = AutoModelForCausalLM.from_pretrained(MODEL)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    assert model.config.head_dim == 32
    assert {str(weight.dtype) for weight in model.parameters()} == {"torch.float32"}
    tokens = [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id]
    assert len(set(tokens)) == 3
    assert model.config.vocab_size == len(tokenizer)


@pytest.mark.parametrize("text", ["Q: Ann has 23 pens.\nA: ", "é  ½ \t{x} ✓\n\n", "#### 12", " 7"])
def test_tokenizer_keeps_any_text(text: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids[1:]) == text


def test_base_solves_some_problems_but_not_most(splits: dict[str, list[dict]]) -> None:
    """The loop needs right solutions to start from, and room above them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tasks.decoding.decode import decode
    from tasks.decoding.request import Sampling

    model = AutoModelForCausalLM.from_pretrained(MODEL).eval()
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    rows, template = splits["test"][:500], load_template("tiny_math")
    prompts = [template.render(row["question"], -1) for row in rows]
    sampling = Sampling(temperature=0.0, max_tokens=40, stop=tuple(template.stop))
    requests = [(number, 0) for number in range(len(rows))]
    with torch.inference_mode():
        done = decode(model, tokenizer, prompts, requests, sampling, batch_size=500)
    right = [
        one.text.endswith(f"#### {row['reference']}") for one, row in zip(done, rows, strict=True)
    ]
    assert 0.20 < sum(right) / len(right) < 0.55
