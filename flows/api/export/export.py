"""`restem export`: a policy or data of a run, to a folder or to the Hub, with a card.

A folder is replaced only where it holds an earlier export of the same thing; a kill leaves the
folder that was there, or none.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from flows.api.export.adapter import write_adapter
from flows.api.export.card import write_policy_card
from flows.api.export.data import write_data
from flows.api.export.data_card import write_data_card
from flows.api.export.folder import Mark, exported, seal
from flows.api.export.hub import check_name, push
from flows.api.export.policy import write_policy
from flows.api.export.results import write_every_eval_ever
from flows.api.export.source import Data, Source, What, read_source
from tasks.dag.runtime import home
from tasks.errors import UserError

HUB = "hub:"


def export(
    run: str, to: str, *, data: Data | None = None, adapter: bool = False, private: bool = False
) -> str:
    """Export a policy or data of a run.

    Args:
        run: RUN or RUN:ITERATION; RUN may be `latest` or the beginning of an id. Without an
            iteration the last policy, or the data of every iteration.
        to: A folder, or hub:NAME.
        data: Training rows, samples or preference pairs in place of the policy.
        adapter: The LoRA adapter alone in place of the whole policy.
        private: Of a repository that is made on the Hub.

    Returns:
        The folder's path, or the address on the Hub.

    Raises:
        UserError: there is no such run or policy, or nothing may be written there.
        StepError: the disk is full, or the Hub does not answer.
    """
    if data and adapter:
        raise UserError("--adapter: an adapter is of a policy; expected no --data beside it")
    if not to.removeprefix(HUB):
        raise UserError("--to: expected a folder, or hub:NAME")
    if private and not to.startswith(HUB):
        raise UserError("--private: it is for the Hub; expected --to hub:NAME")
    source = read_source(run)
    what: What = "adapter" if adapter else data or "policy"
    every = data is not None and source.iteration is None
    mark = Mark(what, source.run, -1 if every else source.number, {})
    if to.startswith(HUB):
        return _to_hub(to.removeprefix(HUB), source, mark, what, private)
    place = Path(to).expanduser().resolve()
    with exported(place, mark) as draft:
        _fill(draft, source, what, place.name)  # a card names no folder of this machine
    return str(place)


def _to_hub(name: str, source: Source, mark: Mark, what: What, private: bool) -> str:
    check_name(name)
    work = home() / "work"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="export-", dir=work) as place:
        folder = Path(place) / "export"
        folder.mkdir()
        _fill(folder, source, what, name)
        seal(folder, mark)
        kind = "model" if what in ("policy", "adapter") else "dataset"
        return push(folder, name, kind, private)


def _fill(folder: Path, source: Source, what: What, name: str) -> None:
    if what not in ("policy", "adapter"):
        write_data_card(folder, source, what, write_data(folder, source, what))
        return
    (write_adapter if what == "adapter" else write_policy)(folder, source)
    write_every_eval_ever(folder, source)
    write_policy_card(folder, source, name, adapter=what == "adapter")
