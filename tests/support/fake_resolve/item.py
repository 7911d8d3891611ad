"""A clip on the timeline."""

from fractions import Fraction

from .documented import documented
from .markers import Marked
from .world import Scripted


@documented
class TimelineItem(Marked, Scripted):
    """Absolute frames `[start, start + duration)`; `first` is the source's first frame, at the media's rate."""

    def __init__(self, fake, timeline, kind, media, start, duration, first=0, name=None, raw=None):
        Scripted.__init__(self, fake)
        self._timeline = timeline
        self._kind = kind
        self._media = media
        self._start = start
        self._duration = duration
        self._first = first
        self._name = name or (media._name if media is not None else "")
        self._enabled = True
        self._markers = {}
        self._takes = []  # (media, first, last) of a take selector
        self._selected = 0
        self._raw = raw  # the clip as an .otio had it

    def _keeps_markers(self):
        return self._kind != "audio" or self._fake.quirks.item_markers_on_audio

    def _touch(self):
        for track in self._timeline._tracks[self._kind]:
            if self in track.items:
                track.raw = None

    @property
    def _media_rate(self):
        return self._media._rate if self._media is not None else self._timeline._rate

    def GetName(self):
        return self._name

    def SetName(self, name):
        self._name = name
        self._touch()
        return True

    def GetStart(self, subframe_precision=False):
        return float(self._start) if subframe_precision else int(self._start)

    def GetDuration(self, subframe_precision=False):
        return float(self._duration) if subframe_precision else int(self._duration)

    def GetEnd(self, subframe_precision=False):
        return self.GetStart(subframe_precision) + self.GetDuration(subframe_precision)

    def GetLeftOffset(self, subframe_precision=False):
        offset = Fraction(self._first) * self._timeline._rate / self._media_rate
        return float(offset) if subframe_precision else int(offset)

    def GetRightOffset(self, subframe_precision=False):
        total = self._media._frames if self._media is not None else 0
        offset = Fraction(total) * self._timeline._rate / self._media_rate - self._duration - self.GetLeftOffset(True)
        return float(offset) if subframe_precision else int(offset)

    def GetSourceStartFrame(self):
        return int(self._first)

    def GetSourceEndFrame(self):
        length = Fraction(self._duration) * self._media_rate / self._timeline._rate
        same = self._media_rate == self._timeline._rate
        return int(self._first + length) - (0 if same else 1)

    def GetMediaPoolItem(self):
        return self._media

    def GetTrackTypeAndIndex(self):
        for index, track in enumerate(self._timeline._tracks[self._kind], 1):
            if self in track.items:
                return [self._kind, index]
        return None

    def GetLinkedItems(self):
        return []

    def GetClipEnabled(self):
        return self._enabled

    def SetClipEnabled(self, Bool):
        if self._kind == "audio" and not self._fake.quirks.clip_enable_on_audio:
            return False
        self._enabled = bool(Bool)
        self._touch()
        return True

    def _can_take(self):
        return self._kind != "audio" or self._fake.quirks.takes_on_audio

    def AddTake(self, mediaPoolItem, startFrame=None, endFrame=None):
        if not self._can_take():
            return False
        if not self._takes:
            self._takes = [(self._media, self._first, self._first + self._duration)]
            self._selected = 1
        first = 0 if startFrame is None else int(startFrame)
        last = mediaPoolItem._frames if endFrame is None else int(endFrame)
        self._takes.append((mediaPoolItem, first, last))
        return self.SelectTakeByIndex(len(self._takes))

    def GetTakesCount(self):
        return len(self._takes)

    def GetSelectedTakeIndex(self):
        return self._selected

    def GetTakeByIndex(self, idx):
        media, first, last = self._takes[idx - 1]
        return {"mediaPoolItem": media, "startFrame": first, "endFrame": last}

    def SelectTakeByIndex(self, idx):
        if not 1 <= idx <= len(self._takes):
            return False
        self._selected = idx
        self._media, self._first = self._takes[idx - 1][:2]
        self._touch()
        return True

    def DeleteTakeByIndex(self, idx):
        if not 1 <= idx <= len(self._takes) or idx == self._selected:
            return False
        del self._takes[idx - 1]
        self._selected -= idx < self._selected
        if len(self._takes) == 1:
            self._takes, self._selected = [], 0
        return True

    def FinalizeTake(self):
        if not self._takes:
            return False
        self._takes, self._selected = [], 0
        return True
