"""`restem init FOLDER`: a small project of one's own that runs as it stands.

Its files lie in flows/api/project: a configuration, problems, a prompt template, a reward, and a
README with the commands.
"""

from __future__ import annotations

from pathlib import Path

from tasks.errors import UserError

CONFIG = "restem.toml"
_FILES = Path(__file__).with_name("project")
FILES = ("README.md", CONFIG, "problems.csv", "prompt.toml", "reward.py")


def new_project(folder: Path) -> list[Path]:
    """Write the project and return its files.

    Args:
        folder: A new or an empty one; folders above it are made.

    Raises:
        UserError: it is not empty, no folder, or cannot be written; then nothing is written.
    """
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"{folder}: it is not empty; expected a new or an empty folder")
        for name in FILES:
            text = (_FILES / name).read_text(encoding="utf-8")
            with (folder / name).open("x", encoding="utf-8", newline="") as file:
                written.append(folder / name)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise UserError(f"{folder}: {why}; expected a folder that can be written") from None
    return written
