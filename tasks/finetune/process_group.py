"""The processes that train together: who is first, and what all must know.

With one process there is no group, and everything here gives back what it got. The first process
(rank 0) alone holds the wire, writes files and samples; what it finds out it tells the others, so
that all take the same turn at each step.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from typing import TypeVar, cast

from tasks.errors import StepError

_T = TypeVar("_T")

# Set by launch.py: other launchers, under which the whole program may run, set the same variables.
TRAIN_GROUP = "RESTEM_TRAIN_GROUP"

# The others wait for as long as the first one samples and checks validation answers. One that
# died is noticed by the launcher, not by this limit.
WAIT = datetime.timedelta(days=2)


class Ranks:
    """This process's place in the group; from the launcher's variables."""

    def __init__(self) -> None:
        """Read RANK and WORLD_SIZE, which torch's launcher sets, if it is ours that did."""
        ours = TRAIN_GROUP in os.environ
        self.index = int(os.environ["RANK"]) if ours else 0
        self.count = int(os.environ["WORLD_SIZE"]) if ours else 1
        self.first = self.index == 0

    def join(self, device: str) -> None:
        """Meet the others. `device` is cpu or cuda."""
        if self.count > 1:
            from accelerate import PartialState
            from accelerate.utils import DistributedType

            state = PartialState(cpu=device == "cpu", timeout=WAIT)
            if device == "cpu" and os.environ.get("ACCELERATE_USE_FSDP") == "true":
                # accelerate splits models on accelerators alone and would quietly take DDP here,
                # though torch splits them on CPU too.
                state.distributed_type = DistributedType.MULTI_GPU

    def leave(self) -> None:
        """End the group, after the last common step."""
        if self.count > 1:
            from torch.distributed import destroy_process_group

            destroy_process_group()

    def tell(self, find: Callable[[], _T]) -> _T:
        """What `find` gives the first process; all must call this at the same point.

        Raises:
            Exception: What `find` raised, in the first process.
            StepError: in the others.
        """
        if self.count == 1:
            return find()
        from torch.distributed import broadcast_object_list

        found: list[object] = [None, False]
        try:
            if self.first:
                found = [find(), True]
        finally:
            broadcast_object_list(found, src=0)
        if not found[1]:
            raise StepError("the first of the training processes failed")
        return cast(_T, found[0])

    def total(self, number: float) -> float:
        """The sum over all processes."""
        return sum(self.gather(number))

    def gather(self, mine: _T) -> list[_T]:
        """What each process has, in their order; all must call this."""
        if self.count == 1:
            return [mine]
        from torch.distributed import all_gather_object

        found = [mine] * self.count
        all_gather_object(found, mine)
        return found

    def meet(self) -> None:
        """Wait until all are here."""
        self.total(0.0)
