"""What is Resolve's alone: marks, selection, playhead, the editor's view, and each way in which builds differ."""

import json
import runpy
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile

from diffava_resolve.editor.protocol import Selection
from diffava_resolve.editor.resolve.media import BIN_NAME
from diffava_resolve.editor.resolve_editor import ResolveEditor
from diffava_resolve.errors import OutputError, RequestError, TimelineError
from diffava_resolve.timeline.place import find_clip, foley_clips
from support.checkout import ROOT
from support.editors import region, resolve_desk
from support.fake_resolve import PROFILES, FakeResolve, profile
from support.takes import placed_takes

RATE, LABEL = Fraction(24), 86_400
NEWEST = "21.1 Studio"


@pytest.fixture
def desk_of(tmp_path):
    def make(version=NEWEST, rate=RATE, label=LABEL, drop=False, **settings):
        return resolve_desk(tmp_path, version, rate, label, drop, **settings)

    return make


def place(desk, where=None, count=1, clip_id="foley-1"):
    where = where or region(RATE, LABEL, 48, 96)
    folder = desk.editor.media_folder()
    folder.mkdir(exist_ok=True)
    takes = placed_takes(folder, where, count)
    with desk.editor.changing() as change:
        return change.place(where, takes, clip_id, "Foley")


def spans(regions):
    return [(one.region.start_frame, one.region.stop_frame) for one in regions]


def test_the_marks_come_first_then_the_selected_clips_then_the_playheads(desk_of):
    desk = desk_of()
    cut = desk.fake.timeline
    cut.SetCurrentTimecode("01:00:05:00")
    assert spans(desk.editor.regions(Selection())) == [(100, 200)]
    cut._selected = [cut._tracks["video"][0].items[number] for number in (3, 4, 7)]
    assert spans(desk.editor.regions(Selection())) == [(300, 500), (700, 800)]
    cut.SetMarkInOut(24, 47)
    assert spans(desk.editor.regions(Selection())) == [(24, 48)]
    assert spans(desk.editor.regions(Selection("selected"))) == [(300, 500), (700, 800)]
    assert spans(desk.editor.regions(Selection("playhead"))) == [(100, 200)]


@pytest.mark.parametrize(
    ("rate", "label", "drop"),
    [
        (Fraction(24000, 1001), 86_400, False),
        (Fraction(24), 86_400, False),
        (Fraction(25), 90_000, False),
        (Fraction(30000, 1001), 108_000, False),
        (Fraction(30000, 1001), 107_892, True),
        (Fraction(30), 108_000, False),
        (Fraction(50), 180_000, False),
        (Fraction(60000, 1001), 215_784, True),
        (Fraction(60), 216_000, False),
        (Fraction(24), 0, False),
    ],
    ids=lambda value: f"{float(value):.5g}" if isinstance(value, Fraction) else None,
)
def test_sound_between_marks_is_exact_at_every_rate_and_start(desk_of, rate, label, drop):
    desk = desk_of(rate=rate, label=label, drop=drop)
    desk.fake.timeline.SetMarkInOut(101, 320)
    [found] = desk.editor.regions(Selection("marks"))
    assert found.region == region(rate, label, 101, 321, drop)
    assert place(desk, found.region).region == found.region
    [heard] = desk.heard()
    assert (heard.start_sample, soundfile.info(heard.wav).frames >= found.region.sample_count) == (
        round(101 * 48_000 / rate),
        True,
    )
    assert desk.fake.timeline.GetMarkInOut()["audio"] == {"in": 101, "out": 320}


@pytest.mark.parametrize(
    ("version", "where", "sentence"),
    [
        ("19.0 free", "marks", "does not tell scripts its in and out marks"),
        ("20.3 Studio", "selected", "does not tell scripts which clips are selected"),
        (NEWEST, "marks", "has no in and out marks"),
        (NEWEST, "selected", "has no selected clips"),
    ],
)
def test_what_is_not_there_is_said(desk_of, version, where, sentence):
    with pytest.raises(RequestError, match=sentence):
        desk_of(version).editor.regions(Selection(where))


