"""What a companion changed in Resolve and has not settled, so that it can be undone when the companion dies.

A step back looks at what is there and touches nothing that is not as the companion left it: the companion may have died
while it was undoing by itself.
"""

from diffava_launcher.objects import RefusalError

# Calls that set a value: the method that reads it, and how many of the arguments name what is set.
SETTERS = {
    "SetTrackName": ("GetTrackName", 2),
    "SetTrackEnable": ("GetIsTrackEnabled", 2),
    "SetTrackLock": ("GetIsTrackLocked", 2),
    "SetSetting": ("GetSetting", 1),
    "SetCurrentFolder": ("GetCurrentFolder", 0),
    "SetCurrentTimeline": ("GetCurrentTimeline", 0),
    "SetCurrentTimecode": ("GetCurrentTimecode", 0),
    "SetClipEnabled": ("GetClipEnabled", 0),
    "SetCurrentRenderMode": ("GetCurrentRenderMode", 0),
    "OpenPage": ("GetCurrentPage", 0),
    "SelectTakeByIndex": ("GetSelectedTakeIndex", 0),
}
LOST = ("DeleteClips", "DeleteTrack", "DeleteMarkerAtFrame", "DeleteMarkerByCustomData", "FinalizeTake", "ReplaceClip")


class Journal(object):
    """The steps back, the last first."""

    def __init__(self, resolve):
        self._resolve = resolve
        self._steps = []

    def settle(self):
        """What was done so far stays."""
        self._steps = []

    def undo(self):
        """Put everything back; the sentences say what could not be."""
        complaints = []
        while self._steps:
            name, step = self._steps.pop()
            try:
                if step() is False:
                    complaints.append("{} could not be undone; use Edit, Undo.".format(name))
            except Exception as error:  # whatever Resolve's library raises, the next steps are still tried
                complaints.append("{} could not be undone ({}); use Edit, Undo.".format(name, error))
        return complaints

    def call(self, target, name, arguments):
        """Call a method of Resolve, and remember how to put back what it changed.

        Raises:
            RefusalError: This Resolve has no such method.
        """
        method = getattr(target, name, None)
        if not callable(method):
            raise RefusalError("no_such_name", "This version of Resolve has no {}.".format(name))
        if name in ("SetMarkInOut", "ClearMarkInOut"):
            self._remember_marks(name, target)
        if name == "OpenPage":
            self._remember_marks(name, self._timeline())  # going to the Deliver page loses them
        if name == "AddSubFolder":
            self._remember_folder(target)  # a new bin becomes the current one
        if name in SETTERS:
            return self._set(target, name, method, arguments)
        result = method(*arguments)
        if result:  # a call that changed nothing says False, None or an empty list
            step = self._step_back(target, name, arguments, result)
            if step is not None:
                self._steps.append((name, step))
        return result

    def _set(self, target, name, method, arguments):
        reader, count = SETTERS[name]
        read = getattr(target, reader)
        place, before = arguments[:count], read(*arguments[:count])

        def step():
            # A track that is not as it was set is another one by now, or has been put back already.
            return (count == 2 and read(*place) != arguments[count]) or method(*place, before)

        if before is not None:  # an entry before the call: it may fail half-way
            self._steps.append((name, step))
        return method(*arguments)

    def _timeline(self):
        project = self._resolve.GetProjectManager().GetCurrentProject()
        return project.GetCurrentTimeline() if project else None

    def _remember_marks(self, name, timeline):
        if callable(getattr(timeline, "GetMarkInOut", None)):  # not before 19.1
            before = timeline.GetMarkInOut() or {}
            self._steps.append((name, lambda: put_marks_back(timeline, before)))

    def _remember_folder(self, pool):
        before = pool.GetCurrentFolder()
        self._steps.append(("AddSubFolder", lambda: pool.SetCurrentFolder(before)))

    def _step_back(self, target, name, arguments, result):
        if name in LOST:
            return lambda: False
        makers = {
            "AddTrack": added_track,
            "AppendToTimeline": lambda *_: self._placed_items(result),
            "ImportMedia": lambda *_: lambda: target.DeleteClips(list(result)),
            "AddSubFolder": lambda *_: lambda: delete_empty_folder(target, result),
            "AddMarker": lambda *_: lambda: delete_marker(target, arguments[0]),
            "AddTake": lambda *_: last_take(target),
            "AddRenderJob": lambda *_: lambda: delete_render_job(target, result),
            "StartRendering": lambda *_: lambda: target.StopRendering() or True,
            "SaveAsNewRenderPreset": lambda *_: lambda: target.DeleteRenderPreset(arguments[0]),
        }
        return makers[name](target, arguments) if name in makers else None

    def _placed_items(self, items):
        timeline = self._timeline()
        wanted = {item.GetUniqueId() for item in items if item is not None}
        return lambda: delete_items(self._resolve, timeline, wanted)


def added_track(timeline, arguments):
    """How a track that was added is taken away again, unless it is gone already or something else lies on it."""
    options = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], dict) else {}
    kind = arguments[0]
    count = timeline.GetTrackCount(kind)
    index = int(options.get("index") or count)

    def step():
        if timeline.GetTrackCount(kind) < count or timeline.GetItemListInTrack(kind, index):
            return True
        return timeline.DeleteTrack(kind, index)

    return step


def delete_items(resolve, timeline, wanted):
    """Take clips off the timeline again by their identities; True once none of them is there.

    The first call of a session may do nothing, and on the Fairlight page none does (both were measured).
    """
    page = resolve.GetCurrentPage()
    for attempt in range(3):
        found = items_of(timeline, wanted)
        if not found:
            break
        if attempt == 1 and page != "edit":
            resolve.OpenPage("edit")
        timeline.DeleteClips(found, False)
    if page and resolve.GetCurrentPage() != page:
        resolve.OpenPage(page)
    return not items_of(timeline, wanted)


def items_of(timeline, wanted):
    """The clips of the timeline that have one of these identities."""
    found = []
    for kind in ("audio", "video"):
        for index in range(1, int(timeline.GetTrackCount(kind)) + 1):
            found += [one for one in timeline.GetItemListInTrack(kind, index) or [] if one.GetUniqueId() in wanted]
    return found


def delete_marker(target, frame):
    """Take a marker away again, if it is still there."""
    return frame not in [float(one) for one in target.GetMarkers() or {}] or target.DeleteMarkerAtFrame(frame)


def delete_empty_folder(pool, folder):
    """Take a bin away again, unless something lies in it by now."""
    return bool(folder.GetClipList() or folder.GetSubFolderList()) or pool.DeleteFolders([folder])


def last_take(item):
    """How the take that was added last is taken away again, if it still is the last."""
    count = item.GetTakesCount()
    return lambda: item.GetTakesCount() != count or item.DeleteTakeByIndex(count)


def delete_render_job(project, job):
    """Take our job from the render queue, if it is still there."""
    known = [one.get("JobId") for one in project.GetRenderJobList() or []]
    return job not in known or project.DeleteRenderJob(job)


def put_marks_back(timeline, before):
    """In and out marks as they were; a kind that had none gets none."""
    timeline.ClearMarkInOut()
    for kind, marks in before.items():
        if "in" in marks and "out" in marks:
            timeline.SetMarkInOut(marks["in"], marks["out"], kind)
    return True
