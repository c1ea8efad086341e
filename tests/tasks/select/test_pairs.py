"""Preference pairs: who is chosen, who is rejected, how they meet, and that counts add up."""

import random

import pytest

from tasks.rows import FINISH, PAIR, REJECTED_IDS, SAMPLE, TOKEN_IDS, VERDICT, Status, write_rows
from tasks.select.pairs import WRONG, pairs
from tasks.select.select import select
from tasks.settings import FilterSettings

NOTHING_SAID = sorted(set(Status) - set(WRONG) - {Status.CORRECT})
LONG = "a farmer has seven fields and sows three of them with rye every single spring"


def problem(name, question="What is it?", split="train"):
    row = dict.fromkeys(("domain", "reference", "solution", "subject", "level"), "")
    return {**row, "id": name, "question": question, "split": split}


def sample(name, index, status="correct", text="", reward=None, finish="stop"):
    return {
        "problem_id": name,
        "index": index,
        "text": text or f"{name} {index}",
        "finish": finish,
        "status": status,
        "reward": float(status == "correct") if reward is None else reward,
    }


def shard(folder, rows, name="s"):
    """Write samples with their verdicts, as the generate and score steps do."""
    paths = folder / f"{name}.samples", folder / f"{name}.verdicts"
    rest = {"seed": 0, "tokens": 1, "model": "m", "prompt": "p"}
    kept = [field.name for field in SAMPLE if field.name not in rest]
    write_rows(paths[0], SAMPLE, ({**rest, **{n: row[n] for n in kept}} for row in rows))
    verdict = {"extracted": "", "first_failure": -1}
    judged = ("problem_id", "index", "reward", "status")
    write_rows(paths[1], VERDICT, ({**verdict, **{n: row[n] for n in judged}} for row in rows))
    return str(paths[0]), str(paths[1]), f"key of {name}"


def run(shards, problems, seed=0, maker=pairs, **settings):
    rows, counts = maker(shards, problems, FilterSettings(**settings), seed, lambda row: row["id"])
    return list(rows), counts.to_json()


@pytest.fixture
def many(tmp_path):
    """Samples of 40 problems by lot, in shards of blocks and of indices; and the problems."""
    draw = random.Random(2)
    names = [f"p{n}" for n in range(40)]
    rows = {
        (name, index): sample(
            name,
            index,
            draw.choice([*["correct"] * 8, *WRONG, *NOTHING_SAID]),
            text=f"{name} {draw.randrange(12)}",
            finish=draw.choice(["stop", "stop", "stop", "length"]),
        )
        for name in names
        for index in range(16)
    }
    shards = [
        shard(tmp_path, [rows[name, i] for name in block for i in part], f"{b}{part.start}")
        for b, block in enumerate((names[:15], names[15:]))
        for part in (range(8), range(8, 16))
    ]
    problems = [problem(name) for name in names]
    problems[3] = problem("p3", LONG)
    return shards, [*problems, problem("t", LONG, split="test")], rows


def test_every_pair_holds_what_select_keeps_and_a_wrong_finished_sample(many):
    shards, problems, rows = many
    made, counts = run(shards, problems)
    kept, plain = run(shards, problems, maker=select)
    assert {name: n for name, n in counts.items() if name != "pairs"} == plain
    assert counts["pairs"] == len(made) > 100
    chosen = {(row["problem_id"], row["index"]): row for row in kept}
    for row in made:
        name = row["problem_id"]
        assert {field: row[field] for field in chosen[name, row["index"]]} == chosen.pop(
            (name, row["index"])
        )
        wrong = rows[name, row["rejected_index"]]
        assert (wrong["status"] in WRONG, wrong["finish"]) == (True, "stop")
        assert row["rejected"] == wrong["text"]
        assert row["rejected_samples"].endswith("0" if row["rejected_index"] < 8 else "8")
    # What is left of the chosen has no wrong sample to stand beside it.
    wrongs = {r["problem_id"] for r in rows.values() if r["status"] in WRONG and _finished(r)}
    assert not wrongs & {name for name, _ in chosen}
    assert set(made[0]) == {*PAIR.names, TOKEN_IDS, REJECTED_IDS, FINISH}


def test_wrong_samples_are_shared_out_evenly(many):
    shards, problems, rows = many
    made, _ = run(shards, problems)
    for name in {row["problem_id"] for row in made}:
        used = [row["rejected_index"] for row in made if row["problem_id"] == name]
        texts = {r["text"] for r in rows.values() if r["problem_id"] == name and _wrong(r)}
        assert len(set(used)) == min(len(used), len(texts))
        assert max(map(used.count, used)) - min(map(used.count, used)) <= 1


def test_a_smaller_cap_gives_some_of_the_same_pairs(many):
    shards, problems, _ = many
    found = {cap: _names(run(shards, problems, cap=cap)[0]) for cap in (2, 4, 0)}
    assert found[2] < found[4] < found[0]
    assert all(sum(one[0] == f"p{n}" for one in found[2]) <= 2 for n in range(40))


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_shards(many):
    shards, problems, _ = many
    made = _names(run(shards, problems, cap=3)[0])
    assert _names(run(shards[::-1], problems, cap=3)[0]) == made
    assert _names(run(shards, problems, seed=1, cap=3)[0]) != made


def test_neither_side_looks_past_the_first_samples(many):
    shards, problems, _ = many
    made, counts = run(shards, problems, first=5)
    assert len(made) > 20
    assert max(max(row["index"], row["rejected_index"]) for row in made) == 4
    assert counts["samples"] == 40 * 5


@pytest.mark.parametrize("status", NOTHING_SAID)
def test_a_verdict_that_says_nothing_of_a_sample_rejects_none(tmp_path, status):
    found = [shard(tmp_path, [sample("a", 0), sample("a", 1, status)])]
    made, counts = run(found, [problem("a")])
    assert (made, counts["kept"], counts["pairs"]) == ([], 1, 0)


@pytest.mark.parametrize("rows", [[("correct", "stop")], [("wrong_answer", "stop")]])
def test_a_problem_without_both_sides_gives_none(tmp_path, rows):
    rows = [*rows, ("wrong_answer", "length"), ("correct", "length")]
    found = [sample("a", n, status, finish=finish) for n, (status, finish) in enumerate(rows)]
    assert run([shard(tmp_path, found)], [problem("a")])[0] == []


def test_a_program_that_is_right_enough_is_not_a_wrong_one(tmp_path):
    rewards = [0.2, 0.6, 1.0]
    found = [
        sample("a", n, "correct" if reward == 1 else "wrong_answer", reward=reward)
        for n, reward in enumerate(rewards)
    ]
    made, _ = run([shard(tmp_path, found)], [problem("a")], min_reward=0.5)
    assert [(row["index"], row["rejected_index"]) for row in made] == [(1, 0), (2, 0)]


def _finished(row):
    return row["finish"] == "stop"


def _wrong(row):
    return row["status"] in WRONG and _finished(row)


def _names(rows):
    return {(row["problem_id"], row["index"], row["rejected_index"]) for row in rows}
