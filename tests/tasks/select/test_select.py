"""Each rule of selection on its own, the draw's independence, and that counts add up."""

from dataclasses import fields

import pytest

from tasks.errors import StepError
from tasks.rows import SAMPLE, TRAINING, VERDICT, write_rows
from tasks.select.decontaminate import Overlap
from tasks.select.results import LevelCount
from tasks.select.select import select
from tasks.settings import FilterSettings

OFF = {"cap": 0, "dedup": "none", "finished_only": False, "decontaminate_ngram": 0}
LONG = "a farmer has seven fields and sows three of them with rye every single spring"


def problem(name, question="What is it?", split="train", level="1"):
    row = dict.fromkeys(("domain", "reference", "solution", "subject"), "")
    return {**row, "id": name, "question": question, "split": split, "level": level}


def sample(name, index, text="t", reward=1.0, finish="stop"):
    return {"problem_id": name, "index": index, "text": text, "reward": reward, "finish": finish}


def shard(folder, rows, name="s"):
    """Write samples with their verdicts, as the generate and score steps do."""
    rest = {"seed": 0, "tokens": 1, "model": "m", "prompt": "p"}
    paths = folder / f"{name}.samples", folder / f"{name}.verdicts"
    write_rows(paths[0], SAMPLE, ({**rest, **row} for row in rows))
    verdict = {"status": "", "extracted": "", "first_failure": -1}
    write_rows(paths[1], VERDICT, ({**verdict, **row} for row in rows))
    return str(paths[0]), str(paths[1]), f"key of {name}"


def run(shards, problems, seed=0, **settings):
    chosen = FilterSettings(**{**OFF, **settings})
    rows, counts = select(shards, problems, chosen, seed, lambda row: f"Q: {row['question']}")
    return list(rows), counts


def test_reward_below_the_threshold_is_dropped(tmp_path):
    rewards = [0.0, 0.69, 0.7, 1.0]
    shards = [shard(tmp_path, [sample("a", n, reward=r) for n, r in enumerate(rewards)])]
    rows, counts = run(shards, [problem("a")], min_reward=0.7)
    assert [row["index"] for row in rows] == [2, 3]
    assert (counts.dropped_reward, counts.correct) == (2, 2)


def test_an_unfinished_sample_is_dropped(tmp_path):
    found = [sample("a", 0, finish="length"), sample("a", 1)]
    shards = [shard(tmp_path, found)]
    rows, counts = run(shards, [problem("a")], finished_only=True)
    assert ([row["index"] for row in rows], counts.dropped_unfinished) == ([1], 1)
    assert len(run(shards, [problem("a")])[0]) == 2


def test_duplicates_within_a_problem_leave_the_lowest_index_whatever_the_order(tmp_path):
    one = shard(tmp_path, [sample("a", 8, " x\n  y "), sample("b", 8, "x y")], "1")
    two = shard(tmp_path, [sample("a", 0, "x y"), sample("a", 1, "xy")], "2")
    problems = [problem("a"), problem("b")]
    for shards in ([one, two], [two, one]):
        rows, counts = run(shards, problems, dedup="exact")
        assert [(row["problem_id"], row["index"]) for row in rows] == [("a", 0), ("a", 1), ("b", 8)]
        assert counts.dropped_duplicate == 1


def test_the_cap_draws_so_many_and_a_smaller_cap_keeps_a_subset(tmp_path):
    shards = [shard(tmp_path, [sample("a", n) for n in range(50)])]
    kept = {}
    for cap in (4, 10):
        rows, counts = run(shards, [problem("a")], cap=cap)
        kept[cap] = {row["index"] for row in rows}
        assert (len(kept[cap]), counts.dropped_cap) == (cap, 50 - cap)
    assert kept[4] < kept[10] and kept[10] != set(range(10))


def test_the_draw_depends_on_the_seed_and_on_nothing_but_the_problem(tmp_path):
    mine = [sample("a", n, f"text {n}") for n in range(30)]
    other = [sample("b", n) for n in range(30)]
    alone = run([shard(tmp_path, mine)], [problem("a")], cap=5)[0]
    beside = run(
        [shard(tmp_path, other + mine[20:], "1"), shard(tmp_path, mine[:20], "2")],
        [problem("b"), problem("a")],
        cap=5,
    )[0]
    strip = [{**row, "samples": ""} for row in alone]
    assert [{**row, "samples": ""} for row in beside if row["problem_id"] == "a"] == strip
    again = run([shard(tmp_path, mine)], [problem("a")], seed=1, cap=5)[0]
    assert [row["index"] for row in again] != [row["index"] for row in alone]