def test_resolve_says_whether_numbers_are_dropped_where_the_export_cannot(desk_of):
    """From 00:00:00;00 nothing in an .otio tells; a person may type colons all the same."""
    rate = Fraction(30000, 1001)
    for drop, start in ((True, 1800), (False, 1802)):
        [found] = desk_of(rate=rate, label=0, drop=drop).editor.regions(Selection("range", "00:01:00:02", "f1900"))
        assert found.region == region(rate, 0, start, 1900, drop)


def test_one_mark_alone_is_refused(desk_of):
    desk = desk_of()
    desk.fake.timeline._marks = {"video": {"in": 5}}
    with pytest.raises(RequestError, match="Only the in mark is set"):
        desk.editor.regions(Selection("marks"))


def test_no_open_timeline_is_said(tmp_path):
    fake = FakeResolve(profile(NEWEST))
    fake.timeline = None
    with pytest.raises(TimelineError, match="no timeline open"):
        ResolveEditor(fake.resolve, tmp_path)


@pytest.mark.parametrize("version", PROFILES)
@pytest.mark.parametrize("page", ["edit", "fairlight", "media"])
def test_the_editors_view_is_what_it_was(desk_of, version, page):
    desk = desk_of(version)
    fake = desk.fake
    fake.timeline.SetCurrentTimecode("01:00:07:03")
    fake.timeline._marks = {"video": {"in": 3, "out": 9}}
    bin_of_theirs = fake.project._pool.AddSubFolder(fake.project._pool.GetRootFolder(), "Rushes")
    fake.project._pool.SetCurrentFolder(bin_of_theirs)
    fake.page = page
    before = fake.seen()
    place(desk, count=2)
    after = fake.seen()
    assert {name: after[name] for name in ("page", "marks", "playhead", "bin", "timeline")} == {
        name: before[name] for name in ("page", "marks", "playhead", "bin", "timeline")
    }
    assert list(after["bins"]) == ["Master", "Rushes", BIN_NAME]


@pytest.mark.parametrize("version", PROFILES)
@pytest.mark.parametrize("page", ["edit", "fairlight"])
def test_undo_leaves_nothing_of_a_change_in_resolve(desk_of, version, page):
    desk = desk_of(version)
    desk.fake.page = page
    before = desk.fake.seen()
    with pytest.raises(RequestError, match="no more"):
        fail_after_placing(desk, RequestError("no more"))
    assert desk.fake.seen() == before


def fail_after_placing(desk, error):
    where = region(RATE, LABEL, 48, 96)
    folder = desk.editor.media_folder()
    folder.mkdir()
    takes = placed_takes(folder, where, 3)
    with desk.editor.changing() as change:
        change.place(where, takes, "foley-1", "Foley")
        raise error


def test_what_cannot_be_taken_back_is_named(desk_of):
    desk = desk_of()
    desk.fake.timeline._tracks["audio"][0].name = "Foley"  # theirs, of the right name
    desk.fake.timeline._tracks["audio"][0].items = []

    def lock_and_fail():
        with desk.editor.changing() as change:
            where = region(RATE, LABEL, 48, 96)
            desk.editor.media_folder().mkdir()
            change.place(where, placed_takes(desk.editor.media_folder(), where), "foley-1", "Foley")
            desk.lock("Foley")
            raise RequestError("too late.")

    with pytest.raises(OutputError, match=r"too late\. .*remove by hand: .*take-0-\w+\.wav on the timeline"):
        lock_and_fail()


def test_another_timeline_in_front_is_left_in_front(desk_of):
    desk = desk_of()
    fake = desk.fake
    ours = fake.timeline
    other = type(ours)(fake, "Timeline 2", RATE, LABEL, False)
    fake.timelines.append(other)
    fake.project.SetCurrentTimeline(other)
    place(desk)
    assert fake.timeline is other
    assert not other._tracks["audio"][0].items
    assert [track.name for track in ours._tracks["audio"]] == ["Audio 1", "Foley"]


