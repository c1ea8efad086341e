"""Training rows, samples or preference pairs of a run as Parquet files, written as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from flows.api.export.columns import schema_of
from flows.api.export.source import Data, Source
from tasks.dag.shard_inputs import shards_of
from tasks.dag.step_names import IMPORT_SAMPLES, PAIRS
from tasks.errors import UserError
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.prompts import PromptChoice, PromptTemplate, load_template
from tasks.rows import (
    PROBLEMS_FILE,
    ROWS_FILE,
    SAMPLES_FILE,
    VERDICTS_FILE,
    Row,
    read_rows,
    text_digest,
    write_rows,
)
from tasks.settings import FilterSettings
from tasks.store.manifest import ArtifactRef, Provenance

FOLDER = "data"
# Rows of a file: some tens of megabytes of long solutions.
FILE_ROWS = 50_000


def write_data(folder: Path, source: Source, data: Data) -> int:
    """Write the files of a data export; how many rows there are.

    Raises:
        UserError: the run has no such data.
    """
    rows = _ROWS[data](source)
    (folder / FOLDER).mkdir()
    count = number = 0
    while number == 0 or count == number * FILE_ROWS:
        path = folder / FOLDER / f"{data}-{number:05}.parquet"
        written = write_rows(path, schema_of(data), islice(rows, FILE_ROWS))
        if not written and number:
            path.unlink()
            break
        count, number = count + written, number + 1
    return count


def _rows(source: Source) -> Iterator[Row]:
    for iteration, step, ref in source.selections():
        made = source.store.manifest(ref).provenance
        if made.step == PAIRS:
            raise UserError("--data rows: the run trained on pairs; expected --data pairs")
        asked = _problems(source, made)
        for row in read_rows(source.store.path(ref) / ROWS_FILE):
            place: Row = {"iteration": iteration, "improve_step": step}
            yield {**row, **place, **_question(asked[row["problem_id"]])}


def _pairs(source: Source) -> Iterator[Row]:
    for iteration, step, ref in source.selections():
        made = source.store.manifest(ref).provenance
        asked = _problems(source, made)
        stored = made.step == PAIRS
        path = source.store.path(ref) / ROWS_FILE
        for row in read_rows(path) if stored else _paired(source, made, list(asked.values())):
            row["chosen"] = row.pop("completion")
            place: Row = {"iteration": iteration, "improve_step": step}
            yield {**row, **place, **_question(asked[row["problem_id"]])}


def _paired(source: Source, made: Provenance, problems: list[Row]) -> Iterator[Row]:
    """The pairs that a run which trained on rows would have trained on."""
    from tasks.select.pairs import pairs

    settings = dict(made.settings)
    template = load_template(PromptChoice.of(made.hints), settings.pop("prompt"))
    seed, shots = settings.pop("seed"), settings.pop("shots")
    adaptive = settings.pop("adaptive", False)
    render = _renderer(source, made, template)
    if "select" in made.hints:
        raise UserError(
            "--data pairs: pairs are made with filter.select = threshold, not by a file"
        )
    known = {name: one for name, one in settings.items() if name not in ("score", "rewards")}
    rules = FilterSettings(**known)
    if rules.select != "threshold":
        raise UserError(
            f"--data pairs: pairs are made with filter.select = threshold, not {rules.select}"
        )
    shards = [
        (
            str(source.store.path(shard.samples) / SAMPLES_FILE),
            str(source.store.path(shard.verdicts) / VERDICTS_FILE),
            shard.samples.key,
        )
        for shard in shards_of(made.inputs)
    ]
    rows, _ = pairs(
        shards,
        problems,
        rules,
        seed,
        lambda problem: render(problem["question"], shots, problem["subject"]),
        adaptive=adaptive,
    )
    yield from rows


def _samples(source: Source) -> Iterator[Row]:
    for iteration, step, ref in source.selections():
        if step > 1:  # further Improve steps select from the same samples
            continue
        made = source.store.manifest(ref).provenance
        asked = _problems(source, made)
        for shard in shards_of(made.inputs):
            prompts = _Prompts(source, shard.samples, made)
            for row in shard.rows(source.store):
                problem = asked[row["problem_id"]]
                yield {
                    **row,
                    **_question(problem),
                    **{name: problem[name] for name in ("domain", "level", "subject")},
                    "iteration": iteration,
                    "prompt": prompts.of(problem, row["prompt"]),
                    "completion": row["text"],
                    "policy": row["model"],
                    "prompt_digest": row["prompt"],
                }


class _Prompts:
    """The prompts of a shard; a sample keeps the digest of its own."""

    def __init__(self, source: Source, samples: ArtifactRef, selection: Provenance) -> None:
        made = source.store.manifest(samples).provenance
        self._template: PromptTemplate = load_template(PromptChoice.of(made.hints))
        # What others asked, or a hosted model was asked, is not the text that is trained on.
        self._elsewhere = made.step == IMPORT_SAMPLES or made.settings["engine"] == HOSTED_ENGINE
        self._render = _renderer(source, selection if self._elsewhere else made, self._template)
        self._shots: int = made.settings.get("shots", 0)
        self._last: tuple[str, str] = ("", "")

    def of(self, problem: Row, digest: str) -> str:
        """The prompt of a problem.

        Raises:
            UserError: the template's file is another one now.
        """
        if self._last[0] != digest:
            prompt = self._render(problem["question"], self._shots, problem["subject"])
            if text_digest(prompt) != digest and not self._elsewhere:
                raise UserError(
                    f"model.prompt: template {self._template.name!r} was changed since "
                    f"{problem['id']} was sampled; expected the one that the run had"
                )
            self._last = digest, prompt
        return self._last[1]


def _renderer(
    source: Source, made: Provenance, template: PromptTemplate
) -> Callable[[str, int, str], str]:
    """What writes the prompts of a step: of a chat the template of the policy in its inputs."""
    if template.form != "chat":
        return template.render
    from tasks.decoding.chat import Chat

    policy = next(ref for ref in made.inputs.values() if ref.kind == "model")
    return Chat(source.store.path(policy), template).render


def _problems(source: Source, made: Provenance) -> dict[str, Row]:
    path = source.store.path(made.inputs["problems"]) / PROBLEMS_FILE
    return {row["id"]: row for row in read_rows(path)}


def _question(problem: Row) -> Row:
    return {"question": problem["question"], "reference": problem["reference"]}


_ROWS = {"rows": _rows, "samples": _samples, "pairs": _pairs}
