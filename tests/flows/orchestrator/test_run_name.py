"""Which names of flow runs a person gave."""

from __future__ import annotations

import pytest
from prefect.utilities.names import generate_slug

from flows.orchestrator.run_name import is_made_up


def test_what_prefect_makes_up_is_no_persons_choice() -> None:
    assert all(is_made_up(generate_slug(2)) for _ in range(500))
    assert is_made_up("Rustic-Zebra") and is_made_up("Ergonomic-Cuckoo")


@pytest.mark.parametrize(
    "name",
    ["My first run", "first-try", "Small-model", "math-demo-1a2b3c4d", "baseline", "Rustic", "-"],
)
def test_another_name_is(name: str) -> None:
    assert not is_made_up(name)
