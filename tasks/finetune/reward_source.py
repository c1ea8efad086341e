"""Where rl's rewards come from, as the call of a fine-tune has it: in its key and its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tasks.compare.step import JUDGE, judging
from tasks.settings.judge import JudgeSettings
from tasks.store.manifest import ArtifactRef

MODEL = "reward model"


@dataclass(frozen=True)
class RewardSource:
    """A reward model, a judge, or the checker.

    Attributes:
        problems: All problems, questions and references in them.
        model: The reward model.
        judge: Or the model that is asked,
        settings: how,
        engine: and its engine and dtype.
        checking: What decides the checker's verdicts on these problems, in their order.
    """

    by: Literal["checker", "judge", "model"]
    problems: ArtifactRef
    model: ArtifactRef | None = None
    judge: ArtifactRef | None = None
    settings: JudgeSettings | None = None
    engine: Mapping[str, object] = field(default_factory=dict)
    checking: Mapping[str, object] = field(default_factory=dict)

    def keyed(self) -> dict[str, object]:
        """For the key."""
        if self.by == "judge":
            assert self.settings is not None
            return {"by": self.by, "prompt": judging(self.settings)["prompt"], **self.engine}
        return {"by": self.by, **(self.checking if self.by == "checker" else {})}

    def inputs(self) -> dict[str, ArtifactRef]:
        """What else goes into the call."""
        found = {"problems": self.problems}
        if self.by == "model" and self.model is not None:
            found[MODEL] = self.model
        if self.by == "judge" and self.judge is not None:
            found[JUDGE] = self.judge
        return found

    def hints(self) -> dict[str, str]:
        """Where the judge's template lies."""
        return {JUDGE: self.settings.prompt} if self.by == "judge" and self.settings else {}
