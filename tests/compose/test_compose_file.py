"""What docker-compose.yml and .env.example promise, read from the files."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tasks.paths import ROOT
from tests.compose.compose_file import (
    EXAMPLE,
    FILE,
    ComposeError,
    read_env,
    read_services,
    variables,
)
from tests.needs import lacking

FILLED = {name: value or "secret" for name, value in read_env(EXAMPLE).items()}
SERVICES = read_services(FILLED)
LONG = {name: service for name, service in SERVICES.items() if service.restarts}
JOBS = set(SERVICES) - set(LONG)
PUBLISHED = {"server", "pages"}
# PostgreSQL's releases have two numbers, the others three; fewer would be a moving tag.
PINNED = re.compile(r"[a-z-]+:\d+\.\d+(\.\d+)?(-[a-z][a-z-]*)?(@sha256:[0-9a-f]{64})?")


def test_the_services_are_those_that_the_manual_names():
    assert set(LONG) == {"postgres", "redis", "server", "services", "engine", "worker", "pages"}
    assert {"migrate", "sandbox-image", "deployments"} == JOBS
    text = (ROOT / "docs" / "operations-compose.md").read_text()
    assert all(f"`{name}`" in text for name in SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str):
    assert PINNED.fullmatch(SERVICES[name].image)


def test_our_image_has_the_products_version_and_a_pinned_base():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    ours = {service.image for service in SERVICES.values() if "build" in service.raw}
    assert ours == {f"restem:{version}"}
    base = re.findall(r"^FROM (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(base) == 1 and PINNED.fullmatch(base[0])


@pytest.mark.parametrize("name", LONG)
def test_what_runs_for_long_has_a_health_check_and_is_started_again(name: str):
    raw = LONG[name].raw
    assert raw["restart"] == "unless-stopped"
    assert raw["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= set(raw["healthcheck"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_until_what_it_needs_is_healthy_or_done(name: str):
    for other, condition in SERVICES[name].needs.items():
        expected = "completed_successfully" if other in JOBS else "healthy"
        assert condition == f"service_{expected}", other


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_of_the_host_is_mounted_but_the_engines_user_ids(name: str):
    raw = SERVICES[name].raw
    for volume in raw.get("volumes", []):
        source, *rest = volume.split(":")
        host = source.startswith((".", "/", "~"))
        assert not host or (name == "engine" and source == "./sandbox/subids" and rest[-1] == "ro")
    assert "docker.sock" not in str(raw).replace("unix:///sandbox/docker.sock", "")
    assert not raw.get("privileged")
    assert raw.get("network_mode") in (None, "none")
    assert not {"pid", "ipc", "userns_mode", "cgroup_parent"} & set(raw)


def test_the_engines_socket_reaches_those_alone_that_run_sandboxes():
    holders = {n for n, s in SERVICES.items() if any(v.startswith("socket:") for v in s.volumes)}
    assert holders == {"engine", "sandbox-image", "worker"}
    assert not any("tcp" in word for word in SERVICES["engine"].command)
    others = {
        net for n, s in SERVICES.items() if n != "engine" for net in s.raw.get("networks", [])
    }
    assert "engine" not in others


def test_the_engine_maps_every_user_id_that_a_sandbox_takes():
    from sandbox.container import first_uid

    _, first, count = (ROOT / "sandbox" / "subids").read_text().strip().split(":")
    assert int(first) + int(count) < 2**32 - 1
    # Ids are drawn below 2^30 in steps of 2^16, and a container counts upwards from its own.
    assert int(count) >= 1 << 30
    assert max(first_uid() for _ in range(10_000)) + (1 << 16) <= int(count)


@pytest.mark.parametrize("name", SERVICES)
def test_only_the_ui_and_the_reports_are_published_and_to_this_machine(name: str):
    ports = SERVICES[name].raw.get("ports", [])
    assert bool(ports) == (name in PUBLISHED)
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_database_and_redis_have_no_way_out():
    networks = yaml.safe_load(FILE.read_text())["networks"]
    assert networks["database"]["internal"] is True
    assert SERVICES["postgres"].raw["networks"] == SERVICES["redis"].raw["networks"] == ["database"]
    assert "database" not in SERVICES["worker"].raw["networks"]


@pytest.mark.parametrize("name", [n for n, s in SERVICES.items() if "build" in s.raw])
def test_our_containers_have_no_rights_and_tell_nobody(name: str):
    service = SERVICES[name]
    assert service.raw["cap_drop"] == ["ALL"] and service.raw["read_only"] is True
    assert service.raw["security_opt"] == ["no-new-privileges:true"]
    if any(word.startswith("PREFECT_") for word in service.environment):
        assert service.environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
        assert service.environment["DO_NOT_TRACK"] == "1"


def test_the_api_and_its_clients_have_the_same_password():
    for name in ("server", "services"):
        assert SERVICES[name].environment["PREFECT_SERVER_API_AUTH_STRING"] == "secret"
    for name in ("worker", "deployments", "pages"):
        assert SERVICES[name].environment["PREFECT_API_AUTH_STRING"] == "secret"


def test_what_is_published_goes_by_the_names_of_the_example_and_its_own():
    filled = {
        **FILLED,
        "RESTEM_UI_URL": "https://ui.example",
        "RESTEM_PAGES_URL": "https://p.example",
    }
    services = read_services(filled)
    assert services["server"].command[:3] == ("python", "-m", "flows.server.api_server")
    assert services["server"].environment["RESTEM_HOSTS"] == "server:4200,https://ui.example"
    assert services["pages"].environment["RESTEM_HOSTS"] == "pages:4201,https://p.example"


def test_the_example_names_every_variable_and_no_other():
    used = variables(FILE.read_text())
    assert set(used) == set(read_env(EXAMPLE))


def test_secrets_are_empty_in_the_example_and_have_no_default():
    example = read_env(EXAMPLE)
    # An index of torch is no secret: without one it is the default index.
    secrets = {name for name, value in example.items() if not value} - {"TORCH_INDEX"}
    assert secrets == {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "PREFECT_AUTH"}
    for name, (operator, word) in variables(FILE.read_text()).items():
        assert operator == ("?" if name in secrets else "-"), name
        assert name in secrets or word == example[name], name
    for name in secrets:
        with pytest.raises(ComposeError, match=name):
            read_services({**FILLED, name: ""})


def test_every_variable_of_the_example_is_explained():
    blocks = EXAMPLE.read_text().split("\n\n")[1:]
    assert all(block.startswith("# ") for block in blocks)


@pytest.fixture
def compose() -> str:
    found = shutil.which("docker-compose")
    if found is None:
        lacking("docker-compose is not installed (Debian: apt-get install docker-compose)")
    return found


def _config(compose: str, env: Path) -> subprocess.CompletedProcess[str]:
    command = [compose, "--env-file", str(env), "-f", str(FILE), "config"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_compose_takes_the_file_once_the_example_is_filled_in(compose: str, tmp_path: Path):
    env = tmp_path / "env"
    env.write_text("".join(f"{name}={value}\n" for name, value in FILLED.items()))
    done = _config(compose, env)
    assert done.returncode == 0, done.stderr
    taken = yaml.safe_load(done.stdout)["services"]
    assert set(taken) == set(SERVICES)
    for name, service in SERVICES.items():
        assert taken[name]["image"] == service.image
        assert tuple(taken[name].get("command", ())) == service.command
        ours = {key: str(value) for key, value in service.environment.items()}
        assert {k: str(v) for k, v in taken[name].get("environment", {}).items()} == ours


def test_compose_refuses_the_example_as_it_is(compose: str):
    done = _config(compose, EXAMPLE)
    assert done.returncode != 0
    assert "see .env.example" in done.stderr
