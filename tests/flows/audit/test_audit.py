"""`restem audit` on the small demo, and on a hand-made run on which the two checkers disagree."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.audit.estimate import CheckedPair
from flows.audit.flow import Options, audit_run
from flows.audit.labels import read_labels, write_lines
from flows.audit.page import markdown, render
from flows.audit.sample import Stratum, draw_pairs, shares
from flows.runs.journal import Journal, StepLine
from tasks.errors import UserError
from tasks.rows import PROBLEM, SAMPLE, VERDICT, Row, read_rows, text_digest, write_rows
from tasks.score.math.pool import GradePool
from tasks.score.score import score_rows
from tasks.score.second.math_verify import Opinion, Second
from tasks.store.manifest import Provenance, Stats
from tasks.store.store import ArtifactRef, Store
from tests.flows.conftest import Restem
from tests.flows.rest_em.test_report import HOSTILE, check

PAIRS = json.loads(Path(__file__).with_name("audit_pairs.json").read_text())
MADE = Provenance("test", 1, "", {}, {}, {}, {})
HOW = Options(pairs=0, limit=3.0, workers=2)


def commit(store: Store, kind: str, key: str, schema: Any, rows: list[Row], **made: Any) -> Any:
    with store.draft(kind, key) as draft:
        draft.rows = write_rows(draft.path / f"{kind}.parquet", schema, rows)
        draft.stats = Stats(provenance=replace(MADE, **made))
    ref = store.lookup(kind, key)
    assert ref is not None
    return ref


def make_run(home: Path, pairs: list[dict[str, str]], **settings: Any) -> ArtifactRef:
    """A run `made` with these pairs, two samples of each, scored by the real checker."""
    store = Store(str(home / "store"), cache=home / "cache")
    problems = [
        {
            "id": f"made/test/{number}",
            "domain": "math",
            "question": pair.get("question", f"Question {number}?"),
            "reference": pair["gold"],
            "solution": "",
            "level": pair.get("level", ""),
            "subject": pair.get("subject", ""),
            "split": "test",
        }
        for number, pair in enumerate(pairs)
    ]
    samples = [
        {
            "problem_id": f"made/test/{number}",
            "index": index,
            "seed": index,
            "text": pair["text"],
            "tokens": 5,
            "finish": "stop",
            "model": "0" * 64,
            "prompt": text_digest("?"),
        }
        for number, pair in enumerate(pairs)
        for index in range(2)
    ]
    asked = commit(store, "problems", "p", PROBLEM, problems)
    drawn = commit(store, "samples", "s", SAMPLE, samples)
    with GradePool(workers=1, time_limit=1.0) as pool:
        references = {row["id"]: row["reference"] for row in problems}
        scored = [row for row, _ in score_rows(samples, references, pool)]
    verdicts = commit(
        store,
        "verdicts",
        "v",
        VERDICT,
        scored,
        settings=settings,
        inputs={"samples": drawn},
        context={"problems": asked},
        hints={"split": "test", "start": 0, "stop": len(problems)},
    )
    journal = Journal("made", {"resources": {}}, "rest-em")
    for step, ref in (("problems", asked), ("generate", drawn), ("score", verdicts)):
        journal.step(
            StepLine(
                iteration=0,
                step=step,
                state="Completed",
                label=step,
                took=0.0,
                seconds=0.0,
                tokens=0,
                artifact=ref.location,
                digest=ref.digest,
                rows=ref.rows,
            )
        )
    journal.end("completed")
    return verdicts


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.fixture
def made(home: Path) -> Path:
    make_run(home, PAIRS)
    return home


def test_both_readings_of_each_disagreement(made: Path) -> None:
    facts = audit_run("made", HOW, quiet).to_json()
    accepted, refused = (facts["disagreements"][side] for side in ("accepted", "refused"))
    found = {(one["reference"], one["extracted"], one["second_text"]) for one in accepted}
    assert found == {("5", "five", ""), ("12:30", "12:30", "12")}
    assert [(one["second_value"], one["status"]) for one in refused] == [
        ("1/factorial(2006)", "wrong_answer")
    ]
    assert facts["undecided"] == {"time": 1}
    # Two samples of each problem have one text: a pair is counted once.
    assert facts["samples"] == 16 and sum(s["pairs"] for s in facts["strata"].values()) == 8


def test_agreement_by_subject_and_error_rates_from_the_counts(made: Path) -> None:
    facts = audit_run("made", HOW, quiet).to_json()
    groups = facts["agreement"]["groups"]
    assert {name: one["disagreements"] for name, one in groups.items()} == {
        "agreed": 0,
        "words": 2,
        "large": 1,
    }
    # The endless pair is a checker error of ours too, so in no rate.
    assert facts["strata"]["unsettled"]["pairs"] == 1
    assert facts["agreement"]["overall"]["value"] == pytest.approx(4 / 7)
    bounds = {name: m["value"] for name, m in facts["bounds"].items()}
    assert bounds["accepted_wrong"] == pytest.approx(2 / 4)
    assert bounds["refused_right"] == pytest.approx(1 / 3)
    assert bounds["false_positive"] == pytest.approx(2 / (2 + 2))
    assert bounds["false_negative"] == pytest.approx(1 / (1 + 2))
    assert facts["estimates"] is None


def label(path: Path, judge: Any) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["label"] = judge(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_labels_turn_bounds_into_estimates(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    audit_run("made", Options(pairs=0, limit=3.0, out=file), quiet)
    assert all(json.loads(line)["label"] == "" for line in file.read_text().splitlines())
    # Five is 5 and 12:30 is 12:30; 1/2004! is not 1/2006!: our checker is right throughout.
    label(file, lambda row: "unequal" if "!" in row["reference"] else "equal")
    facts = audit_run("made", Options(pairs=0, limit=3.0, labels=file), quiet).to_json()
    for name, estimate in facts["estimates"].items():
        assert estimate["value"] == 0.0, name
        assert 0 < estimate["high"] <= 1
    assert facts["labels"]["accepted"] == {"disagreements": 2, "labelled": 2, "ours_wrong": 0}
    label(file, lambda row: "equal" if "!" in row["reference"] else "unequal")
    facts = audit_run("made", Options(pairs=0, limit=3.0, labels=file), quiet).to_json()
    assert facts["estimates"] == facts["bounds"]


def test_a_part_of_the_labels_stands_for_the_rest(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    audit_run("made", Options(pairs=0, limit=3.0, out=file), quiet)
    label(file, lambda row: "equal" if row["reference"] == "5" else "")
    facts = audit_run("made", Options(pairs=0, limit=3.0, labels=file), quiet).to_json()
    assert facts["labels"]["accepted"] == {"disagreements": 2, "labelled": 1, "ours_wrong": 0}
    seen, most = facts["estimates"]["accepted_wrong"], facts["bounds"]["accepted_wrong"]
    # One label in our favour: the estimate is none, and yet nearly all of the bound is possible.
    assert seen["value"] == 0.0 and 0.9 * most["high"] < seen["high"] <= most["high"]
    assert facts["estimates"]["refused_right"] is None


def id_of(line: str) -> str:
    return json.loads(line)["id"]


def test_labels_survive_being_written_again(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    audit_run("made", Options(pairs=0, limit=3.0, out=file), quiet)
    label(file, lambda row: "equal")
    before = file.read_text()
    audit_run("made", Options(pairs=0, limit=3.0, out=file, labels=file), quiet)
    assert file.read_text() == before
    # A smaller draw that meets only one of them loses none.
    judged = [one for one in draw_pairs("made", 0, 0).pairs if one.extracted == "five"]
    write_lines(file, [CheckedPair(judged[0], Second(Opinion.UNEQUAL))], {judged[0].id: True})
    assert read_labels(file) == dict.fromkeys(map(id_of, before.splitlines()), True)


def test_a_draw_is_seeded_and_both_verdicts_are_seen(home: Path) -> None:
    rare = [{"gold": "3", "text": "The answer is 3."}]
    common = [{"gold": "3", "text": f"The answer is {n}."} for n in range(100, 400)]
    make_run(home, rare + common)
    first, again = draw_pairs("made", 20, seed=1), draw_pairs("made", 20, seed=1)
    other = draw_pairs("made", 20, seed=2)
    assert first.pairs == again.pairs and len(first.pairs) == 20
    assert {pair.id for pair in first.pairs} != {pair.id for pair in other.pairs}
    for drawn in (first, other):
        strata = Counter(pair.stratum for pair in drawn.pairs)
        assert strata == {Stratum.ACCEPTED: 1, Stratum.REFUSED: 19}
        assert drawn.sizes == {
            Stratum.ACCEPTED: 1,
            Stratum.REFUSED: 300,
            Stratum.UNSETTLED: 0,
        }


def test_weights_undo_the_strata(home: Path) -> None:
    """100 right and 300 wrong pairs: of 40 asked, half are right, but agreement is of the run."""
    right = [{"gold": str(n), "text": f"The answer is {n}."} for n in range(99)]
    wrong = [{"gold": "3", "text": f"The answer is {n}."} for n in range(100, 400)]
    make_run(home, [*right, {"gold": "5", "text": "five"}, *wrong])
    facts = audit_run("made", Options(pairs=0, limit=5.0, workers=2), quiet).to_json()
    assert facts["agreement"]["overall"]["value"] == pytest.approx(1 - 1 / 400)
    assert facts["bounds"]["accepted_wrong"]["value"] == pytest.approx(1 / 100)
    part = audit_run("made", Options(pairs=200, limit=5.0, workers=2), quiet).to_json()
    assert {side: one["asked"] for side, one in part["strata"].items()} == {
        "accepted": 100,
        "refused": 100,
        "unsettled": 0,
    }
    assert part["agreement"]["overall"]["value"] == pytest.approx(1 - 1 / 400)


@pytest.mark.parametrize(
    "sizes, count, given",
    [
        ((10, 10, 0), 10, (5, 5, 0)),
        ((2, 100, 3), 30, (2, 25, 3)),
        ((2, 100, 3), 0, (2, 100, 3)),
        ((2, 3, 4), 1000, (2, 3, 4)),
        ((50, 50, 50), 2, (0, 1, 1)),
    ],
)
def test_shares_of_strata(sizes: Any, count: int, given: Any) -> None:
    found = shares(dict(zip(Stratum, sizes, strict=True)), count)
    assert tuple(found[one] for one in Stratum) == given


def test_hostile_text_is_shown_and_not_run(home: Path) -> None:
    pair = {"gold": "5", "text": HOSTILE.replace("\ud800", "") + "\nfive", "question": "<b>"}
    level = {"level": HOSTILE.replace("\ud800", "")}
    make_run(home, [{**pair, **level}, {**PAIRS[4], **level}])
    facts = replace(audit_run("made", HOW, quiet), run=HOSTILE)
    page = check(render(facts))
    assert '<script>document.title="owned"</script>' in page.text
    assert "<script>" not in markdown(facts)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("nonsense\n", "line 1: not JSON"),
        ("[1]\n", 'line 1: expected an object with "id"'),
        ('{"label": "equal"}\n', 'line 1: expected an object with "id"'),
        ('{"id": "a", "label": "same"}\n', 'line 1: label "same"; expected "equal"'),
        ('{"id": "a", "label": true}\n', "line 1: label true"),
        ('{"id": "a"}\n', "line 1: label null"),
        (
            '{"id": "a", "label": "equal"}\n{"id": "a", "label": "unequal"}\n',
            "line 2: id a was labelled otherwise before",
        ),
    ],
)
def test_a_wrong_label_is_named_by_its_line(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(text)
    with pytest.raises(UserError, match=re.escape(expected)):
        read_labels(file)


class TestCommand:
    """The verb itself."""

    def test_the_demo_is_audited(self, finished: Restem) -> None:
        said = finished("audit", "latest", "--pairs", "60", "--json")
        facts = json.loads(said)
        counted: Counter[str] = Counter()
        for folder in (finished.home / "store" / "verdicts").iterdir():
            counted.update(row["status"] for row in read_rows(folder / "verdicts.parquet"))
        assert facts["samples"] == counted.total()
        strata = facts["strata"]
        assert sum(one["asked"] for one in strata.values()) == 60
        assert strata["accepted"]["asked"] == strata["refused"]["asked"] == 30
        assert facts["agreement"]["overall"]["value"] > 0.9
        folder = next((finished.home / "runs").glob("*/audit.html")).parent
        check((folder / "audit.html").read_text())
        assert json.loads((folder / "audit.json").read_text()) == facts
        assert "# Audit of" in (folder / "audit.md").read_text()

    def test_the_table_is_for_people(self, finished: Restem) -> None:
        said = finished("audit", "--pairs", "20", "--seed", "4")
        assert "of pairs [" in said and "accepted" in said and "upper bound" in said

    def test_a_damaged_artifact_is_one_line(self, copied: Restem) -> None:
        file = next((copied.home / "store" / "verdicts").glob("*/verdicts.parquet"))
        file.write_bytes(file.read_bytes()[:-9])
        said = copied("audit", code=2)
        assert "verdicts.parquet does not match its manifest" in said
        assert said.count("\n") == 1

    def test_a_removed_artifact_is_one_line(self, copied: Restem) -> None:
        folder = next((copied.home / "store" / "samples").iterdir())
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        said = copied("audit", code=2)
        assert f"samples/{folder.name} is gone" in said and said.count("\n") == 1

    def test_programs_are_not_audited(self, finished: Restem, home: Path) -> None:
        make_run(home, PAIRS[:2], sandbox={"image": "restem"})
        said = Restem(home, finished.api)("audit", code=2)
        assert "graded by programs' tests; expected a run of math problems" in said

    def test_a_run_without_samples(self, finished: Restem, home: Path) -> None:
        Journal("early", {"resources": {}}, "rest-em").end("failed")
        said = Restem(home, finished.api)("audit", "early", code=2)
        assert "RUN early: it has no scored samples" in said
        assert "no such run" in Restem(home, finished.api)("audit", "other", code=2)

    def test_a_wrong_label_is_one_line(self, made: Path, finished: Restem, tmp_path: Path) -> None:
        file = tmp_path / "labels.jsonl"
        restem = Restem(made, finished.api)
        file.write_text('\n{"id": "a", "label": "same"}\n')
        said = restem("audit", "--labels", str(file), code=2)
        assert f'{file}, line 2: label "same"; expected "equal"' in said
        assert said.count("\n") == 1
        file.write_text('{"id": "a", "label": "equal"}\n')
        said = restem("audit", "--labels", str(file), "--limit", "3", code=2)
        assert "none of its ids is a disagreement" in said and said.count("\n") == 1

    def test_files_that_are_refused(self, made: Path, finished: Restem, tmp_path: Path) -> None:
        restem = Restem(made, finished.api)
        there = tmp_path / "there.jsonl"
        there.write_text("my labels\n")
        assert "the file is there already" in restem("audit", "--out", str(there), code=2)
        assert there.read_text() == "my labels\n"
        nowhere = tmp_path / "no" / "where.jsonl"
        assert "no such folder" in restem("audit", "--out", str(nowhere), code=2)
        assert "no such file" in restem("audit", "--labels", str(nowhere), code=2)
        assert "expected a number of seconds above 0" in restem("audit", "--limit", "0", code=2)
