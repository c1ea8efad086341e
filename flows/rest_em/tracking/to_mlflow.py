"""`mlflow`: a run of the same name in the experiment `restem` (or MLFLOW_EXPERIMENT_NAME).

MLFLOW_TRACKING_URI says on which server; without it the runs are in RESTEM_HOME/mlflow.db. A new
run is written first, and older ones of the name are deleted then.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from flows.rest_em.tracking.record import TrackedRun

EXPERIMENT = "restem"
# What mlflow takes in one request, and how long a parameter may be.
_METRICS, _PARAMETERS, _LONGEST = 1000, 100, 6000
# Its own defaults have a server that is not there asked for minutes.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}


def write(run: TrackedRun, home: Path) -> str:
    """See `Write`."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{_in_url(home / 'mlflow.db')}"
    client = MlflowClient(uri)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    known = client.get_experiment_by_name(name)
    place = known.experiment_id if known else client.create_experiment(name)
    made = client.create_run(place, run_name=run.run).info.run_id
    now = int(time.time() * 1000)
    metrics = [
        Metric(series, value, now, point.step)
        for point in (*run.iterations, *run.training)
        for series, value in point.values.items()
    ]
    for start in range(0, len(metrics), _METRICS):
        client.log_batch(made, metrics=metrics[start : start + _METRICS])
    fields = [Param(field, value[:_LONGEST]) for field, value in run.config.items()]
    for start in range(0, len(fields), _PARAMETERS):
        client.log_batch(made, params=fields[start : start + _PARAMETERS])
    client.log_batch(made, tags=[RunTag("restem.report", run.report)])
    client.set_terminated(made)
    for earlier in client.search_runs([place], f"attributes.run_name = '{run.run}'"):
        if earlier.info.run_id != made:
            client.delete_run(earlier.info.run_id)
    return f"run {run.run} in experiment {name} of {uri}"


def _in_url(path: Path) -> str:
    """A path without the characters that SQLAlchemy reads in an address."""
    return str(path).replace("%", "%25").replace("?", "%3F")
