"""Names of the trackers that a run may tell (flows/rest_em/tracking)."""

from __future__ import annotations

from typing import Literal

TrackerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]
