"""A paper's table: its rows as printed, and the data it was taken on. Knows no model."""

import tomllib
from importlib import resources
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from diffava.config import Section
from diffava.errors import RequestError


class PublishedTable(Section):
    """Rows of figures in the order of `metrics`; a figure that the paper does not give is left out with its row."""

    title: str
    source: str
    metrics: Annotated[tuple[str, ...], Field(min_length=1)]
    train_clips: PositiveInt
    validation_clips: PositiveInt
    test_clips: PositiveInt
    clip_s: PositiveFloat
    rows: dict[str, tuple[float, ...]]


def published_table_names() -> tuple[str, ...]:
    """The tables that can be reproduced."""
    entries = resources.files("diffava.reproduction").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))


def published_table(name: str) -> PublishedTable:
    """Read a table.

    Raises:
        RequestError: There is none of that name.
    """
    if name not in published_table_names():
        raise RequestError(f"There is no table '{name}' to reproduce; there are {', '.join(published_table_names())}.")
    text = (resources.files("diffava.reproduction") / f"{name}.toml").read_text("utf-8")
    return PublishedTable.model_validate(tomllib.loads(text))
