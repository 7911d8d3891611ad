"""The one open project: its timeline, its settings and its render queue."""

import os

from .documented import documented
from .pool import MediaPool
from .timecode import rate_text
from .world import Scripted

FORMATS = {"QuickTime": "mov", "MP4": "mp4"}
CODECS = {"mov": {"Apple ProRes 422 Proxy": "ProRes422P", "DNxHR LB": "DNxHRLB"}, "mp4": {"H.264": "H264"}}
DEFAULT_SETTINGS = {
    "SelectAllFrames": True,
    "ExportVideo": True,
    "ExportAudio": True,
    "TargetDir": "",
    "CustomName": "",
}


@documented
class Project(Scripted):
    """The render settings have no getter in Resolve; `_render` is for the tests to look at."""

    def __init__(self, fake, name):
        Scripted.__init__(self, fake)
        self._name = name
        self._pool = MediaPool(fake)
        self._render = dict(DEFAULT_SETTINGS)
        self._format = {"format": "mov", "codec": "ProRes422P"}
        self._mode = 1
        self._presets = {"H.264 Master": (dict(DEFAULT_SETTINGS), {"format": "mp4", "codec": "H264"}, 1)}
        self._jobs = []
        self._status = {}
        self._rendering = False

    def GetName(self):
        return self._name

    def GetMediaPool(self):
        return self._pool

    def GetTimelineCount(self):
        return len(self._fake.timelines)

    def GetTimelineByIndex(self, idx):
        return self._fake.timelines[idx - 1] if 1 <= idx <= len(self._fake.timelines) else None

    def GetCurrentTimeline(self):
        return self._fake.timeline

    def SetCurrentTimeline(self, timeline):
        if timeline not in self._fake.timelines:
            return False
        self._fake.timeline = timeline
        return True

    def GetSetting(self, settingName=""):
        quirks = self._fake.quirks
        settings = {
            "timelineFrameRate": rate_text(self._fake.project_rate, quirks.rate_setting, False),
            "timelineDropFrameTimecode": "0",
            "timelineSampleRate": "48000",
            "timelineResolutionWidth": "1920",
            "timelineResolutionHeight": "1080",
        }
        return settings.get(settingName, "") if settingName else settings

    def GetSettings(self):
        return self.GetSetting()

    def GetRenderFormats(self):
        return dict(FORMATS)

    def GetRenderCodecs(self, renderFormat):
        return dict(CODECS.get(renderFormat, {}))

    def GetCurrentRenderFormatAndCodec(self):
        return dict(self._format)

    def SetCurrentRenderFormatAndCodec(self, format, codec):
        if codec not in CODECS.get(format, {}).values():
            return False
        self._format = {"format": format, "codec": codec}
        return True

    def GetCurrentRenderMode(self):
        return self._mode

    def SetCurrentRenderMode(self, renderMode):
        self._mode = renderMode
        return True

    def SetRenderSettings(self, settings):
        self._render.update(settings)
        return True

    def GetRenderPresetList(self):
        return sorted(self._presets)

    def SaveAsNewRenderPreset(self, presetName):
        if presetName in self._presets:
            return False
        self._presets[presetName] = (dict(self._render), dict(self._format), self._mode)
        return True

    def LoadRenderPreset(self, presetName):
        if presetName not in self._presets:
            return False
        render, form, self._mode = self._presets[presetName]
        self._render, self._format = dict(render), dict(form)
        return True

    def DeleteRenderPreset(self, presetName):
        return self._presets.pop(presetName, None) is not None

    def _marks(self):
        """What is rendered of the timeline, absolute and inclusive; marks outside it are drawn to its start."""
        timeline = self._fake.timeline
        first, last = timeline._start_frame, timeline.GetEndFrame() - 1
        if self._render["SelectAllFrames"]:
            return first, last
        marks = [int(self._render[name]) for name in ("MarkIn", "MarkOut")]
        if self._fake.quirks.render_marks == "relative":
            marks = [mark + timeline._start_frame for mark in marks]
        return tuple(mark if first <= mark <= last else first for mark in marks)

    def AddRenderJob(self):
        mark_in, mark_out = self._marks()
        job = {
            "JobId": "job-" + self._fake.new_id(),
            "RenderJobName": "Job {}".format(len(self._jobs) + 1),
            "TimelineName": self._fake.timeline._name,
            "TargetDir": self._render["TargetDir"],
            "OutputFilename": self._render["CustomName"] + "." + self._format["format"],
            "MarkIn": mark_in,
            "MarkOut": mark_out,
            "IsExportVideo": self._render["ExportVideo"],
            "IsExportAudio": self._render["ExportAudio"],
        }
        self._jobs.append(job)
        self._status[job["JobId"]] = {"JobStatus": "Ready", "CompletionPercentage": 0}
        return job["JobId"]

    def GetRenderJobList(self):
        return [dict(job) for job in self._jobs]

    def DeleteRenderJob(self, jobId):
        kept = [job for job in self._jobs if job["JobId"] != jobId]
        found = len(kept) != len(self._jobs)
        self._jobs = kept
        return found

    def GetRenderJobStatus(self, jobId):
        status = dict(self._status.get(jobId, {}))
        if self._rendering and status.get("CompletionPercentage", 0) < 100:
            self._finish(jobId)  # the next question finds it done
        return status

    def StartRendering(self, *jobs):
        wanted = jobs[0] if jobs and isinstance(jobs[0], (list, tuple)) else jobs
        if self._fake.page != "deliver" or self._rendering:
            return False
        for job in wanted:
            self._status[job] = {"JobStatus": "Rendering", "CompletionPercentage": 1}
            self._rendering = True
            if self._fake.quirks.render_starts_and_fails:
                self._status[job] = {"JobStatus": "Failed", "CompletionPercentage": 0, "Error": "Render failed"}
                self._rendering = False
        return True

    def _finish(self, job_id):
        job = next(one for one in self._jobs if one["JobId"] == job_id)
        path = os.path.join(job["TargetDir"], job["OutputFilename"])
        self._fake.write_movie(path, job["MarkIn"], job["MarkOut"])
        self._status[job_id] = {
            "JobStatus": self._fake.quirks.status_language,
            "CompletionPercentage": 100,
            "TimeTakenToRenderInMs": 1,
        }
        self._rendering = False

    def IsRenderingInProgress(self):
        return self._rendering

    def StopRendering(self):
        self._rendering = False
