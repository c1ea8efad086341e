"""Every architecture of the table in docs/models.md, as a tiny model with random weights.

What a family does here is also compared with its row of that table: `restem bench families` writes
it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from bench.families import _checks as checks
from bench.families._table import DOCUMENT, Cells, cells_of, read_table
from bench.families._tiny import NAMES, SHORT_POSITIONS
from tasks.errors import UserError
from tasks.model_checks.look import look
from tests.tasks.model_checks.test_refusals import asked

pytestmark = [pytest.mark.engine, pytest.mark.slow]

_folders: dict[str, Path] = {}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    def make(name: str) -> Path:
        if name not in _folders:
            _folders[name] = checks.make(name, tmp_path_factory.mktemp("family"))
        return _folders[name]

    yield make
    _folders.clear()


def refusal(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except UserError as refused:
        return str(refused)
    return ""


def test_there_are_enough_of_them() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 26


@pytest.mark.parametrize("name", NAMES)
def test_sampling_in_batches_is_generate_row_by_row(name: str, made) -> None:
    model, prompts = checks.load(made(name)), checks.prompts()
    assert checks.sampled(model, prompts) == checks.generated(model, prompts)


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_the_first_loss_is_that_of_the_rows_or_it_is_refused_beforehand(
    name: str, packing: bool, made, tmp_path: Path
) -> None:
    settings = {"packing": packing, "max_length": checks.MAX_LENGTH}
    foreseen = refusal(lambda: look(asked(made(name), finetune=settings)))
    if foreseen:
        assert packing
        assert foreseen == refusal(lambda: checks.losses(made(name), tmp_path, packing=True))
        return
    found = checks.losses(made(name), tmp_path, packing=packing)
    assert found.batch == pytest.approx(found.rows, abs=checks.LOSS_LIMIT)


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("name", NAMES)
def test_a_fine_tune_validates_and_leaves_what_it_validated(
    name: str, method: str, made, tmp_path: Path
) -> None:
    far = {"learning_rate": 0.05, "epochs": 2.0}  # so that every text changes
    settings = {"packing": False, "method": method}
    if foreseen := refusal(lambda: look(asked(made(name), finetune=settings))):
        assert foreseen.startswith("finetune.method: ")
        return
    seen, folder = checks.trained(made(name), tmp_path, method=method, packing=False, **far)
    reader = AutoTokenizer.from_pretrained(folder)  # as the trainer loads it
    assert seen == checks.sampled(checks.load(folder), checks.prompts(), reader)
    assert seen != checks.sampled(checks.load(made(name)), checks.prompts(), reader)


@pytest.mark.parametrize("name", NAMES)
def test_the_document_says_what_is_so(name: str, made, tmp_path: Path) -> None:
    written = read_table(DOCUMENT.read_text(encoding="utf-8"))
    found = cells_of(name, made(name), tmp_path)
    assert written[name] == Cells(*found[:-1], written[name].vllm), "run `restem bench families`"


def test_the_document_has_these_families_and_no_others() -> None:
    assert list(read_table(DOCUMENT.read_text(encoding="utf-8"))) == list(NAMES)


def test_some_prompts_are_short_and_some_long_for_longrope() -> None:
    lengths = checks.PROMPT_TOKENS
    assert min(lengths) + checks.NEW_TOKENS < SHORT_POSITIONS < max(lengths)
    assert any(n < SHORT_POSITIONS < n + checks.NEW_TOKENS for n in lengths)
