"""The switches: how a Resolve answers otherwise than its documents say, or where they say nothing. Each has its source.

MEASURED: seen on a running Resolve by a third party, which is named. CHANGELOG: Blackmagic's own list of changes.
ASSUMED: nobody is known to have looked; the tests set it both ways.
"""

LEDGER = (
    "davinci-resolve-mcp, src/utils/api_truth.py and docs/reference/api-limitations.md (Studio 19.1.3, 20.3.2, 21.0)"
)

# name -> (default, what it means, source)
SWITCHES = {
    "unknown_names_are_none": (
        True,
        "an unknown attribute is None, so that hasattr is always true",
        "MEASURED " + LEDGER,
    ),
    "append_end_is_exclusive": (
        True,
        "endFrame of a clipInfo is the first frame not taken",
        "MEASURED on Studio 21.0 and 21.0.4.5 ("
        + LEDGER
        + "); example 7_add_subclips_to_timeline.py says the opposite",
    ),
    "overlap_answers": (
        "empty item",
        "what an append onto another clip gives: 'empty item' or 'nothing'",
        "MEASURED " + LEDGER,
    ),
    "record_frame_ignored": (
        False,
        "what is appended lands at the end of the timeline",
        "ASSUMED; CHANGELOG 20.0.1 says only that appending did not work in some scenarios",
    ),
    "track_index_ignored": (False, "what is appended lands on the first track of its kind", "ASSUMED"),
    "needs_selected_media": (
        False,
        "AppendToTimeline fails while no clip is selected in the pool",
        "CHANGELOG 20.3.2, fixed",
    ),
    "audio_track_checked_as_video": (
        False,
        "an audio-only append onto A(n) fails where there is no V(n)",
        "CHANGELOG 20.2.2, fixed",
    ),
    "wav_frames": ("floor", "how a WAV's length becomes frames: 'floor', 'round' or 'ceil'", "ASSUMED"),
    "fps_of_audio_can_be_set": (False, "SetClipProperty changes the FPS of a WAV", "ASSUMED"),
    "ends_between_frames": (
        False,
        "endFrame may lie between two frames of the media",
        "ASSUMED; README types it float",
    ),
    "takes_on_audio": (
        False,
        "audio clips can have a take selector",
        "ASSUMED; AddTake gave False in a probe, " + LEDGER,
    ),
    "clip_enable_on_audio": (True, "SetClipEnabled works on audio clips", "ASSUMED"),
    "item_markers_on_audio": (True, "AddMarker works on audio clips", "ASSUMED"),
    "custom_data_limit": (None, "how many characters of a marker's customData are kept; None is all", "ASSUMED"),
    "delete_fails_on_fairlight": (True, "Timeline.DeleteClips is False on the Fairlight page", "MEASURED " + LEDGER),
    "first_delete_fails": (False, "the first Timeline.DeleteClips of a session is False", "MEASURED once, " + LEDGER),
    "deliver_loses_marks": (True, "going to the Deliver page loses the in and out marks", "MEASURED auto-subs #618"),
    "render_marks": (
        "absolute",
        "MarkIn and MarkOut count 'absolute' or 'relative' to the timeline's start",
        "MEASURED on 20.2.2.10: relative ones were clamped; davinci-resolve-mcp PR #200 says relative",
    ),
    "status_language": (
        "Complete",
        "JobStatus of a finished job, in the language of the program",
        "MEASURED auto-subs #682, #689",
    ),
    "render_starts_and_fails": (
        False,
        "StartRendering is True and the job fails at once",
        "MEASURED on 20.3, " + LEDGER,
    ),
    "rate_setting": (
        "text",
        "timelineFrameRate is 'text', 'short text' (23.98) or a 'number'",
        "README 21.1 and 24 Jul 2026",
    ),
    "rate_setting_says_drop": (
        True,
        "timelineFrameRate ends in DF where frame numbers are dropped",
        "README 24 Jul 2026",
    ),
    "import_by_dict": (
        True,
        "ImportMedia takes [{FilePath}] without indices",
        "README 21.1, section of deprecated forms",
    ),
    "save_blocks_when_untitled": (
        True,
        "SaveProject of a never-saved project does not come back",
        "MEASURED " + LEDGER,
    ),
    "lies_about_success": (False, "AppendToTimeline gives an item although nothing was placed", "MEASURED " + LEDGER),
}


class Quirks(object):
    """The switches of one fake, and the documented calls that this version does not have."""

    def __init__(self, absent=(), **switched):
        unknown = set(switched) - set(SWITCHES)
        if unknown:
            raise ValueError("no such switch: {}".format(", ".join(sorted(unknown))))
        for name, (default, _, _) in SWITCHES.items():
            setattr(self, name, switched.get(name, default))
        self.absent = frozenset(absent)
