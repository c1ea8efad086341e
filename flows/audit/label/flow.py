"""`restem label`: a person labels pairs of a run's samples on a page of this machine.

    draw the run's pairs -> show one -> write the label -> show the next

| part       | does                                                  |
|------------|-------------------------------------------------------|
| pairs.py   | which pairs, and what the run's own labellers said     |
| labels.py  | the file of labels                                    |
| session.py | what is next for a person, and who agrees with whom   |
| server.py  | the page's server, and who may ask it                 |
| assets/    | the page                                              |

Not covered: people on other machines, and answers that are more than text.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path

from flows.audit.label.labels import LabelFile
from flows.audit.label.pairs import pairs_of_run
from flows.audit.label.server import label_server
from flows.audit.label.session import LabelState, Session
from flows.runs.journal import find_run
from flows.server.access import derived, home_secret
from flows.server.limited_http import LimitedServer
from tasks.errors import UserError

LABELS_FILE = "labels.jsonl"
DEFAULT_PAIRS = 100
DEFAULT_PORT = 4210
_NAME_CHARACTERS = 60


@dataclass(frozen=True)
class LabelOptions:
    """What a person may choose.

    Attributes:
        iteration: Number of the policy that drew the samples; None: the last that did.
        pairs: Most pairs; 0: all.
        person: Who labels; empty: the user of this machine.
        out: The file of labels; None: labels.jsonl in the run's folder.
    """

    iteration: int | None = None
    pairs: int = DEFAULT_PAIRS
    person: str = ""
    out: Path | None = None


@dataclass(frozen=True)
class Labelling:
    """A person who is about to label, and the file that it goes to."""

    run: str
    file: Path
    session: Session

    def serve(self, port: int) -> tuple[LimitedServer, str]:
        """A server that is ready to serve, and the link that opens its page.

        The link is the same for a run each time, so a page that is open goes on.

        Raises:
            UserError: the port is taken.
        """
        token = derived(home_secret(), f"label {self.run}")
        server = label_server(port, token, self.session)
        return server, f"http://127.0.0.1:{server.server_address[1]}/#{token}"


def open_labelling(run: str, options: LabelOptions) -> Labelling:
    """Find a run's pairs and its labels.

    Raises:
        UserError: the run, an artifact of it, the person's name or the file is not as expected.
    """
    person = _person(options.person)
    asked = pairs_of_run(run, options.iteration, options.pairs)
    folder = find_run(asked.run)
    file = LabelFile((options.out or folder / LABELS_FILE).expanduser())
    file.check()
    return Labelling(asked.run, file.path, Session(asked, file, person))


def _person(name: str) -> str:
    try:
        found = name.strip() or getpass.getuser()
    except (KeyError, OSError):
        raise UserError("--person: this machine does not know you; expected your name") from None
    if not found.isprintable() or len(found) > _NAME_CHARACTERS:
        raise UserError(f"--person: expected a name of at most {_NAME_CHARACTERS} characters")
    return found


def state_lines(state: LabelState, file: Path) -> list[str]:
    """What a person is told at the end."""
    skipped = f", {state.skipped} skipped" if state.skipped else ""
    return [
        f"{state.person}: {state.labelled} of {state.pairs} pairs labelled{skipped}",
        f"labels: {file}",
    ]
