"""What can be done with a finished run: where its model is, and a command for each next step.

Said at the end of a run, by `restem status` and on the report's page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.report.page import with_commands
from tasks.facts import Facts
from tasks.store.store import Store

# A benchmark to measure a policy on, of the kind that it was trained for and not the same; where
# none is named, by domain.
_ANOTHER = {
    "synthetic_math": "synthetic_math_shift",
    "synthetic_code": "synthetic_code_shift",
    "synthetic_notes": "synthetic_notes",
    "code": "humaneval",
}
_ELSE = "gsm8k"
# As many iterations as a configuration may have.
_MOST = 20


@dataclass(frozen=True)
class NextSteps(Facts):
    """What a person can do next.

    Attributes:
        model: Folder of the last policy, which plain transformers loads; where the store is on
            another machine, its place there.
        policy: Which one it is, such as p2.
        commands: By what they do: export, serve, evaluate, compare, continue.
    """

    model: str
    policy: str
    commands: dict[str, str]

    @property
    def lines(self) -> list[str]:
        """For a terminal."""
        wide = max(map(len, self.commands), default=0)
        commands = [f"  {name:<{wide}}  {command}" for name, command in self.commands.items()]
        which = self.policy if self.policy != "p0" else "p0, the base: nothing was trained"
        return [f"model: {self.model} ({which})", *commands]


def next_steps(config: RestEmConfig, policies: Sequence[str], store: Store) -> NextSteps:
    """The next steps after a run.

    Args:
        config: Of the run.
        policies: Artifacts of p0, p1 …
        store: With them.
    """
    last, run = len(policies) - 1, config.run_id
    commands = {
        "export": f"restem export {run} --to model",
        "serve": f"restem export {run} --to model && vllm serve model",
        "evaluate": f"restem evaluate {run} --on {_benchmark(config)}",
    }
    if last:  # else there is the base alone
        commands["compare"] = f"restem compare {run}:0 {run}"
    if config.iterations < _MOST:
        commands["continue"] = f"restem resume {run} --set iterations={config.iterations + 1}"
    return NextSteps(_place(store, policies[last]), f"p{last}", commands)


def write_page(made: Path, folder: Path, then: NextSteps | None) -> Path:
    """Put a report's page into a run's folder; where it is.

    Args:
        made: Folder of the report's artifact.
        then: What can be done next; it names this machine, so it is no part of the artifact.
    """
    page = (made / "report.html").read_text(encoding="utf-8")
    if then is not None:
        rows = [(f"model ({then.policy})", then.model), *then.commands.items()]
        page = with_commands(page, "What next", rows)
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _place(store: Store, location: str) -> str:
    return f"{store.root if store.local else store.address.rstrip('/')}/{location}"


def _benchmark(config: RestEmConfig) -> str:
    if (named := _ANOTHER.get(config.data.train)) is not None:
        return named
    return next((_ANOTHER[one] for one in config.data.domains if one in _ANOTHER), _ELSE)