def test_another_project_is_refused(desk_of):
    desk = desk_of()
    desk.fake.project._name = "Another film"
    with pytest.raises(TimelineError, match="“A film” is not open any more"), desk.editor.changing():
        pass


def test_takes_lie_in_the_take_selector_where_audio_has_one(desk_of):
    desk = desk_of(takes_on_audio=True)
    where = region(RATE, LABEL, 48, 96)
    place(desk, where, count=3)
    [item] = desk.fake.timeline._tracks["audio"][-1].items
    assert (item.GetTakesCount(), item.GetSelectedTakeIndex()) == (3, 1)
    assert desk.fake.timeline.GetTrackCount("audio") == 2
    with desk.editor.changing() as change:
        change.select(find_clip(desk.editor.cut().timeline, "foley-1"), 3)
    assert item.GetSelectedTakeIndex() == 3
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    assert ([take.number for take in clip.takes], clip.chosen_number) == ([1, 2, 3], 3)


def test_a_failed_new_take_leaves_the_take_selector_as_it_was(desk_of):
    desk = desk_of(takes_on_audio=True)
    where = region(RATE, LABEL, 48, 96)
    place(desk, where, count=2)
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    before = desk.fake.seen()

    def fail():
        with desk.editor.changing() as change:
            change.add_takes(clip, placed_takes(desk.editor.media_folder(), where, 3)[2:])
            raise RequestError("no more")

    with pytest.raises(RequestError, match="no more"):
        fail()
    assert desk.fake.seen() == before


@pytest.mark.parametrize(
    "quirks",
    [{"clip_enable_on_audio": False}, {"absent": ("TimelineItem.GetClipEnabled", "TimelineItem.SetClipEnabled")}],
    ids=["refused", "not there"],
)
def test_where_no_script_may_switch_a_clip_the_takes_track_is_silent(desk_of, quirks):
    desk = desk_of(**quirks)
    place(desk, count=2)
    tracks = {track.name: track.enabled for track in desk.fake.timeline._tracks["audio"]}
    assert tracks == {"Audio 1": True, "Foley": True, "Foley takes": False}
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    before = desk.fake.seen()
    with pytest.raises(OutputError, match=r"disable or enable the clip by hand"), desk.editor.changing() as change:
        change.select(clip, 2)
    assert desk.fake.seen() == before


@pytest.mark.parametrize("rounding", ["floor", "round", "ceil"])
@pytest.mark.parametrize("is_exclusive", [True, False])
@pytest.mark.parametrize(
    "project",
    [
        {},
        {"project_rate": Fraction(25), "fps_of_audio_can_be_set": True},
        {"project_rate": Fraction(25), "ends_between_frames": True},
    ],
    ids=["the project's rate", "another, which can be set", "another, with ends between frames"],
)
def test_a_clip_is_exact_however_a_build_counts(desk_of, rounding, is_exclusive, project):
    rate = Fraction(30000, 1001)
    counting = {"wav_frames": rounding, "append_end_is_exclusive": is_exclusive, **project}
    desk = desk_of("20.3 Studio", rate, 108_000, **counting)
    for number, (start, stop) in enumerate([(1, 2), (7, 43), (100, 101)], 1):
        where = region(rate, 108_000, start, stop)
        assert place(desk, where, clip_id=f"foley-{number}").region == where
    assert sorted((one.start_frame, one.frames, one.first_sample) for one in desk.heard()) == [
        (1, 1, 0),
        (7, 36, 0),
        (100, 1, 0),
    ]


