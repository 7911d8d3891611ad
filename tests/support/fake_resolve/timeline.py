"""The open timeline: tracks, marks, playhead, and its export."""

import json

from .documented import documented
from .markers import Marked
from .otio_text import document_of
from .timecode import frame_of, label, rate_text
from .world import Scripted

PAGES_WITH_PLAYHEAD = ("cut", "edit", "color", "fairlight", "deliver")
SUB_TYPES = {"adaptive{}".format(number) for number in range(1, 37)} | set(
    "mono stereo lrc lcr lrcs lcrs quad 5.0 5.0film 5.1 5.1film 7.0 7.0film 7.1 7.1film".split()  # noqa: SIM905
)


class Track(object):
    """One track; `raw` is it as an .otio had it, as long as nothing on it has changed."""

    def __init__(self, name, sub_type=""):
        self.name = name
        self.sub_type = sub_type
        self.enabled = True
        self.locked = False
        self.items = []
        self.raw = None

    def add(self, item):
        """Put an item where it lies."""
        self.raw = None
        self.items.append(item)
        self.items.sort(key=lambda one: one._start)


@documented
class Timeline(Marked, Scripted):
    """Frames are absolute, from the label of the first; marks and markers count from the first frame."""

    def __init__(self, fake, name, rate, start_frame, drop):
        Scripted.__init__(self, fake)
        self._name = name
        self._rate = rate
        self._start_frame = start_frame
        self._drop = drop
        self._tracks = {"video": [Track("Video 1")], "audio": [Track("Audio 1", "stereo")], "subtitle": []}
        self._markers = {}
        self._marks = {}
        self._playhead = start_frame
        self._selected = []
        self._raw = None
        self._deletes = 0

    def _all_items(self):
        return [item for tracks in self._tracks.values() for track in tracks for item in track.items]

    def _track(self, kind, index):
        tracks = self._tracks.get(kind, [])
        return tracks[int(index) - 1] if 1 <= index <= len(tracks) else None

    def GetName(self):
        return self._name

    def GetStartFrame(self):
        return self._start_frame

    def GetEndFrame(self):
        return max([item._start + item._duration for item in self._all_items()] or [self._start_frame])

    def GetStartTimecode(self):
        return label(self._start_frame, self._rate, self._drop)

    def GetSetting(self, settingName=""):
        quirks = self._fake.quirks
        settings = {
            "timelineFrameRate": rate_text(
                self._rate, quirks.rate_setting, self._drop and quirks.rate_setting_says_drop
            ),
            "timelineDropFrameTimecode": "1" if self._drop else "0",
            "timelineSampleRate": "48000",
            "useCustomSettings": "0" if self._rate == self._fake.project_rate else "1",
        }
        return settings.get(settingName, "") if settingName else settings

    def GetSettings(self):
        return self.GetSetting()

    def GetTrackCount(self, trackType):
        return len(self._tracks.get(trackType, []))

    def AddTrack(self, trackType, subTrackType=None):
        if trackType not in self._tracks:
            return False
        options = subTrackType if isinstance(subTrackType, dict) else {"audioType": subTrackType}
        sub_type = (options.get("audioType") or "mono") if trackType == "audio" else ""
        if trackType == "audio" and sub_type not in SUB_TYPES:
            return False
        tracks = self._tracks[trackType]
        index = options.get("index")
        place = index - 1 if isinstance(index, int) and 1 <= index <= len(tracks) else len(tracks)
        tracks.insert(place, Track("{} {}".format(trackType.capitalize(), len(tracks) + 1), sub_type))
        return True

    def DeleteTrack(self, trackType, trackIndex):
        if self._track(trackType, trackIndex) is None or len(self._tracks[trackType]) == 1:
            return False
        del self._tracks[trackType][trackIndex - 1]
        return True

    def GetTrackSubType(self, trackType, trackIndex):
        track = self._track(trackType, trackIndex)
        return track.sub_type if track is not None else ""

    def GetTrackName(self, trackType, trackIndex):
        track = self._track(trackType, trackIndex)
        return track.name if track is not None else ""

    def SetTrackName(self, trackType, trackIndex, name):
        return self._set(trackType, trackIndex, "name", name)

    def SetTrackEnable(self, trackType, trackIndex, Bool):
        return self._set(trackType, trackIndex, "enabled", bool(Bool))

    def GetIsTrackEnabled(self, trackType, trackIndex):
        track = self._track(trackType, trackIndex)
        return track is not None and track.enabled

    def SetTrackLock(self, trackType, trackIndex, Bool):
        return self._set(trackType, trackIndex, "locked", bool(Bool))

    def GetIsTrackLocked(self, trackType, trackIndex):
        track = self._track(trackType, trackIndex)
        return track is not None and track.locked

    def _set(self, kind, index, what, value):
        track = self._track(kind, index)
        if track is None:
            return False
        if getattr(track, what) != value:
            setattr(track, what, value)
            track.raw = None
        return True

    def GetItemListInTrack(self, trackType, index):
        track = self._track(trackType, index)
        return list(track.items) if track is not None else []

    def GetSelectedClips(self):
        return list(self._selected)

    def GetCurrentVideoItem(self):
        for track in reversed(self._tracks["video"]):
            for item in track.items:
                if track.enabled and item._start <= self._playhead < item._start + item._duration:
                    return item
        return None

    def DeleteClips(self, timelineItems, Bool=False):
        quirks = self._fake.quirks
        self._deletes += 1
        if quirks.delete_fails_on_fairlight and self._fake.page == "fairlight":
            return False
        if quirks.first_delete_fails and self._deletes == 1:
            return False
        done = False
        for tracks in self._tracks.values():
            for track in tracks:
                kept = [item for item in track.items if item not in timelineItems]
                if len(kept) != len(track.items) and not track.locked:
                    track.items, track.raw, done = kept, None, True
        return done

    def GetMarkInOut(self):
        return {kind: dict(marks) for kind, marks in self._marks.items()}

    def SetMarkInOut(self, mark_in, mark_out, type="all"):
        for kind in ("video", "audio") if type == "all" else (type,):
            self._marks[kind] = {"in": int(mark_in), "out": int(mark_out)}
        return True

    def ClearMarkInOut(self, type="all"):
        for kind in ("video", "audio") if type == "all" else (type,):
            self._marks.pop(kind, None)
        return True

    def GetCurrentTimecode(self):
        return label(self._playhead, self._rate, self._drop) if self._fake.page in PAGES_WITH_PLAYHEAD else ""

    def SetCurrentTimecode(self, timecode):
        if self._fake.page not in PAGES_WITH_PLAYHEAD:
            return False
        self._playhead = frame_of(timecode, self._rate)
        return True

    def Export(self, fileName, exportType, exportSubtype=None):
        if exportType != self._fake.resolve.EXPORT_OTIO or isinstance(exportType, str):
            return False
        with open(fileName, "w") as file:
            json.dump(document_of(self), file, indent=1)
        return True
