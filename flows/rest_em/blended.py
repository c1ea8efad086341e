"""The policy that an iteration goes on with, where it is a blend (`finetune.blend`)."""

from __future__ import annotations

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import GREEDY, Draw, Shards
from tasks.dag.step_names import BLEND
from tasks.finetune.blend import blend_call
from tasks.rows import VERDICTS_FILE, read_rows
from tasks.store.store import ArtifactRef

# What the samples are for by which a share is chosen.
_PURPOSE = "blend"


def blended(
    number: int,
    config: RestEmConfig,
    caller: Caller,
    sampler: Sampler,
    tuned: ArtifactRef,
    other: ArtifactRef,
    shots: int,
) -> ArtifactRef:
    """The blend with the highest validation reward; of equals the one with most of `tuned`.

    Args:
        number: Of the policy, for labels.
        config: Of the run.
        caller: Calls the steps.
        sampler: Samples the validation problems.
        tuned: The fine-tuned policy.
        other: What it is blended with.
        shots: Exemplars in its prompts.
    """
    shares = config.finetune.blend
    if not shares:
        return tuned
    made = {share: _blend(number, caller, tuned, other, share) for share in shares}
    if len(shares) == 1:
        return made[shares[0]]
    draw = Draw({**GREEDY, "max_tokens": config.sampling.max_tokens}, 0, shots)
    found: dict[float, float] = {}
    for share, policy in made.items():
        drawn = sampler.shards(number, f"{_PURPOSE} {share:g}", policy, "validation", draw)
        found[share] = _reward(caller, drawn)
    best = max(shares, key=lambda share: (found[share], share))
    return _blend(number, caller, tuned, other, best)  # its line is the last: it is the policy


def _blend(
    number: int, caller: Caller, tuned: ArtifactRef, other: ArtifactRef, share: float
) -> ArtifactRef:
    if share == 1.0:
        return tuned
    call = blend_call(f"{BLEND} {number} {share:g}", tuned, other, share)
    return caller.call(call, number, BLEND)


def _reward(caller: Caller, drawn: Shards) -> float:
    """The mean reward, in [0, 1]; 0 where nobody knows it yet."""
    if any(caller.pending(ref) for ref in drawn.verdicts):
        return 0.0
    paths = [caller.store.path(ref) / VERDICTS_FILE for ref in drawn.verdicts]
    rewards = [row["reward"] for path in paths for row in read_rows(path, ["reward"])]
    return sum(rewards) / len(rewards) if rewards else 0.0
