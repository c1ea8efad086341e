"""A hosted teacher: what may be configured of it, and what is said before anything is paid."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config.rest_em import load_config
from flows.estimate.dry_run import planned
from flows.orchestrator.allowed_paths import check_addresses, check_places
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.loop import Loop
from tasks.errors import UserError
from tasks.generate.hosted.service import ADDRESS
from tasks.generate.hosted.service import KEY as KEY_VARIABLE

TEACHER = ("sampling.teacher=openai:some-model", "sampling.top_k=0")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (["sampling.teacher=openai:m"], "top_k: a hosted model takes none; expected 0"),
        (["sampling.teacher=openai:", "sampling.top_k=0"], "teacher: expected openai:MODEL"),
        (
            ["sampling.teacher=openai:m", "sampling.top_k=0", "sampling.temperature=3"],
            "temperature: a hosted model takes at most 2, not 3",
        ),
        (["sampling.teacher_system=Be brief."], "teacher_system: for a hosted teacher alone"),
    ],
)
def test_what_a_hosted_model_cannot_take_is_one_line(changes: list[str], line: str) -> None:
    with pytest.raises(UserError, match=line) as caught:
        load_config("math-demo", changes)
    assert "\n" not in str(caught.value)


def test_a_probe_pays_nobody() -> None:
    with pytest.raises(UserError, match=r"^--probe: a hosted teacher is paid by sample"):
        planned(load_config("math-demo", list(TEACHER)), probe=True)


def test_a_run_from_the_api_may_pay_where_the_operator_says_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = load_config("math-demo", list(TEACHER))
    check_places(config.places)
    monkeypatch.delenv(ADDRESS, raising=False)
    with pytest.raises(UserError, match=r"^OPENAI_BASE_URL: 'https://api\.openai\.com/v1': "):
        check_addresses(config.addresses)
    monkeypatch.setenv("RESTEM_ADDRESSES", "https://api.openai.com/v1")
    check_addresses(config.addresses)
    monkeypatch.setenv(ADDRESS, "https://elsewhere.example/v1")
    with pytest.raises(UserError, match="elsewhere"):
        check_addresses(config.addresses)


def test_a_missing_key_is_said_before_anything_is_computed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (ADDRESS, KEY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    config = load_config("math-demo", list(TEACHER))
    with DirectCaller(config) as caller:
        with pytest.raises(UserError, match=r"^OPENAI_API_KEY: not set"):
            Loop(config, caller).run()
        assert [group for group, _ in caller.done] == ["problems", "base model"]
