"""Every setting as a file that `diffava serve --config` reads, with what it is and where its value came from."""

import json
from pathlib import Path
from typing import Any

from diffava_server.config import ServerConfig


def settings_text(config: ServerConfig, origins: dict[str, str]) -> str:
    """TOML, a line a setting; one that has no value is commented out.

    Args:
        config: The settings.
        origins: Where those came from that are not defaults, by name.
    """
    return "\n".join(_lines(config, origins)) + "\n"


def _lines(config: ServerConfig, origins: dict[str, str]) -> list[str]:
    lines = []
    for name, field in ServerConfig.model_fields.items():
        if field.description:
            lines.append(f"# {field.description}")
        value = getattr(config, name)
        origin = f"  # {origins[name]}" if name in origins else ""
        lines.append(f"# {name} =" if value is None else f"{name} = {_toml(value)}{origin}")
    return lines


def _toml(value: Any) -> str:
    # Strings, numbers, booleans and lists of strings are written in TOML as in JSON.
    if isinstance(value, Path):
        return json.dumps(str(value))
    return json.dumps(list(value) if isinstance(value, tuple) else value)
