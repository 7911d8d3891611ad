"""The running Resolve: its version, its open timeline, and what its settings mean. Changes nothing.

`resolve` is any object with Blackmagic's documented interface: the one inside the program, or a proxy of it over a
pipe. Which calls there are differs by version, and `hasattr` is always true on Resolve's objects: `offers` is how to
ask.
"""

from fractions import Fraction
from typing import Any

from diffava_resolve.errors import TimelineError
from diffava_resolve.spec import Region
from diffava_resolve.timeline.rates import exact_rate, has_drop_frame


def offers(target: Any, name: str) -> bool:
    """Whether this version has a call; on Resolve's own objects an unknown name is None."""
    return callable(getattr(target, name, None))


def setting(target: Any, name: str) -> Any:
    """A setting of the project or a timeline; single ones are deprecated from 21.1 on, where there are all at once."""
    if offers(target, "GetSettings"):
        return (target.GetSettings() or {}).get(name)
    return target.GetSetting(name)


class Program:
    """Resolve with the timeline that is open when this is made; it stays the one that is meant.

    Raises:
        TimelineError: No project or no timeline is open, or its frame rate cannot be understood.
    """

    def __init__(self, resolve: Any) -> None:
        self.resolve = resolve
        manager = resolve.GetProjectManager()
        project = manager.GetCurrentProject() if manager else None
        timeline = project.GetCurrentTimeline() if project else None
        if not project or not timeline:
            raise TimelineError("Resolve has no timeline open; open the one that the sound is for, and try again.")
        self.project, self.timeline, self.pool = project, timeline, project.GetMediaPool()
        self.version = tuple(int(part) for part in (resolve.GetVersion() or [0, 0, 0])[:3])
        self.rate, self.is_drop_frame = self._rate()
        self.label_frame = int(self.timeline.GetStartFrame())
        self.notes: list[str] = []  # what a person must be told of what was done
        self._project_name = self.project.GetName()

    @property
    def name(self) -> str:
        """`DaVinci Resolve Studio 20.3.1`."""
        return " ".join([str(self.resolve.GetProductName() or "DaVinci Resolve"), ".".join(map(str, self.version))])

    def region(self, start_frame: int, stop_frame: int) -> Region:
        """Timeline frames counted from the first one, as everywhere outside Resolve."""
        return Region(self.rate, self.label_frame, start_frame, stop_frame, self.is_drop_frame)

    def check_unchanged(self) -> None:
        """Refuse to go on once another project was opened.

        Raises:
            TimelineError: It was.
        """
        project = self.resolve.GetProjectManager().GetCurrentProject()
        if not project or project.GetName() != self._project_name:
            raise TimelineError(
                f"The project “{self._project_name}” is not open any more; open it and ask for the sound again."
            )

    def _rate(self) -> tuple[Fraction, bool]:
        """The frame rate, said as 23.976, "23.976", "23.98" or "29.97 DF", and whether frame numbers are dropped."""
        said = setting(self.timeline, "timelineFrameRate")
        text = str(said).upper()
        try:
            rate = exact_rate(float(text.replace("DF", "").strip()))
        except ValueError as error:
            raise TimelineError(f"Resolve says a frame rate of {said!r}, which is no number.") from error
        drops = (
            "DF" in text
            or str(setting(self.timeline, "timelineDropFrameTimecode")) in ("1", "True")
            or ";" in str(self.timeline.GetStartTimecode())
        )
        return rate, drops and has_drop_frame(rate)
