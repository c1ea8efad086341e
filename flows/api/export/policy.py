"""A policy as a folder that transformers and vLLM load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from flows.api.export.source import Source
from tasks.finetune.export import COMPANIONS
from tasks.finetune.results import TrainingFacts
from tasks.store.manifest import MANIFEST

_GENERATION = "generation_config.json"


def write_policy(folder: Path, source: Source) -> None:
    """Write config, weights, tokenizer with its chat template, and generation settings.

    Raises:
        UserError: the policy's artifact is gone.
    """
    made = source.store.path(source.policy(source.number))
    for path in sorted(made.iterdir()):
        if path.is_file() and path.name not in (TrainingFacts.FILE, MANIFEST):
            shutil.copyfile(path, folder / path.name)
    write_generation(made, folder)


def write_tokenizer(made: Path, folder: Path) -> None:
    """The tokenizer's files alone."""
    for name in COMPANIONS:
        if (made / name).is_file() and name != _GENERATION:
            shutil.copyfile(made / name, folder / name)


def write_generation(made: Path, folder: Path) -> None:
    """Generation settings that sample as the run did.

    Of the base model's own they keep the special tokens alone: its temperature or repetition
    penalty were none of the run's, and would change even greedy answers.
    """
    path = made / _GENERATION
    given = path if path.is_file() else made / "config.json"
    found = json.loads(given.read_text(encoding="utf-8"))
    kept = {name: one for name, one in found.items() if name.endswith("_token_id")}
    (folder / _GENERATION).write_text(
        json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
