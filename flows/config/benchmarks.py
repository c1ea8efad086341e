"""The benchmarks of `restem evaluate`: which problems, which prompt, how long an answer may be.

Each is a data set with the protocol that it is usually reported with; where the paper (Singh et
al., arXiv 2312.06585, section 5) names one, that is taken.

Not covered: benchmarks of one's own; `sources` and `prompts` of the configuration change these.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.settings import BenchmarkName, DataSet, domain_of

# One word for both ways of asking, as the paper reports them.
GROUPS: dict[str, list[BenchmarkName]] = {"bbh": ["bbh-cot", "bbh-direct"]}


@dataclass(frozen=True)
class Benchmark:
    """The protocol of one benchmark.

    Attributes:
        data: Data set whose test split is used.
        prompt: Template, with its exemplars.
        max_tokens: Longest solution.
        by_hand: Answers that no checker knows: samples are exported for grading.
        temperature: Of the one sample of a benchmark graded by hand; 0: greedy.
    """

    data: DataSet
    prompt: str
    max_tokens: int
    by_hand: bool = False
    temperature: float = 0.0

    @property
    def code(self) -> bool:
        """Whether programs have to be run."""
        return domain_of(self.data) == "code"

    @property
    def vote(self) -> bool:
        """Whether a majority vote means something: answers can be equal, programs are not."""
        return not self.code and not self.by_hand

    @property
    def first(self) -> dict[str, object]:
        """How the one solution of each problem is drawn."""
        return {"temperature": self.temperature, "top_k": 0, "top_p": 1.0}


BENCHMARKS: dict[BenchmarkName, Benchmark] = {
    "math": Benchmark("math", "math", 768),
    "math500": Benchmark("math500", "math", 768),
    "gsm8k": Benchmark("gsm8k", "gsm8k", 320),
    "svamp": Benchmark("svamp", "svamp", 160),
    "svamp_code": Benchmark("svamp_code", "svamp_code", 64),
    # 164 functions; the longest reference body has about 250 tokens.
    "humaneval": Benchmark("humaneval", "humaneval", 512),
    "apps": Benchmark("apps", "apps", 1024),
    "bbh-cot": Benchmark("bbh", "bbh_cot", 512),
    "bbh-direct": Benchmark("bbh", "bbh_direct", 64),
    # Paper, figure 10: one exemplar, temperature 0.1, graded by hand.
    "hungarian": Benchmark("hungarian", "hungarian", 1024, True, 0.1),
    "synthetic_math": Benchmark("synthetic_math", "tiny_math", 64),
    "synthetic_code": Benchmark("synthetic_code", "synthetic_code", 160),
    "synthetic_sums": Benchmark("synthetic_sums", "tiny_sums", 8),
    "synthetic_math_shift": Benchmark("synthetic_math_shift", "tiny_math", 64),
    "synthetic_code_shift": Benchmark("synthetic_code_shift", "synthetic_code", 160),
    "synthetic_notes": Benchmark("synthetic_notes", "notes", 48),
}
