"""The same model in vLLM's CPU build: equal greedy texts, or why not."""

from __future__ import annotations

from pathlib import Path

from bench.families import _checks as checks

EQUAL = "equal"


def compared(folder: Path, log: Path) -> str:
    """`equal`, `differs`, or `no` where vLLM does not load the model.

    Args:
        folder: With a model and its tokenizer.
        log: For vLLM's output.

    Raises:
        UserError: there is no vLLM.
    """
    from tasks.dag.runtime import home
    from tasks.decoding.request import Sampling
    from tasks.errors import StepError
    from tasks.generate.engine import open_engine
    from tasks.settings import Resources

    asked = checks.prompts()
    resources = Resources(device="cpu", threads=1, batch_size=8, cpu_cache_gb=0.25)
    engine = open_engine("vllm", folder, resources=resources, dtype="float32", log=log, home=home())
    try:
        sampling = Sampling(temperature=0.0, max_tokens=checks.NEW_TOKENS)
        found = engine.sample(asked, [(i, 0) for i in range(len(asked))], sampling)
    except StepError:
        return "no"
    finally:
        engine.close()
    same = [one.text for one in found] == checks.sampled(checks.load(folder), asked)
    return EQUAL if same else "differs"
