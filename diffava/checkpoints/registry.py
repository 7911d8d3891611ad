"""The published checkpoints that DiffAVA can use: where each is, what its files hash to, and what may be done with it.

One file a checkpoint in `published/NAME.toml`, so that adding one touches no other; the keys are the fields below:

    title = "VGGish, AudioSet's 128-d audio features"
    licence = "Apache-2.0"
    commercial_use_allowed = true
    url = "https://zenodo.org/records/123/files"    # what a file's path is put behind; or `hub` and `revision`
    source = "sha256 from the pointer in github.com/owner/name at 0123abc"
    [[files]]
    path = "vggish.pth"
    size_bytes = 288000000    # 0 where no source says it
    sha256 = "..."            # "" where no source says it; `source` must then say so

Knows names and numbers, no network and no tensors.
"""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from diffava.errors import CheckpointError, RequestError

Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
Md5 = Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")]
Purpose = Literal["model", "clap", "video", "evaluation"]

_SAFE_PATH = re.compile(r"[A-Za-z0-9][\w.=+-]*(?:/[A-Za-z0-9][\w.=+-]*)*")  # never absolute, never upwards


class PublishedFile(BaseModel):
    """One file; an empty hash or size is one that no source says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, Field(pattern=rf"^{_SAFE_PATH.pattern}$")]
    size_bytes: NonNegativeInt = 0
    sha256: Sha256 = ""
    md5: Md5 = ""  # what Zenodo says of its files


class Published(BaseModel):
    """One checkpoint.

    Attributes:
        name: What `diffava models pull` calls it: the name of its file.
        title: What it is, in a line.
        purpose: What DiffAVA needs it for.
        licence: In plain words.
        commercial_use_allowed: What the licence says of paid work.
        hub: A repository of the Hugging Face hub; its files go into the hub's own cache.
        revision: The hub's commit, 40 hexadecimal digits, or "main" where no source says one: then the commit that is
            found at the first pull is recorded and used from then on.
        url: Or an https address, of which the files' paths are the ends.
        source: Where hashes and sizes were read, and plainly which of them were found nowhere.
        files: What is pulled, and nothing else of the repository.
        needs: Other checkpoints that are pulled with it, since it is of no use here without them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    purpose: Purpose
    licence: str
    commercial_use_allowed: bool
    hub: Annotated[str, Field(pattern=r"^([\w.-]+/[\w.-]+)?$")] = ""
    revision: Annotated[str, Field(pattern=r"^([0-9a-f]{40}|main)?$")] = ""
    url: Annotated[str, Field(pattern=r"^(https://\S+[^/])?$")] = ""
    source: Annotated[str, Field(min_length=10)]
    files: Annotated[tuple[PublishedFile, ...], Field(min_length=1)]
    needs: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_in_one_place(self) -> "Published":
        if bool(self.hub) == bool(self.url):
            raise ValueError("a checkpoint is in one place: write either hub and revision, or url")
        if bool(self.hub) != bool(self.revision):
            raise ValueError("hub and revision belong together")
        return self

    @property
    def size_bytes(self) -> int:
        """What its files take, as far as sources say."""
        return sum(file.size_bytes for file in self.files)

    @property
    def size_is_known(self) -> bool:
        """Whether every file's size is said."""
        return all(file.size_bytes for file in self.files)

    @property
    def use(self) -> str:
        """The plain words that are said wherever it is named."""
        return "commercial use allowed" if self.commercial_use_allowed else "NOT FOR COMMERCIAL USE"

    def file(self, path: str = "") -> PublishedFile:
        """The file at this path; the only one if none is named.

        Raises:
            RequestError: There is no such file, or there are several to choose from.
        """
        found = [file for file in self.files if file.path == path or (not path and len(self.files) == 1)]
        if not found:
            raise RequestError(
                f"'{self.name}' has no single file '{path}', but {', '.join(file.path for file in self.files)}."
            )
        return found[0]


@cache
def published_names() -> tuple[str, ...]:
    """Every checkpoint in the registry, in alphabetical order."""
    folder = resources.files("diffava") / "checkpoints" / "published"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


@cache
def published(name: str) -> Published:
    """The entry of that name.

    Raises:
        RequestError: There is none.
        CheckpointError: The entry itself is not as this module says.
    """
    if name not in published_names():
        raise RequestError(f"No published checkpoint is called '{name}'. Known: {', '.join(published_names())}.")
    text = (resources.files("diffava") / "checkpoints" / "published" / f"{name}.toml").read_text("utf-8")
    try:
        return Published.model_validate({"name": name, **tomllib.loads(text)})
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise CheckpointError(f"The registry's entry '{name}' is wrong: {error}") from error


def with_needs(name: str) -> tuple[Published, ...]:
    """A checkpoint and everything that it needs, itself first, none twice."""
    found: dict[str, Published] = {}
    waiting = [name]
    while waiting:
        entry = published(waiting.pop(0))
        if entry.name not in found:
            found[entry.name] = entry
            waiting += entry.needs
    return tuple(found.values())