def test_problems_that_overlap_the_test_set_are_removed(tmp_path):
    problems = [
        problem("same", f"Once upon a time, {LONG.upper()}!"),
        problem("twelve", " ".join(LONG.split()[:12]) + " but not the rest of it at all"),
        problem("short", "how many   are there"),
        problem("other", "and how many are there"),
        problem("t1", LONG, split="test"),
        problem("t2", "How many are there?", split="test"),
        problem("v", LONG, split="validation"),
    ]
    names = ["same", "twelve", "short", "other"]
    shards = [shard(tmp_path, [sample(name, n) for name in names for n in range(2)])]
    rows, counts = run(shards, problems, decontaminate_ngram=13)
    assert [row["problem_id"] for row in rows] == ["twelve", "twelve", "other", "other"]
    assert (counts.problems_contaminated, counts.dropped_contaminated) == (2, 4)
    assert len(run(shards, problems, decontaminate_ngram=0)[0]) == 8


def test_overlap_needs_the_whole_run():
    words = LONG.split()
    assert " ".join(words[1:14]) in Overlap([LONG], 13)
    assert " ".join([*words[:12], "x", *words[13:]]) not in Overlap([LONG], 13)
    assert "" not in Overlap(["", "!"], 13)


def test_the_weight_is_one_or_the_reward(tmp_path):
    shards = [shard(tmp_path, [sample("a", 0, reward=0.5)])]
    for weight, value in (("one", 1.0), ("reward", 0.5)):
        rows, _ = run(shards, [problem("a")], weight=weight, min_reward=0.5)
        assert rows[0]["weight"] == value


def test_a_row_says_where_it_comes_from(tmp_path):
    one = shard(tmp_path, [sample("a", 0, "x")], "1")
    two = shard(tmp_path, [sample("a", 1, "y")], "2")
    rows, _ = run([one, two], [problem("a", "Why?")])
    assert rows[1] == {
        "prompt": "Q: Why?",
        "completion": "y",
        "weight": 1.0,
        "problem_id": "a",
        "index": 1,
        "samples": "key of 2",
        "token_ids": None,  # as in samples of before
        "finish": "stop",
    }


def test_counts_add_up_and_equal_inputs_give_equal_bytes(tmp_path):
    problems = [problem(f"p{n}", f"question {n}", level=str(n % 3)) for n in range(40)]
    problems.append(problem("t", "question 7", split="test"))
    shards = []
    for block in range(0, 40, 10):
        for part in range(0, 60, 20):
            found = [
                sample(f"p{n}", i, f"{i * n % 23}", float((i + n) % 3 > 0), "sl"[i % 9 == 0])
                for n in range(block, block + 10)
                for i in range(part, part + 20)
            ]
            for row in found:
                row["finish"] = {"s": "stop", "l": "length"}[row["finish"]]
            shards.append(shard(tmp_path, found, f"{block}-{part}"))
    outcomes = []
    for order in (shards, shards):
        settings = {"cap": 4, "dedup": "exact", "finished_only": True, "decontaminate_ngram": 13}
        rows, counts = run(order, problems, **settings)
        path = tmp_path / f"rows{len(outcomes)}"
        assert write_rows(path, TRAINING, rows) == counts.kept > 0
        outcomes.append(path.read_bytes())
    assert outcomes[0] == outcomes[1]
    rules = {one.name for one in fields(counts) if "dropped" in one.name} - {"dropped_band"}
    dropped = [getattr(counts, name) for name in rules]
    assert all(dropped) and sum(dropped) + counts.kept == counts.samples == 2400
    assert (counts.problems, counts.problems_solved, counts.problems_contaminated) == (40, 40, 1)
    assert sum(level.samples for level in counts.levels.values()) == counts.samples
    assert sum(level.correct for level in counts.levels.values()) == counts.correct
    assert list(counts.to_json()["levels"]) == ["0", "1", "2"]


def test_an_unsolved_problem_counts_by_level_and_gives_no_row(tmp_path):
    shards = [shard(tmp_path, [sample("a", 0, reward=0.0), sample("b", 0)])]
    rows, counts = run(shards, [problem("a", level="5"), problem("b")])
    assert len(rows) == 1 and counts.problems_solved == 1
    assert counts.levels == {"5": LevelCount(1, 0), "1": LevelCount(1, 1)}


def test_verdicts_of_other_samples_are_refused(tmp_path):
    one = shard(tmp_path, [sample("a", 0), sample("a", 1)], "1")
    two = shard(tmp_path, [sample("a", 1), sample("a", 0)], "2")
    three = shard(tmp_path, [sample("a", 0)], "3")
    for wrong in (two, three):
        with pytest.raises(StepError, match="verdicts"):
            run([(one[0], wrong[1], "k")], [problem("a")])


def test_a_sample_of_an_unknown_problem_is_refused(tmp_path):
    with pytest.raises(StepError, match="'z'"):
        run([shard(tmp_path, [sample("z", 0)])], [problem("a")])
