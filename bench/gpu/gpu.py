"""`restem bench gpu OUT [STEPS...] [cpu-small]`: what only a GPU can show, in about 6 minutes.

Needs torch, transformers, accelerate, peft, trl, datasets and pydantic; no Prefect, no vLLM and no
network. docs/gpu.md says what each line of the result means.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from tasks.errors import UserError

# All of it; steps that are not begun by then are not run.
SECONDS = 420.0
SMALL_WORDS = ("--cpu-small", "cpu-small")


def run(*options: str) -> bool:
    """Run the steps and print the lines of the result.

    Args:
        options: The file to write, then names of steps (none: all), `seconds=N`, and `cpu-small`
            for shapes that two cores can do.

    Returns:
        Whether no step failed.

    Raises:
        UserError: there is no such step, or no file was named.
    """
    from bench.gpu._drive import Asked, measure
    from bench.gpu._steps import STEPS

    words = [one for one in options if one not in SMALL_WORDS]
    limits = [one for one in words if one.startswith("seconds=")]
    words = [one for one in words if one not in limits]
    if not words or words[0] in STEPS:
        raise UserError("OUT: expected the file to write first, such as gpu.jsonl")
    out, *steps = words
    for step in steps:
        if step not in STEPS:
            raise UserError(f"STEP {step}: expected one of: {', '.join(STEPS)}")
    try:
        seconds = float(limits[-1].partition("=")[2]) if limits else SECONDS
    except ValueError:
        raise UserError(f"{limits[-1]}: expected a number of seconds") from None
    path = Path(out).absolute()
    if not path.parent.is_dir():
        raise UserError(f"OUT {out}: expected a file in a folder that is there")
    small = len(words) + len(limits) < len(options)
    path.touch()
    with path.open("rb") as lines:
        lines.seek(0, os.SEEK_END)

        def told() -> None:
            for line in lines:
                print(_readable(json.loads(line)), flush=True)

        return measure(Asked(path, steps or list(STEPS), small, seconds, told))


def _readable(line: dict[str, object]) -> str:
    head = f"{line.pop('at')!s:>6} {line.pop('step'):10} {line.pop('case'):34}"
    trace = line.pop("trace", None)
    text = " ".join(f"{name}={value}" for name, value in line.items())
    return "\n".join([f"{head} {text}", *(f"{'':18} | {one}" for one in _list(trace))])


def _list(trace: object) -> list[object]:
    return trace if isinstance(trace, list) else []
