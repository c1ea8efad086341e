"""A model is data: its folder's code is never run, whatever its configuration names."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.paths import MODELS, ROOT

LOADS = {"from_pretrained", "from_config"}
ASKS_FOR_CODE = {"auto_map": {"AutoConfig": "evil.E", "AutoModelForCausalLM": "evil.E"}}


def loads() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the product that loads a model, a tokenizer or a configuration."""
    for path in [*(ROOT / "flows").rglob("*.py"), *(ROOT / "tasks").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and called.attr in LOADS:
                assert isinstance(node, ast.Call)
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_every_load_refuses_code() -> None:
    """Left out, transformers asks at the terminal, where a person may type y."""
    found = dict(loads())
    assert len(found) > 8
    for place, call in found.items():
        said = [one.value for one in call.keywords if one.arg == "trust_remote_code"]
        assert said and ast.literal_eval(said[0]) is False, place


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A model that brings code, under a type that transformers does not know."""
    for name in ("config.json", "tokenizer_config.json"):
        source = next(MODELS.rglob(name))
        raw = json.loads(source.read_text()) | ASKS_FOR_CODE | {"model_type": "evil"}
        (tmp_path / name).write_text(json.dumps(raw))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass E: pass\n")
    return tmp_path


@pytest.mark.slow
def test_a_model_that_brings_code_is_not_loaded(hostile: Path) -> None:
    from tasks.finetune.load_model import load_plain

    with pytest.raises(ValueError, match=r"custom code|trust_remote_code"):
        load_plain(str(hostile))
    assert not (hostile / "ran").exists()
