"""Several requests at once over one engine's wire, and a watch over its signs of life.

A thread reads what the child says and hands it to whoever asked. A child that serves one request
after another finds the next one in its pipe when it is through; one that serves several at once
(vLLM) mixes them.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable

from sandbox.awake import awake, silent_since
from tasks.errors import StepError, UserError
from tasks.processes.child import Child
from tasks.processes.wire import Message

Heard = Callable[[Message], None]


class Died(Exception):
    """The engine's process ended or hung with a request under way; the message says how."""


class Connection:
    """The parent's end of the wire to one child."""

    def __init__(self, child: Child, stall: float) -> None:
        """Start to listen.

        Args:
            child: Nobody else reads from it.
            stall: Seconds without a sign of life after which it is killed.
        """
        self.child, self._stall = child, stall
        self.spoke = False  # whether it ever said anything: then its model was loaded
        self._heard = self._since = awake()
        self.loading = 0.0  # seconds until it first spoke
        self._ids = itertools.count()
        self._boxes: dict[int, queue.SimpleQueue[Message | None]] = {}
        self._gone = False
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it may be asked."""
        return not self._gone

    def ask(self, request: Message, heard: Heard) -> Message:
        """Send a request and wait for its answer.

        Args:
            request: What is asked.
            heard: Called with each message before the answer.

        Raises:
            UserError: the child found a mistake of the user's.
            StepError: the child reported an error; the message names its log.
            Died: it ended, or gave no sign of life for too long.
        """
        box: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        number = next(self._ids)
        try:
            with self._lock:
                if self._gone:
                    raise BrokenPipeError
                if not self._boxes:
                    self._heard = awake()
                self._boxes[number] = box
                self.child.busy = True
                self.child.send({**request, "id": number})
            while (message := self._next(box)) is not None:
                if "done" in message:
                    return message["done"]
                if message.get("mistake"):
                    raise UserError(message["error"])
                if "error" in message:
                    raise StepError(f"{message['error']} (log: {self.child.log})")
                heard(message)
        except BrokenPipeError:
            pass
        finally:
            with self._lock:
                self._boxes.pop(number, None)
                self.child.busy = bool(self._boxes)
        raise Died(self.child.ending())

    def close(self) -> None:
        """End the child; whoever waits for it gets `Died`."""
        self.child.close()

    def _next(self, box: queue.SimpleQueue[Message | None]) -> Message | None:
        while True:
            left = self._stall - silent_since(self._heard)
            try:
                return box.get(timeout=max(left, 0.01))
            except queue.Empty:
                if silent_since(self._heard) >= self._stall:
                    self.child.close()
                    raise Died(
                        f"no sign of life for {self._stall:.0f} s; log: {self.child.log}"
                    ) from None

    def _listen(self) -> None:
        try:
            while (message := self.child.receive()) is not None:
                self._heard = awake()
                if not self.spoke:
                    self.spoke, self.loading = True, self._heard - self._since
                if (box := self._boxes.get(message.get("id", -1))) is not None:
                    box.put(message)
        except (OSError, ValueError):  # closed by whoever ended the child
            pass
        with self._lock:
            self._gone = True
            for box in self._boxes.values():
                box.put(None)
