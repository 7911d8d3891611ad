"""The media pool: bins, clips, importing, and appending to the timeline."""

import os
import wave
from fractions import Fraction

from .documented import documented
from .item import TimelineItem
from .markers import Marked
from .timecode import exact
from .world import Scripted


def counted(path, rate, rounding):
    """How many frames a WAV has."""
    with wave.open(path, "rb") as file:
        frames = Fraction(file.getnframes(), file.getframerate()) * rate
    return int({"floor": frames // 1, "round": round(frames), "ceil": -(-frames // 1)}[rounding])


@documented
class MediaPoolItem(Marked, Scripted):
    """A file in the pool. `_rate` and `_frames` are what Resolve froze at import."""

    def __init__(self, fake, path, rate, frames, kind="Video", start_frame=0):
        Scripted.__init__(self, fake)
        self._path = path
        self._name = os.path.basename(path)
        self._rate = Fraction(rate)
        self._frames = frames
        self._kind = kind
        self._start_frame = start_frame
        self._markers = {}
        self._third_party = {}

    def GetName(self):
        return self._name

    def SetName(self, name):
        self._name = name
        return True

    def GetMediaId(self):
        return "media-" + self._unique_id

    def GetClipProperty(self, propertyName=None):
        known = {
            "File Path": self._path,
            "File Name": os.path.basename(self._path),
            "Clip Name": self._name,
            "FPS": float("{:.3f}".format(float(self._rate))),
            "Frames": str(self._frames),
            "Type": self._kind,
            "Online Status": "Online" if os.path.exists(self._path) else "Offline",
        }
        return known if not propertyName else known.get(propertyName, "")

    def SetClipProperty(self, propertyName, propertyValue):
        if propertyName != "FPS" or (self._kind == "Audio" and not self._fake.quirks.fps_of_audio_can_be_set):
            return False
        self._rate = exact(float(propertyValue))
        self._frames = counted(self._path, self._rate, self._fake.quirks.wav_frames)
        return True

    def GetThirdPartyMetadata(self, metadataType=None):
        return dict(self._third_party) if metadataType is None else self._third_party.get(metadataType, "")

    def SetThirdPartyMetadata(self, *metadata):
        self._third_party.update(metadata[0] if len(metadata) == 1 else {metadata[0]: metadata[1]})
        return True

    def GetTimeline(self):
        return None


@documented
class Folder(Scripted):
    """A bin."""

    def __init__(self, fake, name):
        Scripted.__init__(self, fake)
        self._name = name
        self._clips = []
        self._folders = []

    def GetName(self):
        return self._name

    def GetClipList(self):
        return list(self._clips)

    def GetSubFolderList(self):
        return list(self._folders)

    def _walk(self):
        yield self
        for folder in self._folders:
            for one in folder._walk():
                yield one


@documented
class MediaPool(Scripted):
    """The pool of the one project."""

    def __init__(self, fake):
        Scripted.__init__(self, fake)
        self._root = Folder(fake, "Master")
        self._current = self._root
        self._selected = []

    def GetRootFolder(self):
        return self._root

    def GetCurrentFolder(self):
        return self._current

    def SetCurrentFolder(self, folder):
        self._current = folder
        return True

    def AddSubFolder(self, folder, name):
        if any(one._name == name for one in folder._folders):
            return None
        made = Folder(self._fake, name)
        folder._folders.append(made)
        self._current = made  # as a new bin in the program becomes the current one
        return made

    def DeleteFolders(self, subfolders):
        for folder in self._root._walk():
            folder._folders = [one for one in folder._folders if one not in subfolders]
        if self._current in subfolders:
            self._current = self._root
        return True

    def DeleteClips(self, clips):
        if any(item._media in clips for item in self._fake.timeline._all_items()):
            return False  # what is used on a timeline is asked about in the program
        for folder in self._root._walk():
            folder._clips = [one for one in folder._clips if one not in clips]
        self._selected = [one for one in self._selected if one not in clips]
        return True

    def GetSelectedClips(self):
        return list(self._selected)

    def SetSelectedClip(self, mediaPoolItem):
        self._selected = [mediaPoolItem]
        return True

    def ImportMedia(self, items):
        made = []
        for one in items:
            is_form = isinstance(one, dict)
            if is_form and not self._fake.quirks.import_by_dict and "StartIndex" not in one:
                continue
            path = one["FilePath"] if is_form else one
            if os.path.isfile(path):
                made.append(self._imported(path))
        return made

    def _imported(self, path):
        rate = self._fake.project_rate
        frames = counted(path, rate, self._fake.quirks.wav_frames)
        item = MediaPoolItem(self._fake, path, rate, frames, "Audio")
        self._current._clips.append(item)
        return item

    def AppendToTimeline(self, *clips):
        infos = clips[0] if len(clips) == 1 and isinstance(clips[0], (list, tuple)) else clips
        infos = [one if isinstance(one, dict) else {"mediaPoolItem": one} for one in infos]
        if self._fake.quirks.needs_selected_media and not self._selected:
            return []
        return [item for item in map(self._appended, infos) if item is not None]

    def _appended(self, info):
        timeline, quirks = self._fake.timeline, self._fake.quirks
        media = info["mediaPoolItem"]
        kind = "audio" if info.get("mediaType") == 2 else "video"
        index = 1 if quirks.track_index_ignored else int(info.get("trackIndex", 1))
        if index > len(timeline._tracks[kind]) or timeline._tracks[kind][index - 1].locked:
            return None
        if kind == "audio" and quirks.audio_track_checked_as_video and index > len(timeline._tracks["video"]):
            return None
        whole = Fraction if quirks.ends_between_frames else int
        first = int(info.get("startFrame", 0))
        count = whole(info.get("endFrame", media._frames)) - first + (not quirks.append_end_is_exclusive)
        count = min(count, media._frames - first)
        # At another rate than the timeline's, what is not a whole frame of the timeline is left out.
        duration = int(count * timeline._rate / media._rate)
        end = timeline.GetEndFrame()
        start = end if quirks.record_frame_ignored else int(info.get("recordFrame", end))
        item = TimelineItem(self._fake, timeline, kind, media, start, duration, first)
        if duration < 1:
            return None
        if quirks.lies_about_success:
            return item
        track = timeline._tracks[kind][index - 1]
        if any(one._start < start + duration and start < one._start + one._duration for one in track.items):
            if quirks.overlap_answers == "nothing":
                return None
            item._unique_id = ""
            return item
        track.add(item)
        return item
