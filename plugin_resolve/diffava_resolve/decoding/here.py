"""What reading code says of itself to the process it runs in; in any other process nobody listens."""

from pathlib import Path


class Watch:
    """Is told, and does nothing."""

    def reads(self, path: Path) -> None:
        """From now on this file is read: it is to blame for what happens."""

    def allow_pixels(self, pixel_count: int) -> None:
        """Pictures of so many pixels were found to be allowed: the memory that they need may be taken."""

    def goes_on(self) -> None:
        """One more picture is done: the time for the next begins."""


_watch = Watch()


def tell(watch: Watch) -> None:
    """From now on tell `watch`."""
    global _watch  # noqa: PLW0603  a process has one parent
    _watch = watch


def reads(path: Path) -> None:
    """See `Watch.reads`."""
    _watch.reads(path)


def allow_pixels(pixel_count: int) -> None:
    """See `Watch.allow_pixels`."""
    _watch.allow_pixels(pixel_count)


def goes_on() -> None:
    """See `Watch.goes_on`."""
    _watch.goes_on()