def test_a_range_that_the_projects_rate_cannot_hold_is_refused(desk_of):
    rate = Fraction(30000, 1001)
    desk = desk_of("20.3 Studio", rate, 108_000, project_rate=Fraction(25), absent=("MediaPoolItem.SetClipProperty",))
    before = desk.fake.seen()
    with pytest.raises(OutputError, match="it counts audio in the project's 25 frames a second"):
        place(desk, region(rate, 108_000, 7, 43))
    assert desk.fake.seen() == before


def test_a_take_that_resolve_counts_short_is_played_from_a_longer_copy_and_stays_exact(desk_of):
    rate = Fraction(30000, 1001)
    desk = desk_of(rate=rate, label=108_000, wav_frames="floor")
    where = region(rate, 108_000, 1, 2)  # 1601 samples, a frame has 1601.6
    place(desk, where)
    [heard] = desk.heard()
    assert heard.wav.stem.endswith("-padded")
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    take = clip.take_path(clip.chosen, desk.editor.cut().base_directory)
    assert soundfile.info(take).frames == where.sample_count == 1601


def test_a_trim_that_the_projects_rate_does_not_have_is_refused(desk_of):
    desk = desk_of(project_rate=Fraction(25))
    where = region(RATE, LABEL, 48, 96)
    place(desk, where)
    for track in desk.fake.timeline._tracks["audio"][1:]:
        for item in track.items:
            item._start, item._duration, item._first = item._start + 7, item._duration - 7, Fraction(7 * 25, 24)
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    before = desk.fake.seen()
    with pytest.raises(OutputError, match="trimmed to a frame"), desk.editor.changing() as change:
        change.add_takes(clip, placed_takes(desk.editor.media_folder(), where, 2)[1:])
    assert desk.fake.seen() == before


@pytest.mark.parametrize("quirk", ["lies_about_success", "record_frame_ignored", "track_index_ignored"])
def test_a_resolve_that_says_it_placed_and_did_not_is_not_believed(desk_of, quirk):
    desk = desk_of(**{quirk: True})
    before = desk.fake.seen()
    with pytest.raises(OutputError, match="did not place"):
        place(desk, region(RATE, LABEL, 100, 148))
    assert desk.fake.seen() == before


@pytest.mark.parametrize(
    "quirks",
    [
        {},
        {"item_markers_on_audio": False},
        {"custom_data_limit": 255},
        {"item_markers_on_audio": False, "absent": True},
    ],
    ids=["marker", "media's metadata", "markers cut off", "the timeline's marker"],
)
def test_the_receipt_is_kept_wherever_this_resolve_keeps_it(desk_of, quirks):
    version = "18.6" if quirks.pop("absent", False) else NEWEST
    desk = desk_of(version, **quirks)
    where = region(RATE, LABEL, 48, 96)
    place(desk, where, count=2)
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    assert [receipt.take_index for receipt in clip.receipts] == [0, 1]
    assert clip.receipts[0].region == where


def test_a_resolve_that_keeps_no_receipt_at_all_gets_no_clip(desk_of):
    desk = desk_of("18.6", custom_data_limit=255)
    before = desk.fake.seen()
    with pytest.raises(OutputError, match="keeps no receipt for foley-1"):
        place(desk)
    assert desk.fake.seen() == before


def test_a_marker_with_the_receipt_is_there_to_be_read(desk_of):
    desk = desk_of()
    place(desk)
    [item] = desk.fake.timeline._tracks["audio"][-1].items
    [marker] = item.GetMarkers().values()
    assert marker["name"] == "DiffAVA foley-1"
    assert marker["note"].startswith("rain on a tent · nano, seed 11, -23.5 LUFS, Apache-2.0, sha256 ")
    assert json.loads(marker["customData"])["takes"][0]["receipt"]["request"]["prompt"] == "rain on a tent"


