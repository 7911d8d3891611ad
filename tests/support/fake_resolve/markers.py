"""Markers of a timeline, a clip on it, or a clip in the pool."""

_COLOURS = "Blue Cyan Green Yellow Red Pink Purple Fuchsia Rose Lavender Sky Mint Lemon Sand Cocoa Cream"
COLOURS = _COLOURS.split()


class Marked(object):
    """The calls; whoever inherits them has `_markers`, frame -> marker."""

    def _keeps_markers(self):
        return True

    def AddMarker(self, frameId, color, name, note, duration, customData=None):
        frame = float(frameId)
        if color not in COLOURS or frame in self._markers or not self._keeps_markers():
            return False
        limit = self._fake.quirks.custom_data_limit
        self._markers[frame] = {
            "color": color,
            "duration": float(duration),
            "note": note,
            "name": name,
            "customData": (customData or "")[:limit],
        }
        return True

    def GetMarkers(self):
        return {frame: dict(marker) for frame, marker in self._markers.items()}

    def GetMarkerByCustomData(self, customData):
        for frame, marker in sorted(self._markers.items()):
            if marker["customData"] == customData:
                return {frame: dict(marker)}
        return {}

    def UpdateMarkerCustomData(self, frameId, customData):
        if float(frameId) not in self._markers:
            return False
        self._markers[float(frameId)]["customData"] = customData[: self._fake.quirks.custom_data_limit]
        return True

    def GetMarkerCustomData(self, frameId):
        return self._markers.get(float(frameId), {}).get("customData", "")

    def DeleteMarkersByColor(self, color):
        kept = {} if color == "All" else {f: m for f, m in self._markers.items() if m["color"] != color}
        changed = len(kept) != len(self._markers)
        self._markers = kept
        return changed

    def DeleteMarkerAtFrame(self, frameNum):
        return self._markers.pop(float(frameNum), None) is not None

    def DeleteMarkerByCustomData(self, customData):
        for frame in self.GetMarkerByCustomData(customData):
            return self.DeleteMarkerAtFrame(frame)
        return False
