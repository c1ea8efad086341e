"""Make models/tiny-code, the base policy of the code demo: `python make_tiny_code.py`.

Pre-trained (models/pretraining.py) on an endless stream of problems of `synthetic_code`, each with
a program. As in text that people write, programs come in several ways and are not always right.
Whoever writes one is *careful* (a statement for each operation), *brisk* (one expression, right) or
*hasty*: one expression too, but written down as the question reads, without the parentheses that
it needs (`a+3*b` for "a plus 3, times b"), or for lists with the first operation outermost. Which
of them is chance, whatever the question; and each operation goes wrong with probability SLIP, for
another one or another number.

So the likeliest way to begin, which greedy decoding takes, is the one expression, and most of those
are wrong, while sampling comes upon right programs in every way. Nothing else is done to the model:
what the loop then gains, it gains from its own samples.

Every problem is drawn from the `corpus` share of tasks (tasks/problems/synthetic_code.py), which
holds neither test problems nor the training problems of the loop.

Takes some minutes on one core. The same machine and versions give the same bytes.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from models.pretraining import Plan, Text, make
from tasks.problems import synthetic_code as problems
from tasks.problems.synthetic_code_tasks import (
    TABLES,
    CodeStep,
    CodeTask,
    as_read,
    at_once,
    stepwise,
)

SEED = 0
PLAN = Plan(steps=1800, seed=SEED)
# How programs are written: hasty, brisk, careful.
WAYS = {as_read: 0.5, at_once: 0.24, stepwise: 0.26}
SLIP = 0.15
# Words, digits and signs are never merged with each other; every digit stands alone.
PIECES = r" ?[A-Za-z]+|//|==|, |\d|[^\w]|."


def slipped(rng: random.Random, task: CodeTask) -> CodeTask:
    """The task as somebody takes it who slips now and then."""
    steps = []
    for step in task.steps:
        table = TABLES[task.kind]
        if rng.random() < SLIP:
            if step.operand.isdigit() and rng.random() < 0.5:
                step = replace(step, operand=str(max(2, int(step.operand) + rng.choice((-1, 1)))))
            else:
                like = [n for n, o in table.items() if o.ends == table[step.name].ends]
                name = rng.choice([n for n in like if table[n].operand == bool(step.operand)])
                step = CodeStep(name, step.operand)
        steps.append(step)
    return replace(task, steps=tuple(steps))


def solved(rng: random.Random, row: problems.CodeProblem) -> Text:
    """A problem with a program as somebody might write it."""
    (write,) = rng.choices(list(WAYS), list(WAYS.values()))
    return f"Q: {row.question}\nA:\n", write(slipped(rng, row.task))


def corpus(seed: int = SEED) -> Iterator[Text]:
    """The text of the pre-training, without end."""
    rng = random.Random(f"tiny-code/{seed}")
    return (solved(rng, row) for row in problems.code_stream("corpus", seed=seed))


def vocabulary() -> Iterator[str]:
    """Text that has every word."""
    return ("".join(text) for text in itertools.islice(corpus(), 4000))


if __name__ == "__main__":
    make(Path(__file__).parent / "tiny-code", corpus, vocabulary(), PIECES, PLAN)
