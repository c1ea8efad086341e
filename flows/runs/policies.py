"""Names of policies: one that a run made, or the source of a base model.

`RUN` is the last policy of a run, `RUN:2` that of its second iteration, `RUN:0` its base; RUN may
be `latest` or the beginning of an id. Everything else is a source (tasks/policy/step.py).
"""

from __future__ import annotations

from pathlib import Path

from flows.runs.journal import read_journal
from flows.runs.journal_forms import RunHead
from tasks.dag.step_names import BASE_MODEL, BLEND, FINETUNE
from tasks.errors import UserError
from tasks.store.store import ArtifactRef, Damage, Store

# Steps whose line names the policy of its iteration; the last of them does.
_MAKERS = (BASE_MODEL, FINETUNE, BLEND)
_SOURCES = ("embedded:", "package:")
_OR_SOURCE = (
    "; or expected embedded:NAME, package:MODULE, a folder, a .gguf file or a Hub id (org/name)"
)


def is_source(name: str) -> bool:
    """Whether a name is a base model's source and not a run."""
    return (
        name.startswith(_SOURCES)
        or "/" in name
        or name.endswith(".gguf")
        or Path(name).expanduser().is_dir()
    )


def spelled_out(name: str, field: str) -> str:
    """A name that stays true when other runs come: `latest` and short ids become RUN:ITERATION.

    Raises:
        UserError: there is no such run, or it made no such policy.
    """
    if not name or is_source(name):
        return name
    return of_run(name, f"{field}: ", _OR_SOURCE)


def of_run(name: str, field: str = "", otherwise: str = "") -> str:
    """RUN or RUN:ITERATION as the run's whole id and the iteration.

    Args:
        name: What was given; RUN may be `latest` or the beginning of an id.
        field: In front of a message.
        otherwise: What else could have been given, behind it.

    Raises:
        UserError: there is no such run, or it made no such policy.
    """
    run, sign, number = name.rpartition(":")
    run, number = (run, number) if sign else (name, "")
    if number and not number.isdecimal():
        raise UserError(f"{field}{name}: expected RUN or RUN:ITERATION, such as latest:2")
    head, made = _made(run, field, otherwise)
    last = max(made)
    wanted = int(number) if number else last
    if wanted not in made:
        raise UserError(f"{field}{name}: the run's policies are 0 (its base) to {last}")
    return f"{head.run}:{wanted}"


def policy_of(name: str, store: Store, field: str) -> ArtifactRef:
    """The artifact of RUN:ITERATION.

    Raises:
        UserError: it is gone, or in another store.
    """
    run, _, number = name.rpartition(":")
    location = _made(run, f"{field}: ", _OR_SOURCE)[1].get(int(number), "")
    kind, _, key = location.partition("/")
    try:
        ref = store.lookup(kind, key)
    except Damage:
        ref = None
    if ref is None:
        raise UserError(f"{field}: {name}: its artifact is not in the store; run the run again")
    return ref


def _made(run: str, field: str, otherwise: str) -> tuple[RunHead, dict[int, str]]:
    """A run's journal head and its policies' artifacts by iteration."""
    try:
        head, steps = read_journal(run, "rest-em")
    except UserError as error:
        raise UserError(f"{field}{error}{otherwise}") from None
    made = {line.iteration: line.artifact for line in steps if line.step in _MAKERS}
    if not made:
        raise UserError(f"{field}{run}: that run made no policy")
    return head, made
