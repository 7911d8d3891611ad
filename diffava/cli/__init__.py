"""The command `diffava`."""

from diffava.cli.command import main, run

__all__ = ["main", "run"]
