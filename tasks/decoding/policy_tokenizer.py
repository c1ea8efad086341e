"""The tokenizer of a policy, read once in a process."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

_loading = threading.Lock()


def policy_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer in a policy's folder."""
    with _loading:  # transformers is imported here, which two threads must not do at once
        return _read(str(folder))


@lru_cache(maxsize=4)
def _read(folder: str) -> Tokenizer:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
