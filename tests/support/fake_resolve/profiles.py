"""Versions of Resolve that the fake plays: version, edition, which calls are not there yet, and their switches.

Sources: "New in" marks of the transcribed documents (wheheohu.github.io/bmd_doc), Blackmagic's lists of changes, and
what `quirks.py` names. What is not known to have come later is taken to be there.
"""

from .quirks import Quirks

_FROM_19_0_2 = {"MediaPoolItem.GetThirdPartyMetadata", "MediaPoolItem.SetThirdPartyMetadata"}
_FROM_19_1 = {
    "{}.{}MarkInOut".format(kind, verb) for kind in ("Timeline", "MediaPoolItem") for verb in ("Get", "Set", "Clear")
}
_FROM_20_0 = {"MediaPoolItem.ReplaceClipPreserveSubClip", "MediaPoolItem.MonitorGrowingFile"}
_FROM_20_2 = {"MediaPoolItem.SetName", "TimelineItem.SetName", "Resolve.GetFairlightPresets"}
_FROM_21_0 = {"Resolve.DisableBackgroundTasksForCurrentResolveSession", "MediaPoolItem.PerformAudioClassification"}
_FROM_21_0_4 = {"Timeline.GetSelectedClips", "MediaPoolItem.GetTimeline"}
_FROM_21_1 = {"Resolve.IsStudio", "Project.GetSettings", "Timeline.GetSettings"}


class Profile(object):
    """One version of Resolve."""

    def __init__(self, version, is_studio, absent, **switched):
        self.version = list(version)
        self.is_studio = is_studio
        self._absent = frozenset(absent)
        self._switched = switched

    @property
    def product_name(self):
        """As GetProductName says it."""
        return "DaVinci Resolve Studio" if self.is_studio else "DaVinci Resolve"

    def quirks(self, absent=(), **switched):
        """The switches of this version, some of them set otherwise."""
        merged = dict(self._switched)
        merged.update(switched)
        return Quirks(absent=self._absent | frozenset(absent), **merged)


_AFTER_21_0_4 = _FROM_21_1
_AFTER_20_3 = _AFTER_21_0_4 | _FROM_21_0_4 | _FROM_21_0
_AFTER_19_1 = _AFTER_20_3 | _FROM_20_2 | _FROM_20_0
_AFTER_19_0 = _AFTER_19_1 | _FROM_19_1 | _FROM_19_0_2

PROFILES = {
    "18.6": Profile(
        [18, 6, 6, 7, ""],
        True,
        _AFTER_19_0,
        audio_track_checked_as_video=True,
        import_by_dict=False,
        append_end_is_exclusive=False,
        rate_setting="short text",
    ),
    "19.0 free": Profile(
        [19, 0, 0, 25, ""], False, _AFTER_19_0, audio_track_checked_as_video=True, import_by_dict=False
    ),
    "19.1 free": Profile(
        [19, 1, 3, 7, ""],
        False,
        _AFTER_19_1,
        audio_track_checked_as_video=True,
        import_by_dict=False,
        first_delete_fails=True,
    ),
    "20.3 Studio": Profile(
        [20, 3, 1, 6, ""],
        True,
        _AFTER_20_3,
        needs_selected_media=True,
        import_by_dict=False,
        render_starts_and_fails=False,
        status_language="Conclu\u00eddo",
    ),
    "21.0.4": Profile([21, 0, 4, 5, ""], False, _AFTER_21_0_4, import_by_dict=False, overlap_answers="nothing"),
    "21.1 Studio": Profile([21, 1, 0, 17, ""], True, (), rate_setting="number", rate_setting_says_drop=False),
}


def profile(name):
    """The version of that name."""
    return PROFILES[name]
