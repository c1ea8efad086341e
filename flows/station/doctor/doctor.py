"""`restem doctor`: what is there, what is missing, what would fail. It asks no other machine."""

from __future__ import annotations

from flows.station.doctor import machine, packages, services, variables
from flows.station.doctor.finding import Check, Finding, examine

# Loading torch on a cold disk takes long; nothing else does.
_LONG = packages.TORCH_SECONDS + 5.0
CHECKS = (
    Check("python", packages.python, needed=True),
    Check("packages", packages.packages, needed=True),
    Check("torch", packages.torch_and_gpu, _LONG, needed=True),
    Check("vllm", packages.vllm, 30.0),
    Check("home", machine.disks, 20.0, needed=True),
    Check("memory", machine.memory),
    Check("processors", machine.processors),
    Check("open files", machine.open_files),
    Check("locale", machine.encoding),
    Check("clock", machine.clock),
    Check("loopback", machine.loopback, needed=True),
    Check("docker", services.docker),
    Check("station", services.ports),
    Check("prefect server", services.server),
    Check("prefect database", services.database, needed=True),
    Check("secret", services.secret, needed=True),
    Check("variables", variables.variables),
    Check("keys of services", variables.keys),
)


def doctor() -> list[Finding]:
    """All findings."""
    return examine(CHECKS)


def ready(found: list[Finding]) -> bool:
    """Whether a plain run would work."""
    return all(finding.state != "fails" for finding in found)
