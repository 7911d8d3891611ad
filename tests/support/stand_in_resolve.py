"""The least of Resolve that the bridge can be tried on: a project, a pool, a timeline. The standard library alone."""


class Item:
    def __init__(self, number: int, start: int) -> None:
        self.number = number
        self.start = start

    def GetUniqueId(self) -> str:
        return f"item-{self.number}"

    def GetStart(self) -> int:
        return self.start


class Timeline:
    def __init__(self) -> None:
        self.tracks = [["Audio 1", []]]
        self.markers = {96.0: {"color": "Blue", "note": "a door", "duration": 24.0}}
        self.marks = {"video": {"in": 5, "out": 9}}

    def GetTrackCount(self, kind):
        return len(self.tracks) if kind == "audio" else 0

    def AddTrack(self, kind, sub_type="mono"):
        self.tracks.append([f"Audio {len(self.tracks) + 1}", []])
        return True

    def DeleteTrack(self, kind, index):
        self.tracks.pop(index - 1)
        return True

    def GetTrackName(self, kind, index):
        return self.tracks[index - 1][0]

    def SetTrackName(self, kind, index, name):
        self.tracks[index - 1][0] = name
        return True

    def GetItemListInTrack(self, kind, index):
        return list(self.tracks[index - 1][1])

    def DeleteClips(self, items, ripple=False):
        for track in self.tracks:
            track[1] = [one for one in track[1] if one not in items]
        return True

    def GetMarkers(self):
        return self.markers

    def AddMarker(self, frame, color, name, note, duration, data=""):
        self.markers[float(frame)] = {"color": color, "note": note, "duration": duration}
        return True

    def DeleteMarkerAtFrame(self, frame):
        return self.markers.pop(float(frame), None) is not None

    def GetMarkInOut(self):
        return self.marks

    def SetMarkInOut(self, first, last, kind="all"):
        self.marks = {**self.marks, kind: {"in": first, "out": last}}
        return True

    def ClearMarkInOut(self, kind="all"):
        self.marks = {}
        return True


class Pool:
    def __init__(self, timeline):
        self.timeline = timeline
        self.media = []

    def ImportMedia(self, infos):
        self.media += infos
        return [dict(info) for info in infos]

    def DeleteClips(self, clips):
        self.media = [one for one in self.media if one not in clips]
        return True

    def AppendToTimeline(self, infos):
        made = [Item(number, int(info["recordFrame"])) for number, info in enumerate(infos)]
        self.timeline.tracks[int(infos[0]["trackIndex"]) - 1][1] += made
        return made


class Project:
    def __init__(self):
        self.timeline = Timeline()
        self.pool = Pool(self.timeline)

    def GetCurrentTimeline(self):
        return self.timeline

    def GetMediaPool(self):
        return self.pool

    def GetName(self):
        raise ValueError("the library broke")

    def GetSetting(self, name):
        return b"raw"


class Manager:
    def __init__(self):
        self.project = Project()

    def GetCurrentProject(self):
        return self.project

    def DeleteProject(self, name):
        raise AssertionError("this must never be called")


class Resolve:
    EXPORT_OTIO = 17.0

    def __init__(self):
        self.manager = Manager()
        self.page = "edit"

    def GetProductName(self):
        return "DaVinci Resolve"

    def GetVersion(self):
        return [19, 1, 3, 7, ""]

    def GetProjectManager(self):
        return self.manager

    def GetCurrentPage(self):
        return self.page

    def OpenPage(self, name):
        self.page = name
        return True

    def Quit(self):
        raise AssertionError("this must never be called")
