"""A policy's results in the forms that others read: the Hub's model index, and Every Eval Ever.

Every Eval Ever: `eval.schema.json` of the package every-eval-ever 0.3.0 (schema version 0.3.0,
https://github.com/evaleval/every_eval_ever). Its converters for lm-eval, HELM and Inspect write the
same form, and its `validate` accepts this file.
"""

from __future__ import annotations

import importlib.metadata
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.api.export.licences import Origin, data_origin, public_name
from flows.api.export.source import Source
from flows.report.tables import metric_order
from tasks.evaluate.intervals import Interval

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

EVERY_EVAL_EVER = "every_eval_ever.json"
_SCHEMA = "0.3.0"
_DIGITS = 4


@dataclass(frozen=True)
class Measured:
    """A metric on test problems: its name here, and in words."""

    name: str
    words: str
    found: Interval


def measured(source: Source) -> list[Measured]:
    """What was measured of the exported policy on test problems; none where it was not yet."""
    metrics = source.metrics(source.number)
    if metrics is None:
        return []
    parts = [name.partition("@") for name in metric_order(set(metrics.metrics))]
    return [
        Measured(f"{name}{at}{k}", _WORDS[name].format(k=k), metrics.metrics[f"{name}{at}{k}"])
        for name, at, k in parts
        if name in _WORDS
    ]


_WORDS = {
    "greedy": "accuracy of greedy answers",
    "pass": "chance to solve a problem within {k} samples",
    "maj": "accuracy of the majority of {k} samples",
}


def hub_results(source: Source) -> list[EvalResult]:
    """The results in the Hub's own form, with intervals as arguments of the metric."""
    from huggingface_hub import EvalResult

    origin = data_origin(source.config.data, "test")
    confidence = source.config.evaluation.confidence
    return [
        EvalResult(
            task_type="text-generation",
            dataset_type=origin.hub or origin.name,
            dataset_name=origin.name,
            dataset_split="test",
            metric_type="accuracy" if one.name == "greedy" else one.name,
            metric_name=one.words,
            metric_value=round(one.found.value, _DIGITS),
            metric_args={
                "low": round(one.found.low, _DIGITS),
                "high": round(one.found.high, _DIGITS),
                "confidence": confidence,
                "problems": one.found.problems,
            },
        )
        for one in measured(source)
    ]


def write_every_eval_ever(folder: Path, source: Source) -> None:
    """Write the results as an Every Eval Ever record; no file where there are none."""
    if results := list(_records(source)):
        record = _record(source, results)
        (folder / EVERY_EVAL_EVER).write_text(
            json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )


def _record(source: Source, results: list[dict[str, object]]) -> dict[str, object]:
    name = f"{source.run}:{source.number}"
    digest = source.policy(source.number).digest
    when = f"{source.head.ended or source.head.started:.0f}"
    return {
        "schema_version": _SCHEMA,
        "evaluation_id": f"{source.config.name}/{name}/{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "evaluation_timestamp": when,
        "retrieved_timestamp": when,
        "source_metadata": {
            "source_name": "restem",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "first_party",
        },
        "eval_library": {"name": "restem", "version": importlib.metadata.version("restem")},
        "model_info": {
            "name": name,
            "id": f"unknown/{source.run}-p{source.number}",
            "developer": "unknown",
            "inference_engine": {"name": source.config.sampling.engine},
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",
                "base_model": public_name(source.config.model.base),
                "digest": digest,
            },
        },
        "evaluation_results": results,
    }


def _records(source: Source) -> Iterator[dict[str, object]]:
    config = source.config
    origin = data_origin(config.data, "test")
    for one in measured(source):
        greedy = one.name == "greedy"
        yield {
            "evaluation_name": origin.name,
            "source_data": _data(origin, one.found.problems),
            "metric_config": {
                "metric_id": one.name,
                "metric_name": one.name,
                "evaluation_description": one.words,
                "lower_is_better": False,
                "score_type": "continuous",
                "min_score": 0,
                "max_score": 1,
            },
            "score_details": {
                "score": one.found.value,
                "uncertainty": {
                    "confidence_interval": {
                        "lower": one.found.low,
                        "upper": one.found.high,
                        "confidence_level": config.evaluation.confidence,
                        "method": "bootstrap over problems",
                    },
                    "num_samples": one.found.problems,
                    "num_bootstrap_samples": config.evaluation.bootstrap,
                },
            },
            "generation_config": {
                "generation_args": {
                    "temperature": 0.0 if greedy else config.evaluation.temperature,
                    "top_p": 1.0 if greedy else config.evaluation.top_p,
                    "max_tokens": config.sampling.max_tokens,
                }
            },
        }


def _data(origin: Origin, problems: int) -> dict[str, str | int]:
    if origin.hub:
        return {
            "dataset_name": origin.name,
            "source_type": "hf_dataset",
            "hf_repo": origin.hub,
            "hf_split": "test",
            "samples_number": problems,
        }
    return {"dataset_name": origin.name, "source_type": "other"}
