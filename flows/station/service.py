"""`restem service`: the station as a service of systemd, of one user or of the machine.

The unit runs `restem up --foreground`. Of a user's unit only what needs no namespace is hardened:
where these are forbidden, a unit that asks for one does not start. The sandbox needs nothing of it:
its containers are the Docker engine's. Variables other than RESTEM_HOME stand in
RESTEM_HOME/service.env, which is the operator's own file.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import StepError, UserError
from tasks.paths import ROOT

UNIT = "restem.service"
ENVIRONMENT = "service.env"
_MARK = "# Written by `restem service install`, and written anew by the next one."
_SYSTEM = Path("/etc/systemd/system")
_SECONDS = 60.0
# A first start migrates the database; an end gives runs ten seconds to report theirs.
_START_SECONDS, _STOP_SECONDS = 300, 90
# OOMPolicy: a trainer that runs out of memory must not end it.
_COMMON = """\
Type=notify
NotifyAccess=main
Restart=on-failure
RestartSec=10
RestartPreventExitStatus=2
KillMode=mixed
OOMPolicy=continue
UMask=0077
LimitNOFILE=65536
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
"""
_OF_SYSTEM = """\
ProtectSystem=full
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
"""


@dataclass(frozen=True)
class Service:
    """A station's service.

    Attributes:
        home: RESTEM_HOME.
        port: Of the UI.
        pages: Of the reports.
        user: Of a service of the machine, who it runs as; empty: a service of the user at hand.
    """

    home: Path
    port: int = 4200
    pages: int = 4201
    user: str = ""

    @property
    def file(self) -> Path:
        """Where the unit lies."""
        config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return (_SYSTEM if self.user else Path(config) / "systemd" / "user") / UNIT

    def text(self) -> str:
        """The unit."""
        command = [sys.executable, "-P", "-m", "flows.cli", "up", "--foreground"]
        command += ["--port", str(self.port), "--pages", str(self.pages)]
        paths = {"RESTEM_HOME": self.home, "PYTHONPATH": ROOT}
        set_there = "".join(f"Environment={_quoted(f'{k}={v}')}\n" for k, v in paths.items())
        after = "After=network.target docker.service\n" if self.user else ""
        of_user = _OF_SYSTEM + ("" if self.user == "root" else "CapabilityBoundingSet=\n")
        return (
            f"{_MARK}\n"
            "[Unit]\n"
            "Description=restem: Prefect's UI, a worker and report pages\n"
            f"{after}"
            "StartLimitIntervalSec=600\n"
            "StartLimitBurst=5\n"
            "\n"
            "[Service]\n"
            f"ExecStart={' '.join(_quoted(word).replace('$', '$$') for word in command)}\n"
            f"{set_there}"
            f"EnvironmentFile=-{_plain(self.home / ENVIRONMENT)}\n"
            f"TimeoutStartSec={_START_SECONDS}\n"
            f"TimeoutStopSec={_STOP_SECONDS}\n"
            f"{_COMMON}"
            f"{f'User={self.user}{chr(10)}{of_user}' if self.user else ''}"
            "\n"
            "[Install]\n"
            f"WantedBy={'multi-user.target' if self.user else 'default.target'}\n"
        )


def service(home: Path, port: int, pages: int, *, system: bool, user: str = "") -> Service:
    """The service that was asked for.

    Args:
        home: RESTEM_HOME, where the environment names one.
        system: Of the machine, not of this user.
        user: Who a service of the machine runs as; empty: who called sudo, or this user.

    Raises:
        UserError: no such user, or one without need.
    """
    if not system:
        if user:
            raise UserError("--user: expected with --system alone")
        return Service(home, port, pages)
    name = user or os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name
    try:
        theirs = Path(pwd.getpwnam(name).pw_dir) / ".restem"
    except KeyError:
        raise UserError(f"--user {name}: no such user") from None
    return Service(home if os.environ.get("RESTEM_HOME") else theirs, port, pages, name)


def install(one: Service, *, start: bool) -> list[str]:
    """Write the unit, and start it.

    Args:
        start: Have systemd start it, now and with the machine.

    Returns:
        What is left to know, for people.

    Raises:
        UserError: the file cannot be written, or is another's.
        StepError: systemd did not take it.
    """
    _ours(one.file)
    draft = one.file.with_name(f".{UNIT}")
    try:
        one.file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(one.text(), encoding="utf-8")
        draft.replace(one.file)
    except OSError as error:
        raise UserError(f"{one.file}: {error.strerror}; expected a file to write") from None
    if start:
        _systemctl(one, "daemon-reload")
        _systemctl(one, "enable", "--now", UNIT)
    said = [f"unit: {one.file}"]
    if not start:
        flag = "" if one.user else " --user"
        said.append(f"start it: systemctl{flag} daemon-reload; systemctl{flag} enable --now {UNIT}")
    if not one.user:
        said.append("it ends when you log out, unless you have run: loginctl enable-linger")
    place = one.home / ENVIRONMENT
    if left := sorted(set(_variables()) - _names(place)):
        said.append(f"set here but not in {place}, so not for the service: {', '.join(left)}")
    return said


def remove(one: Service) -> bool:
    """End the service and take its unit away; whether there was one.

    Raises:
        UserError: the file is another's, or cannot be removed.
        StepError: systemd did not end it.
    """
    if not _ours(one.file):
        return False
    if shutil.which("systemctl") and state(one) != "unknown":
        _systemctl(one, "disable", "--now", UNIT)
    try:
        one.file.unlink()
    except OSError as error:
        raise UserError(f"{one.file}: {error.strerror}") from None
    if state(one) != "unknown":
        _systemctl(one, "daemon-reload")
    return True


def state(one: Service) -> str:
    """What systemd says of it, such as active or inactive; unknown where it does not answer."""
    try:
        done = _run(one, "is-active", UNIT)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


def _systemctl(one: Service, *words: str) -> None:
    try:
        done = _run(one, *words)
        said = "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said:
        what = " ".join(words)
        raise StepError(f"systemd did not take `{what}`: {said}; the unit is {one.file}")


def _run(one: Service, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", *([] if one.user else ["--user"]), *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS + _START_SECONDS,
        encoding="utf-8",
    )


def _ours(file: Path) -> bool:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; expected a unit of restem's") from None
    if not text.startswith(_MARK):
        raise UserError(f"{file}: not written by restem; expected to find none, or one of ours")
    return True


def _variables() -> list[str]:
    return [name for name in os.environ if name.startswith("RESTEM_") and name != "RESTEM_HOME"]


def _names(file: Path) -> set[str]:
    """Variables that a file of the operator sets."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return {line.partition("=")[0].strip() for line in lines}


def _plain(path: Path | str) -> str:
    text = str(path)
    if any(ord(c) < 32 for c in text):
        raise UserError(f"{text!r}: a unit cannot name a path with control characters")
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """A word as a unit writes it, whatever is in it."""
    plain = _plain(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
