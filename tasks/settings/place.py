"""A setting that may name a file or a folder: what no file system takes is refused in the form.

Otherwise it would come to light as an error of the system, in the midst of a run.
"""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator

# Of one name in a path, on every file system that we know.
_NAME_BYTES = 255


def possible_place(text: str) -> str:
    """The text itself.

    Raises:
        ValueError: no file system takes it.
    """
    if "\0" in text:
        raise ValueError("expected a place or a name without the character 0")
    longest = max((len(os.fsencode(part)) for part in text.split("/")), default=0)
    if longest > _NAME_BYTES:
        raise ValueError(f"expected names of at most {_NAME_BYTES} bytes in a path, not {longest}")
    if text.startswith("~") and os.path.expanduser(text) == text:
        raise ValueError(f"{text.split('/')[0]!r:.80}: there is no such user; expected ~ or a path")
    return text


Place = Annotated[str, AfterValidator(possible_place)]
