"""`restem service`: the unit that it writes, as systemd's own tools read it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from flows.station import service
from flows.station.service import Service
from tasks.errors import StepError, UserError
from tests.needs import lacking

HOMES = ["home", "with space", "50% \"of\" $HOME 'ö' [1]"]


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where units of the user lie; a machine's systemd is not touched."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    return tmp_path / "config" / "systemd" / "user"


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        lacking("no systemd-analyze on the PATH (Debian: apt-get install systemd)")
    return subprocess.run([tool, *words], capture_output=True, text=True, check=False)


@pytest.mark.slow  # systemd's tools are among what `make test` brings
@pytest.mark.parametrize("user", ["", "daemon", "root"])
@pytest.mark.parametrize("name", HOMES)
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, name: str, user: str) -> None:
    file = tmp_path / "restem.service"
    file.write_text(Service(tmp_path / name, user=user).text(), encoding="utf-8")
    found = analyze("verify", "--man=no", "--user" if not user else "--system", str(file))
    ours = [line for line in found.stderr.splitlines() if "restem" in line]
    assert found.returncode == 0, found.stderr
    assert ours == []


@pytest.mark.parametrize("name", HOMES)
def test_the_command_gets_the_home_as_it_is_named(tmp_path: Path, name: str) -> None:
    text = Service(tmp_path / name).text()
    line = next(line for line in text.splitlines() if line.startswith('Environment="RESTEM_HOME='))
    word = line.removeprefix('Environment="').removesuffix('"')
    for written, meant in (("%%", "%"), ('\\"', '"'), ("\\\\", "\\")):
        word = word.replace(written, meant)
    assert word == f"RESTEM_HOME={tmp_path / name}"


@pytest.mark.slow
def test_a_service_of_the_machine_is_exposed_little(tmp_path: Path) -> None:
    file = tmp_path / "restem.service"
    file.write_text(Service(tmp_path, user="daemon").text())
    found = analyze("security", "--offline=yes", "--threshold=60", "--no-pager", str(file))
    assert found.returncode == 0, found.stdout[-2000:]


def test_a_unit_of_somebody_else_is_left(config: Path, tmp_path: Path) -> None:
    config.mkdir(parents=True)
    file = config / service.UNIT
    file.write_text("[Unit]\n")
    for act in (
        lambda: service.install(Service(tmp_path), start=False),
        lambda: service.remove(Service(tmp_path)),
    ):
        with pytest.raises(UserError, match="not written by restem"):
            act()
    assert file.read_text() == "[Unit]\n"


def test_what_is_written_is_removed(config: Path, tmp_path: Path) -> None:
    one = Service(tmp_path)
    service.install(one, start=False)
    service.install(one, start=False)
    assert [path.name for path in config.iterdir()] == [service.UNIT]
    assert service.remove(one) and not service.remove(one)
    assert list(config.iterdir()) == []


def test_variables_that_the_service_will_not_have_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_PATHS", "/data")
    monkeypatch.setenv("RESTEM_HOSTS", "gpu1")
    (tmp_path / service.ENVIRONMENT).write_text("RESTEM_HOSTS=gpu1\n")
    said = service.install(Service(tmp_path), start=False)[-1]
    assert "RESTEM_PATHS" in said and "RESTEM_HOSTS" not in said


def test_where_systemd_does_not_answer_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="systemd did not take `daemon-reload`"):
        service.install(Service(tmp_path), start=True)


def test_a_path_that_no_unit_can_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="control characters"):
        Service(tmp_path / "a\nExecStartPre=b").text()
