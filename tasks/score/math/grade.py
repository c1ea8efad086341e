"""`grade`: one answer against its reference; what is symbolic is compared in a worker process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tasks.dag.contracts import Grade
from tasks.score.math.decide import decide
from tasks.score.math.limits import GRADE_SECONDS

if TYPE_CHECKING:
    from tasks.score.math.pool import GradePool

_pool_lock = threading.Lock()
_pool: GradePool | None = None


def grade(gold: str, prediction: str) -> Grade:
    """Compare one prediction with its reference; each may be a bare answer or a whole solution.

    Safe on hostile text, from any thread. Symbolic work is done by one background process that is
    started when first needed and ends with this one; for many pairs use `pool.GradePool`.
    """
    decided = decide(gold, prediction)
    if decided is not None:
        return decided
    return next(iter(_shared_pool().grade([(gold, prediction)])))[0]


def _shared_pool() -> GradePool:
    """The one background checker of `grade`; its process ends at end of file with this one."""
    global _pool
    from tasks.score.math.pool import GradePool

    with _pool_lock:
        if _pool is None:
            _pool = GradePool(workers=1, time_limit=GRADE_SECONDS)
        return _pool
