"""Pushes an exported folder to the Hugging Face Hub through huggingface_hub.

The token is the library's affair: HF_TOKEN, or what `hf auth login` kept. It is in no message here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from flows.api.export.folder import Mark
from tasks.errors import StepError, UserError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# The library speaks HTTP with the one or the other, by its version.
_HTTP = ("httpx", "httpx2")
# What the Hub itself puts into a new repository.
_ITS_OWN = {".gitattributes"}


def check_name(name: str) -> None:
    """See that a name may be one of the Hub's, before anything is made for it.

    Raises:
        UserError: it may not.
    """
    from huggingface_hub.utils import validate_repo_id

    with _plainly(name):
        validate_repo_id(name)


def push(folder: Path, name: str, kind: Literal["model", "dataset"], private: bool) -> str:
    """Upload a sealed folder in one commit; files of an earlier export of the same thing go.

    Args:
        folder: With its mark.
        name: ORGANISATION/NAME, or NAME for one of the user's own.
        kind: Of the repository.
        private: Of a repository that is made here.

    Returns:
        Its address.

    Raises:
        UserError: no token, no right, or the repository holds something else.
        StepError: the Hub does not answer.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars

    if not are_progress_bars_disabled():
        disable_progress_bars()
    api = HfApi()
    with _plainly(name):
        repo = api.create_repo(name, repo_type=kind, private=private, exist_ok=True)
        _may_push(api, repo.repo_id, kind, Mark.read(folder))
        api.upload_folder(
            repo_id=repo.repo_id,
            repo_type=kind,
            folder_path=folder,
            delete_patterns="*",
            commit_message=f"{Mark.read(folder).named()}, by restem",
        )
    return str(repo)


def _may_push(api: HfApi, name: str, kind: str, mark: Mark) -> None:
    """See that nothing of somebody else's is lost."""
    files = set(api.list_repo_files(name, repo_type=kind)) - _ITS_OWN
    if not files:
        return
    if Mark.FILE not in files:
        raise UserError(
            f"--to hub:{name}: it is there and is no export; expected a new or empty repository"
        )
    with tempfile.TemporaryDirectory() as place:
        api.hf_hub_download(name, Mark.FILE, repo_type=kind, local_dir=place, force_download=True)
        there = Mark.read(Path(place))
    if not there.same(mark):
        raise UserError(
            f"--to hub:{name}: it holds the {there.named()}; expected a new repository, or an "
            f"earlier export of the {mark.named()}"
        )


@contextmanager
def _plainly(name: str) -> Iterator[None]:
    """What went wrong, in a line; the library's messages may hold addresses with parameters."""
    from huggingface_hub import errors

    place = f"--to hub:{name}"
    try:
        yield
    except errors.HFValidationError:
        raise UserError(f"{place}: expected hub:NAME or hub:ORGANISATION/NAME") from None
    except errors.LocalTokenNotFoundError:
        raise UserError(f"{place}: no token; expected HF_TOKEN, or `hf auth login`") from None
    except errors.OfflineModeIsEnabled:
        raise UserError(f"{place}: HF_HUB_OFFLINE is set; expected a folder") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise UserError(
                f"{place}: the Hub refused (status {status}); expected HF_TOKEN, or `hf auth "
                "login`, with the right to write there"
            ) from None
        raise StepError(f"{place}: the Hub answered with status {status}") from None
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in _HTTP:
            raise
        raise StepError(
            f"{place}: the Hub was not reached ({type(error).__name__}); the same command pushes "
            "again"
        ) from None
