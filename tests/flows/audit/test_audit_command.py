"""`restem audit` on the small demo."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from flows.runs.journal import Journal
from tasks.rows import read_rows
from tests.flows.audit.audit_parts import LIMIT, PAIRS, make_run
from tests.flows.conftest import Restem
from tests.flows.rest_em.report_parts import check


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
        assert "of pairs [" in said and "accepted" in said
        assert "at most, if the second is right" in said

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
        said = restem("audit", "--labels", str(file), "--limit", f"{LIMIT}", code=2)
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
