"""Costs that are known: of the last probe, or of an earlier run, so that no probe is needed.

A completed run of the same model, engine, trainer and machine settings has measured the same costs,
and those of trained policies besides. It must have done its own work: a run that found its steps
cached has measured nothing.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.estimate.costs import Costs
from flows.estimate.measure import costs_of_journal
from flows.runs.journal import newest_heads, read_head, read_steps
from tasks.dag.runtime import home, open_store
from tasks.durable import write_whole
from tasks.settings.problems import OWN
from tasks.store.store import Damage, digest_of


def costs_key(config: RestEmConfig) -> str:
    """Names what decides the costs: model, engine, problems, trainer and machine, not volumes."""
    own = f" {config.data.source}" if config.data.train == OWN else ""
    keyed = {
        "model": config.model.recipe(),
        "data": f"{config.data.train}{own}",
        "sampling": config.sampling.model_dump(exclude={"samples"}),
        "finetune": config.finetune.model_dump(include={"method", "max_length", "packing"}),
        "resources": config.resources.model_dump(
            exclude={"store", "shard_problems", "shard_samples", "checkpoint_minutes"}
        ),
    }
    if config.has_preferences:
        named = ("judge", "reward")
        keyed |= {name: getattr(config, name).model_dump() for name in named}
        keyed["improve"] = [config.finetune.improve, config.finetune.generations]
    return digest_of(keyed)[:16]


def keep_costs(config: RestEmConfig, costs: Costs) -> None:
    """Remember what was measured, for dry runs without a probe."""
    path = _place(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"made": time.time(), "costs": costs.to_json()}))


def known_costs(config: RestEmConfig) -> Costs | None:
    """What was measured with the same settings: by a probe, else in the newest run that did."""
    try:
        kept = json.loads(_place(config).read_text(encoding="utf-8"))
        return _dated(Costs.from_json(kept["costs"]), "probe", kept["made"])
    except (OSError, ValueError, KeyError, TypeError):  # none, or of another version
        pass
    key = costs_key(config)
    for path in newest_heads():
        try:
            head = read_head(path.parent)
            if head.state != "completed" or head.flow != "rest-em":
                continue
            ran = RestEmConfig.model_validate(head.config)
            if costs_key(ran) != key:
                continue
            lines = read_steps(path.parent)
            costs = costs_of_journal(lines, open_store(ran.resources), ran.filter)
        except (OSError, ValueError, KeyError, Damage):
            continue
        if costs is not None:
            return _dated(costs, f"run {head.run}", head.ended or head.started)
    return None


def _dated(costs: Costs, source: str, moment: float) -> Costs:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
    return replace(costs, source=f"{source} of {day}")


def _place(config: RestEmConfig) -> Path:
    return home() / "costs" / f"{costs_key(config)}.json"
