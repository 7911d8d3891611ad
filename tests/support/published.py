"""Entries of the registry of published checkpoints, made up for a test."""

from typing import Any

from diffava.checkpoints.registry import Published


def made_up_entry(name: str, files: list[str], **changes: Any) -> Published:
    """A checkpoint with these files, free to use, at an address that nobody asks."""
    values = {
        "name": name,
        "title": "made up",
        "purpose": "model",
        "licence": "none",
        "commercial_use_allowed": True,
        "url": "https://example.org",
        "source": "made up for this test",
        "files": [{"path": path} for path in files],
    }
    return Published.model_validate(values | changes)
