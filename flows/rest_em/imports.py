"""Imported samples in the place of a teacher's: what of them a run will not use."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.errors import UserError
from tasks.generate.imported import import_call, import_folder, match
from tasks.rows import ROLLOUTS_FILE, Row
from tasks.settings import IMPORTED


def unused_imports(teacher: str, problems: Sequence[Row], most: int) -> list[str]:
    """What to say of `import:NAME` before anything is paid for; nothing of other teachers.

    Args:
        teacher: `sampling.teacher`.
        problems: Training problems.
        most: Samples of a problem.

    Raises:
        UserError: nothing was imported under the name, or none of it belongs to a problem.
    """
    if not teacher.startswith(IMPORTED):
        return []
    import_call(teacher)
    path = import_folder(teacher.removeprefix(IMPORTED)) / ROLLOUTS_FILE
    found = match(path, problems, most)
    if not found.problems:
        raise UserError(
            f"sampling.teacher: {teacher}: none of its {found.rollouts:,} rollouts has the id or "
            "the question of a training problem"
        )
    said = [
        (found.rollouts - found.matched, "rollouts belong to no training problem"),
        (found.beyond, f"rollouts are beyond sampling.samples = {most} of their problem"),
        (len(problems) - found.problems, "training problems have no rollout"),
    ]
    return [f"{teacher}: {count:,} {what}" for count, what in said if count]
