"""Which functions of one's own a run from the API may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.allowed_paths import check_functions, check_places
from tasks.errors import UserError
from tasks.settings import DataSettings, FilterSettings


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("{home}/functions/reward.py:f", True),
        ("{data}/reward.py:f", True),
        ("/srv/shared/reward.py:f", True),
        ("listed.rewards:f", True),
        ("listed-name", True),
        ("/etc/reward.py:f", False),
        ("{home}/../reward.py:f", False),
        ("{data}/link/reward.py:f", False),  # a link that leads out
        ("~/reward.py:f", False),
        ("{home}/store/model/abc/reward.py:f", False),  # of a model that some run downloaded
        ("{home}/functions/../cache/reward.py:f", False),
        ("{home}/runs/a/reward.py:f", False),
        ("os:system", False),
        ("listed.rewards:g", False),
        ("listed", False),
        ("name", False),
    ],
)
@pytest.mark.parametrize("field", ["filter.score", "filter.select", "data.train", "data.test"])
def test_functions_that_the_api_may_name(
    field: str, text: str, fine: bool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "link").symlink_to("/etc")
    monkeypatch.setenv("RESTEM_DATA", str(data))
    monkeypatch.setenv("RESTEM_PATHS", "/srv/shared")
    monkeypatch.setenv("RESTEM_FUNCTIONS", "listed.rewards:f, listed-name")
    section, _, name = field.partition(".")
    given = {name: text.format(home=home, data=data)}
    form = {"data": DataSettings, "filter": FilterSettings}[section]
    config = RestEmConfig.model_validate({section: form.model_validate(given)})
    assert [one for one, _ in config.named_functions] == [field]
    if fine:
        check_places(config.places)
        check_functions(config.named_functions)
    else:
        with pytest.raises(UserError, match=f"^{field}: ") as caught:
            check_functions(config.named_functions)
        assert "\n" not in str(caught.value)


def test_each_of_several_rewards_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [{"reward": "correct"}, {"reward": "/etc/a.py:f"}, {"reward": "os:system"}]
    config = RestEmConfig.model_validate({"filter": {"rewards": parts}})
    named = config.named_functions
    assert [field for field, _ in named] == ["filter.rewards[1]", "filter.rewards[2]"]
    assert ("filter.rewards[1]", "/etc/a.py") in config.places
    for one in named:
        with pytest.raises(UserError):
            check_functions([one])


def test_names_of_ours_need_no_leave() -> None:
    assert RestEmConfig().named_functions == []
