"""An engine's child that answers as told, and dies or hangs of certain prompts."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tasks.processes.wire import Message, Wire, answer_requests


def main(wire: Wire) -> None:
    """Each completion is the prompt and its seed."""

    def handle(request: Message, wire: Wire) -> Message:
        if request["model"] == "unloadable":
            os.kill(os.getpid(), signal.SIGKILL)
        prompts, total = request["prompts"], len(request["requests"])
        wire.progress(0, total)
        for i, (prompt, seed) in enumerate(request["requests"]):
            text = prompts[prompt]
            if text.startswith("kill") or request["model"] == "always":
                os.kill(os.getpid(), signal.SIGKILL)
            if text.startswith("hang"):
                Path(text.split()[1]).touch()
                time.sleep(3600)
            if text.startswith("slow"):
                time.sleep(3)
            if text.startswith("once"):
                mark = Path(text.split()[1])
                if not mark.exists():
                    mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            item = [i, f"{text} {seed}", 1, "stop", [seed]]
            wire.write({"progress": [i + 1, total], "items": [item]})
        return {"engine_seconds": 0.5}

    answer_requests(wire, handle)
