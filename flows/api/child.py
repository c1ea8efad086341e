"""The process of a run that was started from Python: `python -m flows.api.child OUTCOME_FD`.

A line with the configuration as JSON comes in, and what a person sees goes out. The outcome is
written to a pipe, as JSON: the name of the error and its one line; nothing where all went well.
Standard input stays open as long as the parent lives; when it closes, the run is interrupted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from io import FileIO

from flows.api.start import AwaitsReview, failure, start
from flows.config.rest_em import RestEmConfig
from tasks.errors import StepError, UserError
from tasks.terminal import shown, visible


def main() -> None:
    """Run the configuration and say how it ended."""
    outcome = int(sys.argv[1])
    os.set_inheritable(outcome, False)
    # Whoever starts programs in the background of a shell has them ignore the first.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Unbuffered: a thread that waits in a buffered file holds its lock at the end.
    parent = FileIO(0, closefd=False)
    config = RestEmConfig.model_validate_json(parent.readline())
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    if error := _run(config):
        os.write(outcome, json.dumps(error).encode())
        sys.exit(1)


def _run(config: RestEmConfig) -> list[str]:
    """What went wrong: the kind of the error and its text."""
    try:
        with shown():
            start(config)
    except AwaitsReview as error:
        print(visible(str(error)))
    except (UserError, StepError) as error:
        return [type(error).__name__, str(error)]
    except KeyboardInterrupt:
        return [StepError.__name__, "interrupted; resume goes on with it"]
    except Exception as error:
        return [StepError.__name__, failure(error)]
    return []


def _end_with(parent: FileIO) -> None:
    parent.read()
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
