"""A home that the version before made, with Prefect 3.8.8.

home-3.8.8.tar.xz is a whole home after `restem demo` with the changes below, less its logs and its
secret. The learning rate is so small that p1 has the weights of the base policy, which the archive
leaves out: they are those of models/tiny-math.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from tasks.paths import MODELS

ARCHIVE = Path(__file__).with_name("home-3.8.8.tar.xz")
RUN = "math-demo-5ead8db4"
STEPS = 17
OLD_REVISION = "a3b9c7d2e5f1"  # of Prefect 3.8.8
CHANGES = (
    "iterations=1",
    "data.train_limit=64",
    "data.test_limit=32",
    "data.validation=0",
    "sampling.samples=4",
    "evaluation.samples=1",
    "evaluation.pass_k=[1]",
    "evaluation.majority=[]",
    "evaluation.sampled_problems=0",
    "evaluation.train_problems=0",
    "resources.shard_problems=64",
    "resources.shard_samples=4",
    "finetune.learning_rate=1e-30",
)


def unpack(home: Path) -> None:
    """Lay the old home there."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(home, filter="data")
    for manifest in (home / "store" / "model").glob("*/manifest.json"):
        shutil.copy(MODELS / "tiny-math" / "model.safetensors", manifest.parent)
