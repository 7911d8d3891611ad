"""What was changed in Resolve, so that all of it can be taken back: Resolve has no undo for scripts."""

from collections.abc import Callable


class Steps:
    """Each step with how to take it back, which says whether it is gone; last first."""

    def __init__(self) -> None:
        self._back: list[tuple[str, Callable[[], bool]]] = []

    def done(self, what: str, back: Callable[[], bool]) -> None:
        """Remember a step: `what` names for a person what would be left."""
        self._back.append((what, back))

    def take_back(self) -> tuple[str, ...]:
        """Take all steps back, whatever happens to single ones; what is left is named."""
        left = []
        while self._back:
            what, back = self._back.pop()
            try:
                gone = back()
            except Exception:  # whatever Resolve or the pipe to it raises, the other steps are still to be taken back
                gone = False
            if not gone:
                left.append(what)
        return tuple(left)
