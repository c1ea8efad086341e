"""Problems of several domains in one block: each sample is graded by its own domain's grader."""

from __future__ import annotations

from pathlib import Path

from flows.machines.local import LocalMachine
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, perform, step
from tasks.problems.step import block_digest
from tasks.rows import PROBLEM, PROBLEMS_FILE, SAMPLE, VERDICTS_FILE, Row, read_rows, write_rows
from tasks.score.step import checking, score_call
from tasks.settings import ExecutionSettings, Resources
from tasks.store.manifest import ArtifactRef
from tasks.store.store import Draft, Store

# What each domain alone would call right: math two of the three, text and choice one.
REFERENCES = {"math": "1/2", "text": "0.5", "choice": "B"}
TEXTS = ("The answer is 0.5", "The answer is 1/2", "The answer is B")
RIGHT = {"math": [True, True, False], "text": [True, False, False], "choice": [False, False, True]}


def problem(name: str, domain: str) -> Row:
    fields = dict.fromkeys(PROBLEM.names, "")
    reference = REFERENCES[domain]
    return {**fields, "id": name, "domain": domain, "reference": reference, "split": "train"}


ROWS = [problem(f"{domain} {n}", domain) for n in range(2) for domain in REFERENCES]


DRAWN = {"seed": 0, "tokens": 5, "finish": "stop"}


@step("problems of a test", "problems")
def problems(call: Call, draft: Draft, runtime: Runtime) -> None:
    draft.rows = write_rows(draft.path / PROBLEMS_FILE, PROBLEM, ROWS)


@step("samples of a test", "samples")
def samples(call: Call, draft: Draft, runtime: Runtime) -> None:
    rows = (
        {
            "problem_id": row["id"],
            "index": n,
            "text": text,
            "seed": 0,
            "tokens": 5,
            "finish": "stop",
        }
        for row in ROWS
        for n, text in enumerate(TEXTS)
    )
    draft.rows = write_rows(draft.path / "samples.parquet", SAMPLE, rows)


def test_each_sample_is_graded_by_its_own_grader_and_stays_in_its_place(tmp_path: Path) -> None:
    place = {"split": "train", "start": 0, "stop": len(ROWS)}
    with LocalMachine(
        Store(str(tmp_path / "store"), cache=tmp_path),
        tmp_path,
        Resources(),
        lambda *_: None,
        isolate=False,
    ) as services:
        runtime = services.runtime
        given, drawn = (perform(Call(one, "", {}), runtime) for one in (problems, samples))
        how = checking([row["domain"] for row in ROWS], ExecutionSettings())
        call = score_call("score", drawn, block_digest(ROWS), given, place, **how)
        folder = runtime.store.path(perform(call, runtime))
        verdicts = list(read_rows(folder / VERDICTS_FILE))
    places = [(row["problem_id"], row["index"]) for row in verdicts]
    assert places == [(row["id"], n) for row in ROWS for n in range(len(TEXTS))]
    right = [row["status"] == "correct" for row in verdicts]
    assert right == [one for row in ROWS for one in RIGHT[row["domain"]]]


def test_one_domain_has_the_key_that_it_had_and_several_have_their_own() -> None:
    ref = ArtifactRef("samples", "k", "d", 1)

    def key(*domains: str) -> str:
        return score_call("", ref, "b", ref, {}, **checking(domains, ExecutionSettings())).key

    assert key("math", "math") == score_call("", ref, "b", ref, {}).key
    assert key("text") == score_call("", ref, "b", ref, {}, checker="exact").key
    several = [key("math", "text"), key("text", "math"), key("math", "code"), key("math", "choice")]
    assert len({key("math"), key("text"), key("choice"), key("code"), *several}) == 8


def test_programs_among_others_name_the_sandbox() -> None:
    how = checking(["math", "code", "choice"], ExecutionSettings())
    assert how["checkers"] == ["", "code", "choice"] and "sandbox" in how
