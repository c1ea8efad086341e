"""What became of samples, told from the rows of a selection, against a pass over all samples."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.select.fates import with_fate
from tasks.select.results import DUPLICATE, FATES, KEPT, OUTSIDE_BAND, OVER_CAP, UNFINISHED
from tasks.settings import FilterSettings
from tests.tasks.select.test_select import OFF, problem, run, sample, shard

SAMPLES = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from(["t", " t", "1+1=2", "so 1 + 1 = 2", "u"]),
        st.sampled_from([0.0, 0.7, 1.0]),
        st.sampled_from(["stop", "stop", "length"]),
    ),
    min_size=2,
    max_size=24,
)
RULES = st.fixed_dictionaries(
    {
        "cap": st.integers(0, 3),
        "dedup": st.sampled_from(["exact", "none"]),
        "finished_only": st.booleans(),
        "first": st.sampled_from([0, 3]),
        "max_pass_rate": st.sampled_from([1.0, 0.6]),
        "min_pass_rate": st.sampled_from([0.0, 0.3]),
        "min_reward": st.sampled_from([0.7, 1.0]),
        "select": st.sampled_from(["threshold", "diverse"]),
    }
).filter(lambda rules: rules["cap"] or rules["select"] != "diverse")


@settings(max_examples=60, deadline=None)
@given(SAMPLES, RULES, st.integers(0, 24))
def test_fates_are_those_of_a_pass_over_all_samples(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, str, float, str]],
    rules: dict,
    cut: int,
) -> None:
    folder: Path = tmp_path_factory.mktemp("shards")
    made, next_index = [], dict.fromkeys("ab", 0)
    for name, text, reward, finish in drawn:
        made.append(sample(name, next_index[name], text, reward, finish))
        next_index[name] += 1
    parts = [part for part in (made[:cut], made[cut:]) if part]
    shards = [shard(folder, part, f"{place}") for place, part in enumerate(parts)]
    problems = [problem("a"), problem("b")]
    rows, counts = run(shards, problems, **rules)
    keys = {(row["samples"], row["problem_id"], row["index"]) for row in rows}

    expected: dict[str, list[tuple[str, int]]] = {fate: [] for fate in FATES}
    seen, shares = set(), dict[str, float]()
    for name in "ab":
        rewards = [one["reward"] for one in made if one["problem_id"] == name]
        rewards = rewards[: rules["first"] or None]
        shares[name] = sum(r >= rules["min_reward"] for r in rewards) / max(1, len(rewards))
    for one in made:
        place = one["problem_id"], one["index"]
        if one["reward"] < rules["min_reward"] or 0 < rules["first"] <= one["index"]:
            continue
        if rules["finished_only"] and one["finish"] != "stop":
            expected[UNFINISHED].append(place)
            continue
        said = one["problem_id"], one["text"].strip()
        again = rules["dedup"] == "exact" and said in seen
        seen.add(said)
        is_row = place in {key[1:] for key in keys}
        inside = rules["min_pass_rate"] <= shares[one["problem_id"]] <= rules["max_pass_rate"]
        left = KEPT if is_row else OVER_CAP if inside else OUTSIDE_BAND
        expected[DUPLICATE if again else left].append(place)

    for fate, counted in FATES.items():
        found = with_fate(fate, shards, keys, problems, FilterSettings(**OFF | rules))
        there = [
            (one["problem_id"], one["index"])
            for part, (_, _, key) in zip(parts, shards, strict=True)
            for one, had in zip(part, found[key], strict=True)
            if had
        ]
        assert there == expected[fate] and len(there) == getattr(counts, counted)
