"""The small demo: a demo with every step in it and several shards a step, in half a minute of work.

Tests and benches start it as changes of a shipped demo (`restem demo --set ...`), so that the verb,
the run ids and the keys are those that people see; and the same changes make the code demo small.
"""

from __future__ import annotations

SMALL = (
    "iterations=2",
    "data.train_limit=192",
    "data.test_limit=128",
    "data.validation=64",
    "sampling.samples=8",
    "evaluation.samples=4",
    "evaluation.pass_k=[1,4]",
    "evaluation.majority=[4]",
    "evaluation.sampled_problems=64",
    "evaluation.train_problems=64",
    "resources.shard_problems=64",
    "resources.shard_samples=4",
    "resources.checkpoint_minutes=0.05",
)

# One iteration of fewer problems, in half the work; two shards of samples to train on.
TINY = (*SMALL, "iterations=1", "data.train_limit=64", "data.test_limit=64", "data.validation=0")

# As few problems and samples as a whole run can have, for runs in the test's own process: what
# passes between the steps counts there, and no figure does.
SMALLEST = (
    "data.train_limit=24",
    "data.test_limit=8",
    "data.validation=4",
    "sampling.samples=4",
    "evaluation.samples=1",
    "evaluation.pass_k=[1]",
    "evaluation.majority=[]",
    "evaluation.sampled_problems=4",
    "finetune.checks=0",
)
