"""What a set of shards asks for and what became of it: plain data of the sampler."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.score.rewards import Rewards
from tasks.store.store import ArtifactRef

GREEDY: dict[str, object] = {"temperature": 0.0, "top_k": 0, "top_p": 1.0}
Scored = tuple[ArtifactRef, ArtifactRef]  # samples and their verdicts


@dataclass
class Shards:
    """Samples and verdicts of one set of problems by one policy, in the order of the problems."""

    parts: list[list[Scored]] = field(default_factory=list)

    @property
    def samples(self) -> list[ArtifactRef]:
        """Of each shard, the samples."""
        return [sample for part in self.parts for sample, _ in part]

    @property
    def verdicts(self) -> list[ArtifactRef]:
        """Of each shard, the verdicts."""
        return [verdict for part in self.parts for _, verdict in part]


@dataclass(frozen=True)
class Draw:
    """How samples are drawn: what changes them, and no more.

    Attributes:
        sampling: temperature, top_k, top_p, max_tokens.
        seed: Of the samples; each has its own made from it.
        shots: Exemplars in the prompt.
        samples: For each problem.
        enough: Stop with a problem after the block that brings so many correct samples; 0: never.
        hard_samples: For each problem without a correct one among the first `samples`; 0: off.
        score: The checker's reward, as in FilterSettings.
        rewards: In its place, where it is not the checker's alone.
        hosted: A hosted model draws them.
        system: System text that it gets.
        without: Ids of problems that are not sampled.
        fields: That its service takes beside those of the protocol.
    """

    sampling: dict[str, object]
    seed: int
    shots: int
    samples: int = 1
    enough: int = 0
    hard_samples: int = 0
    score: str = "correct"
    rewards: Rewards | None = None
    hosted: bool = False
    system: str = ""
    without: frozenset[str] = frozenset()
    fields: tuple[str, ...] = ()

    @property
    def adaptive(self) -> bool:
        """Whether verdicts decide how many samples a problem gets."""
        return bool(self.enough or self.hard_samples)

    @property
    def whole(self) -> bool:
        """Whether a sample is scored when all samples of its problem are there."""
        return self.rewards is not None and self.rewards.asks_for("samples")

    def goes_on(self, drawn: int, correct: int) -> bool:
        """Whether a problem with so many samples and correct ones gets further ones."""
        if drawn >= self.samples:
            return drawn < self.hard_samples and correct == 0
        return not self.enough or correct < self.enough
