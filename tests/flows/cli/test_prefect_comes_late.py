"""Prefect takes its settings when it is first imported; a command sets them before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tasks.paths import ROOT

# What a command imports and does before it has a server.
BEFORE = {
    "run": "from flows.config.rest_em import load_config; load_config('math-demo', [])",
    "evaluate": "from flows.config.evaluate import load_evaluation; "
    "load_evaluation('gemma270m', {}, [])",
    "study": "from flows.study.config import load_study; "
    "[load_study(name, [], 2, None, []) for name in ('all', 'methods', 'preference')]",
    "every verb": "import flows.cli.main, flows.cli.study, flows.cli.evaluate, flows.cli.run",
    "a start": "import flows.machines.local, flows.runs.journal, flows.server.local, "
    "flows.runs.lost_store, flows.rest_em.cached",
}


@pytest.mark.parametrize("verb", BEFORE)
def test_nothing_imports_it_before_there_is_a_server(verb: str) -> None:
    code = f"{BEFORE[verb]}\nimport sys\nassert 'prefect' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
