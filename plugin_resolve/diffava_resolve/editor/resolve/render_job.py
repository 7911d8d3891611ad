"""The graded and composited picture of a range, by a job of our own in Resolve's render queue.

The queue, its settings, the presets, the page and the marks are the editor's: settings are put back from a preset that
is made for the moment, our job and that preset are deleted, and nothing is begun while something renders. Marks of a
render are absolute frames and the last one is inclusive (measured on 20.2.2.10, where documents are silent): so the job
is read back, and the movie's frames are counted. What a job's status is called depends on the program's language; its
percentage and its error do not.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

from diffava_resolve.editor.resolve.program import Program, offers, setting
from diffava_resolve.editor.resolve.view import KeptView
from diffava_resolve.errors import MediaError, RequestError
from diffava_resolve.spec import Region
from diffava_resolve.timeline.rates import exact_rate

_WANTED_CODECS = ("h264", "h.264", "prores422p", "prores", "dnxhr", "mjpeg", "photo")  # small and decodable, in order
_FORMATS = ("mp4", "mov", "mxf_op1a", "mxf", "avi")
_PRESET = "DiffAVA keeps your render settings"
_WIDTH_PIXELS = 640  # more than any model looks at
_STALLED_S = 120.0
_POLL_S = 0.5


class RenderJob:
    """Renders one range at a time.

    Args of note: `clock_s` and `sleep` are the monotonic clock and the wait between two looks at the job.
    """

    def __init__(
        self,
        program: Program,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._program = program
        self._clock_s = clock_s
        self._sleep = sleep

    def movie(self, region: Region, folder: Path) -> Path:
        """Exactly the region's frames, as a movie in `folder`.

        Raises:
            RequestError: Something renders already, or Resolve offers no format that can be read.
            MediaError: The job failed, stopped, or gave other frames.
        """
        project = self._program.project
        if project.IsRenderingInProgress():
            raise RequestError("Resolve is rendering; wait until it has finished, or take the source media.")
        with KeptView(self._program), self._kept_settings():
            self._program.resolve.OpenPage("deliver")  # elsewhere StartRendering does nothing
            if not offers(self._program.timeline, "GetMarkInOut"):
                self._program.notes.append(
                    f"{self._program.name} tells scripts no in and out marks; if there were any, rendering took them "
                    "away."
                )
            self._set_up(region, folder)
            job = project.AddRenderJob()
            if not job:
                raise MediaError("Resolve took no render job; render the range by hand, or take the source media.")
            try:
                self._check_marks(job, region)
                self._run(job)
            finally:
                project.DeleteRenderJob(job)
        return _checked(folder, region)

    @contextmanager
    def _kept_settings(self) -> Iterator[None]:
        project = self._program.project
        form, mode = project.GetCurrentRenderFormatAndCodec() or {}, project.GetCurrentRenderMode()
        project.DeleteRenderPreset(_PRESET)  # one that a killed run has left
        kept = project.SaveAsNewRenderPreset(_PRESET)
        try:
            yield
        finally:
            if kept:
                project.LoadRenderPreset(_PRESET)
                project.DeleteRenderPreset(_PRESET)
            if form.get("format") and form.get("codec"):
                project.SetCurrentRenderFormatAndCodec(form["format"], form["codec"])
            if mode is not None:
                project.SetCurrentRenderMode(mode)

    def _set_up(self, region: Region, folder: Path) -> None:
        project = self._program.project
        self._choose_codec()
        project.SetCurrentRenderMode(1)  # the range as one clip
        first = region.label_frame + region.start_frame
        settings = {
            "SelectAllFrames": False,
            "MarkIn": first,
            "MarkOut": first + region.stop_frame - region.start_frame - 1,
            "TargetDir": str(folder),
            "CustomName": "graded",
            "ExportVideo": True,
            "ExportAudio": False,
            **self._size(),
        }
        if not project.SetRenderSettings(settings):
            raise MediaError("Resolve refused the settings of the render; take the source media instead.")

    def _choose_codec(self) -> None:
        project = self._program.project
        offered = [str(suffix) for suffix in (project.GetRenderFormats() or {}).values()]
        for suffix in (one for one in _FORMATS if one in offered):
            codecs = project.GetRenderCodecs(suffix) or {}
            for wanted in _WANTED_CODECS:
                for description, codec in codecs.items():
                    if wanted in f"{description} {codec}".lower() and project.SetCurrentRenderFormatAndCodec(
                        suffix, codec
                    ):
                        return
        raise RequestError("Resolve offers no render format that can be read here; take the source media instead.")

    def _size(self) -> dict[str, int]:
        try:
            width, height = (
                int(setting(self._program.project, f"timelineResolution{side}")) for side in ("Width", "Height")
            )
        except (TypeError, ValueError):
            return {}
        small = min(width, _WIDTH_PIXELS)
        return {"FormatWidth": small, "FormatHeight": max(2, height * small // width // 2 * 2)}

    def _check_marks(self, job: str, region: Region) -> None:
        jobs: list[dict[str, Any]] = self._program.project.GetRenderJobList() or []
        found = next((one for one in jobs if one.get("JobId") == job), {})
        first = region.label_frame + region.start_frame
        wanted = (first, first + region.stop_frame - region.start_frame - 1)
        marks = (found.get("MarkIn"), found.get("MarkOut"))
        if None not in marks and tuple(round(float(mark)) for mark in marks if mark is not None) != wanted:
            raise MediaError(
                f"Resolve would render frames {marks[0]} to {marks[1]} instead of {wanted[0]} to {wanted[1]}; take the "
                "source media instead."
            )

    def _run(self, job: str) -> None:
        project = self._program.project
        if not project.StartRendering([job], False):
            raise MediaError("Resolve did not start the render; look at its Deliver page, or take the source media.")
        seen, since_s = -1.0, self._clock_s()
        try:
            while True:
                status = project.GetRenderJobStatus(job) or {}
                percent = float(status.get("CompletionPercentage") or 0)
                if status.get("Error"):
                    raise MediaError(f"Resolve's render failed: {status['Error']}. Take the source media instead.")
                if percent >= 100:
                    return
                if percent > seen:
                    seen, since_s = percent, self._clock_s()
                elif self._clock_s() - since_s > _STALLED_S:
                    raise MediaError(f"Resolve's render stands at {percent:g} %; look at its Deliver page.")
                self._sleep(_POLL_S)
        except BaseException:
            if project.IsRenderingInProgress():
                project.StopRendering()
            raise


def _checked(folder: Path, region: Region) -> Path:
    """The movie that the job left, with the right frames."""
    found = [path for path in folder.iterdir() if path.is_file()]
    if len(found) != 1:
        raise MediaError(f"Resolve's render left {len(found)} files instead of one movie; take the source media.")
    wanted = region.stop_frame - region.start_frame
    try:
        with av.open(str(found[0])) as container:
            stream = container.streams.video[0]
            rate = exact_rate(float(stream.average_rate or 0))
            count = sum(packet.size > 0 for packet in container.demux(stream))
    except (av.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"Resolve's render cannot be read ({error}); take the source media.") from error
    if count != wanted or rate != region.rate:
        raise MediaError(
            f"Resolve rendered {count} frames at {float(rate):g} instead of {wanted} at {float(region.rate):g}; "
            "take the source media."
        )
    return found[0]
