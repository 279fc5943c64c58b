"""Downloads models and data sets from the Hugging Face hub into its own cache, or finds them there.

Turns the hub's many exceptions into one sentence and what to do. Knows repositories, not what they are for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.types import ModelCard

MODEL_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.tiktoken")
"""What the engines read; not the same weights a second time in another format."""
CODE_FILES = ("*.py",)
COMMIT = re.compile("[0-9a-f]{40}")
SCALE_SAID = "+image-rows="
"""What a card's revision goes on with where --image-scale was given: the same files, read in another way."""


def pinned(card: ModelCard, *, offline: bool = False) -> ModelCard:
    """`card` at the commit that its revision names now, so that a branch that moves on is another model.

    A hub that cannot be reached leaves it to the cache. Raises what `snapshot` raises.
    """
    if card.kind != "hub" or COMMIT.fullmatch(card.revision):
        return card
    # The path of a snapshot ends in its commit.
    found = snapshot(card.location, kind="model", revision=card.revision, files=("config.json",), offline=offline)
    return replace(card, revision=found.name)


def pinned_if_here(card: ModelCard) -> ModelCard:
    """`card` at the commit in the cache; as it is where there is none. Never asks the hub."""
    try:
        return pinned(card, offline=True)
    except TvbenchError:
        return card


def model_folder(card: ModelCard, *, offline: bool = False) -> Path:
    """The local snapshot of a hub model, downloaded if it has to be. Raises what `snapshot` raises."""
    files = MODEL_FILES + CODE_FILES if needs_remote_code(card) else MODEL_FILES
    revision = stored_revision(card)
    return snapshot(card.location, kind="model", revision=revision, files=files, offline=offline)


def stored_revision(card: ModelCard) -> str:
    """The revision by which the model's files are found: what a person said of them left out."""
    return card.revision.partition(SCALE_SAID)[0]


def needs_remote_code(card: ModelCard) -> bool:
    """Whether the card says that the model cannot be loaded without running code from its own repository."""
    return bool(card.chat.get("needs_remote_code", False))


def is_offline(asked: bool) -> bool:
    """Whether the hub must not be asked: on request, or by HF_HUB_OFFLINE as the hub's own library has it."""
    return asked or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def snapshot(
    repo: str,
    *,
    kind: Literal["model", "dataset"],
    revision: str | None = None,
    files: Sequence[str] | None = None,
    offline: bool = False,
) -> Path:
    """The folder that holds `repo` at `revision`; `files` are patterns (None: all files).

    Raises UsageError for a repository or revision that does not exist or asks for consent, TvbenchError when the
    hub cannot be reached or the disk is full, EngineError when offline and not in the cache.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    offline = is_offline(offline)
    try:
        found = snapshot_download(
            repo,
            repo_type=kind,
            revision=revision,
            allow_patterns=list(files) if files else None,
            local_files_only=offline,
        )
    except HFValidationError as error:
        raise UsageError(f"{repo} is not the name of a {kind} on the hub", "names are of the form org/name") from error
    except LocalEntryNotFoundError as error:
        raise _not_here(repo, kind, error, offline=offline) from error
    except HfHubHTTPError as error:
        raise _refused(repo, kind, revision, error) from error
    except Exception as error:  # a mirror may answer anything, and the library raises anything
        raise TvbenchError(
            f"cannot download {kind} {repo}: {_words(error)}",
            "is the network there, and room on the disk? HF_ENDPOINT names a mirror",
        ) from error
    return Path(found)


def _not_here(repo: str, kind: str, error: Exception, *, offline: bool) -> TvbenchError:
    option, given = ("--model", "") if kind == "model" else ("--tasks", ", or give a local copy: --data DIR")
    if offline:
        return EngineError(
            f"{kind} {repo} is not on this machine, and the hub may not be asked (offline)",
            f"run `tvbench fetch {option} ...` where there is a network (cache: HF_HOME), "
            f"or unset --offline and HF_HUB_OFFLINE{given}",
        )
    return TvbenchError(
        f"cannot reach the hub for {kind} {repo}: {_words(error.__cause__ or error)}",
        "is the network there? HF_ENDPOINT names a mirror",
    )


def _refused(repo: str, kind: str, revision: str | None, error: Exception) -> TvbenchError:
    """What an HTTP answer of the hub means. The most special of the library's classes comes first."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repo}"
    if isinstance(error, GatedRepoError):
        return UsageError(f"{kind} {repo} asks for consent to its terms", f"accept them at {page}, `hf auth login`")
    if isinstance(error, RevisionNotFoundError):
        return UsageError(f"{kind} {repo} has no revision '{revision}'", f"see {page}/commits/main")
    if isinstance(error, RepositoryNotFoundError):
        return UsageError(
            f"the hub has no {kind} {repo} (and there is no folder of that name), or it is private",
            "check the spelling; for a private one `hf auth login`",
        )
    return TvbenchError(f"the hub refused {kind} {repo}: {_words(error)}", "try again later")


def _words(error: BaseException) -> str:
    """What went wrong, on one line of bearable length, without the token: a mirror may repeat it."""
    from huggingface_hub import get_token

    lines = str(error).replace(get_token() or "\0", "***").splitlines()
    words = lines[0][:300] if lines else ""
    return words if isinstance(error, OSError) and words else f"{type(error).__name__}: {words}".rstrip(": ")
