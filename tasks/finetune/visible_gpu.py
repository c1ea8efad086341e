"""Which GPU a trainer of one process uses, of those that it was given."""

from __future__ import annotations


def one_gpu(seen: str | None) -> str:
    """The one GPU of a trainer of one process, as CUDA_VISIBLE_DEVICES names it.

    TRL refuses to spread a model over GPUs by itself, and so do we.

    Args:
        seen: What this process may use: numbers or names with commas, as Slurm, Ray or a person
            set it; None: all there are.
    """
    return "0" if seen is None else seen.split(",")[0].strip()
