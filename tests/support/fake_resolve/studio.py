"""The program: pages, versions, constants; and `FakeResolve`, by which a test sets it up and looks behind it."""

from fractions import Fraction

from .documented import GIVEN_CONSTANTS, OTHER_CONSTANTS, documented
from .from_otio import timeline_from
from .item import TimelineItem
from .pool import MediaPoolItem
from .project import Project
from .timeline import Timeline, Track
from .world import NotPlayed, Scripted

PAGES = ("media", "photo", "cut", "edit", "fusion", "color", "fairlight", "deliver")


@documented
class Fusion(Scripted):
    """The Fusion object; nothing of it is documented here."""


@documented
class MediaStorage(Scripted):
    """Volumes; not played."""


@documented
class ProjectManager(Scripted):
    """Knows the one open project."""

    def GetCurrentProject(self):
        return self._fake.project

    def SaveProject(self):
        if self._fake.quirks.save_blocks_when_untitled and self._fake.project._name == "Untitled Project":
            raise NotPlayed("SaveProject of a never-saved project, which does not come back")
        return True


@documented
class Resolve(Scripted):
    """What a script finds as `resolve`."""

    def GetProjectManager(self):
        return self._fake.manager

    def GetMediaStorage(self):
        return self._fake.storage

    def Fusion(self):
        return self._fake.fusion

    def GetCurrentPage(self):
        return self._fake.page

    def OpenPage(self, pageName):
        if pageName not in PAGES:
            return False
        if pageName == "deliver" and self._fake.page != "deliver" and self._fake.quirks.deliver_loses_marks:
            self._fake.timeline._marks = {}
        self._fake.page = pageName
        return True

    def GetProductName(self):
        return self._fake.profile.product_name

    def GetVersion(self):
        return list(self._fake.profile.version)

    def GetVersionString(self):
        major, minor, patch, build, suffix = self._fake.profile.version
        return "{}.{}.{}{}.{}".format(major, minor, patch, suffix, build)

    def IsStudio(self):
        return self._fake.profile.is_studio


for _number, _name in enumerate(OTHER_CONSTANTS):
    setattr(Resolve, _name, 100.0 + _number)
for _name, _value in GIVEN_CONSTANTS.items():
    setattr(Resolve, _name, float(_value))


class FakeResolve(object):
    """A running Resolve with one project and one timeline open.

    `rate` is the timeline's, `project_rate` that of the project (the same unless given), `start` the label of the first
    frame as a frame number (one hour unless given). `render` is called with a path and the first and the last absolute
    frame of each render job, and must write the movie.
    """

    def __init__(self, profile, rate=Fraction(24), start=None, drop=False, project_rate=None, render=None, **quirks):
        self.profile = profile
        self.quirks = profile.quirks(**quirks)
        self.asked = set()  # "Class.Name" of everything that a script looked at
        self._count = 0
        self.page = "edit"
        self.project_rate = Fraction(project_rate or rate)
        self._render = render
        self.resolve = Resolve(self)
        self.manager, self.storage, self.fusion = ProjectManager(self), MediaStorage(self), Fusion(self)
        first = start if start is not None else 3600 * -(-Fraction(rate).numerator // Fraction(rate).denominator)
        self.timeline = Timeline(self, "Timeline 1", Fraction(rate), first, drop)
        self.timelines = [self.timeline]
        self.project = Project(self, "A film")

    def new_id(self):
        """An identity that no other object has."""
        self._count += 1
        return "{:08x}".format(self._count)

    def open_otio(self, path):
        """Let the timeline of an .otio be the open one."""
        self.timeline = timeline_from(self, str(path))
        self.timelines.append(self.timeline)
        self.project_rate = self.timeline._rate

    def add_clip(self, kind, track, path, start, duration, first=0, media_rate=None, frames=100000, media_kind=None):
        """Put a clip of a file `start` frames behind the timeline's first frame; tracks are made as needed."""
        rate = Fraction(media_rate or self.timeline._rate)
        kind_of_media = media_kind or ("Audio" if kind == "audio" else "Video")
        media = MediaPoolItem(self, str(path), rate, frames, kind_of_media)
        self.project._pool._root._clips.append(media)
        tracks = self.timeline._tracks[kind]
        while len(tracks) < track:
            tracks.append(
                Track("{} {}".format(kind.capitalize(), len(tracks) + 1), "stereo" if kind == "audio" else "")
            )
        first_frame = self.timeline._start_frame + start
        item = TimelineItem(self, self.timeline, kind, media, first_frame, duration, first)
        tracks[track - 1].add(item)
        return item

    def write_movie(self, path, mark_in, mark_out):
        """What a finished render job leaves."""
        if self._render is None:
            raise NotPlayed("rendering, unless FakeResolve is given a `render`")
        self._render(path, mark_in, mark_out)

    def seen(self):
        """Everything of the timeline and the editor's view that a script could have changed, as plain values."""
        return {
            "page": self.page,
            "marks": {kind: dict(marks) for kind, marks in self.timeline._marks.items()},
            "playhead": self.timeline._playhead,
            "bin": self.project._pool._current._name,
            "timeline": self.timeline._name,
            "markers": {frame: dict(marker) for frame, marker in self.timeline._markers.items()},
            "render": (dict(self.project._render), dict(self.project._format), self.project._mode),
            "presets": sorted(self.project._presets),
            "jobs": [job["JobId"] for job in self.project._jobs],
            "bins": {
                folder._name: [clip._path for clip in folder._clips] for folder in self.project._pool._root._walk()
            },
            "tracks": {
                kind: [_track_seen(track) for track in tracks] for kind, tracks in self.timeline._tracks.items()
            },
        }


def _track_seen(track):
    items = [
        (
            item._unique_id,
            item._name,
            item._start,
            item._duration,
            item._first,
            item._enabled,
            repr(item._markers),
            len(item._takes),
            item._selected,
            item._media._path if item._media is not None else None,
        )
        for item in track.items
    ]
    return (track.name, track.sub_type, track.enabled, track.locked, items)