def test_a_copy_that_the_editor_made_is_a_clip_of_its_own(desk_of):
    desk = desk_of()
    place(desk)
    track = desk.fake.timeline._tracks["audio"][-1]
    [item] = track.items
    copy = type(item)(desk.fake, item._timeline, "audio", item._media, item._start + 200, item._duration)
    copy._markers = dict(item._markers)
    track.add(copy)
    assert [clip.clip_id for clip in foley_clips(desk.editor.cut().timeline)] == ["foley-1", "foley-1~2"]
    with desk.editor.changing() as change:
        clip = find_clip(desk.editor.cut().timeline, "foley-1~2")
        change.add_takes(clip, placed_takes(desk.editor.media_folder(), region(RATE, LABEL, 48, 96), 2)[1:])
    assert [clip.chosen_number for clip in foley_clips(desk.editor.cut().timeline)] == [1, 2]


def test_a_clip_that_was_moved_meanwhile_is_not_touched(desk_of):
    desk = desk_of()
    place(desk, count=2)
    clip = find_clip(desk.editor.cut().timeline, "foley-1")
    for track in desk.fake.timeline._tracks["audio"][1:]:
        for item in track.items:
            item._start += 5
    with pytest.raises(RequestError, match="not where it was"), desk.editor.changing() as change:
        change.select(clip, 2)


def test_a_version_that_lacks_even_more_than_is_known_does_the_job(desk_of):
    lacking = (
        *("Timeline.GetTrackSubType", "MediaPool.GetSelectedClips", "MediaPool.SetSelectedClip"),
        *("MediaPoolItem.SetClipProperty", "TimelineItem.SetName", "Timeline.GetMarkInOut", "Timeline.SetMarkInOut"),
    )
    desk = desk_of("18.6", absent=lacking)
    where = region(RATE, LABEL, 48, 96)
    assert place(desk, where, count=2).region == where
    assert [take.number for take in find_clip(desk.editor.cut().timeline, "foley-1").takes] == [1, 2]


def test_a_path_that_resolve_spells_otherwise_is_the_same_file(desk_of, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    desk = desk_of()
    editor = ResolveEditor(desk.fake.resolve, tmp_path / "link")
    imported = type(desk.fake.project._pool)._imported
    pool = desk.fake.project._pool
    pool._imported = lambda path: imported(pool, str(Path(path).resolve()))
    desk.editor = editor
    place(desk)
    [heard] = desk.heard()
    assert heard.wav.is_relative_to(tmp_path / "real")
    assert [clip.clip_id for clip in foley_clips(editor.cut().timeline)] == ["foley-1"]


def test_takes_are_imported_once_into_a_bin_of_their_own(desk_of):
    desk = desk_of()
    place(desk, count=2)
    place(desk, region(RATE, LABEL, 200, 248), count=2, clip_id="foley-2")  # the same sound, so the same files
    bins = desk.fake.seen()["bins"]
    assert len(bins[BIN_NAME]) == len(set(bins[BIN_NAME])) == 2
    assert all(Path(path).is_file() for path in bins[BIN_NAME])


def test_nothing_is_called_that_the_launcher_does_not_let_through(desk_of):
    """The companion's calls go through a launcher that knows the names that may be called."""
    path = ROOT / "plugin_resolve" / "scripts" / "diffava_launcher" / "names.py"
    allowed = runpy.run_path(str(path))["ALLOWED"]
    for version in PROFILES:
        desk = desk_of(version)
        place(desk, count=2)
        desk.editor.regions(Selection("whole"))
        names = {full.split(".")[1] for full in desk.fake.asked}
        called = {name for name in names if name[0].isupper() and not name.isupper() and not name.startswith("EXPORT_")}
        assert not called - allowed, version


@pytest.mark.parametrize("said", ["text", "short text", "number"])
@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(25)])
def test_the_frame_rate_is_understood_however_it_is_said(tmp_path, said, rate):
    fake = FakeResolve(profile(NEWEST), rate, rate_setting=said)
    cut = ResolveEditor(fake.resolve, tmp_path)
    fake.add_clip("video", 1, "/a.mov", 0, 10)
    assert cut.regions(Selection("whole"))[0].region.rate == rate
