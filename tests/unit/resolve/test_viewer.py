"""What the viewer sees, against values worked out by hand."""

import time as clock
from fractions import Fraction

import av
import numpy as np
import opentimelineio as otio
import pytest

from diffava_resolve.errors import MediaError, TimelineError
from diffava_resolve.spec import Colour, MovieFile, Region
from diffava_resolve.timeline.regions import region_of_range, region_of_timeline
from diffava_resolve.timeline.viewer import picture_of
from support.timelines import clip, dissolve, gap, movie, span, time, timeline, track

FILM, VIDEO, FAST_VIDEO = Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)
RATES = [FILM, Fraction(25), VIDEO, FAST_VIDEO]
WRITTEN = {FILM: 23.976, Fraction(25): 25, VIDEO: 29.97, FAST_VIDEO: 59.94}


@pytest.fixture
def folder(tmp_path):
    for name in ("a.mov", "b.mov", "c.mov"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def see(folder):
    def see(cut, *positions):
        region = region_of_range(cut, *positions) if positions else region_of_timeline(cut)
        return picture_of(cut, region, folder)

    return see


def media(name="a.mov", rate=24, count=1000, first=0):
    return movie(name, rate, count, first)


def media_s(layer, second):
    return layer.media_start_s + layer.speed * (second - layer.timeline_start_s)


def shown(picture, frame):
    """Name and media second of what leads at the middle of a timeline frame; a colour has its name."""
    (segment,) = [one for one in picture.segments if one.start_frame <= frame < one.stop_frame]
    assert len(segment.layers) == 1
    layer = segment.layers[0]
    if isinstance(layer.media, Colour):
        return layer.media.rgb, None
    return layer.media.path.name, media_s(layer, (frame + Fraction(1, 2)) / picture.region.rate)


def edges(picture):
    return [(segment.start_frame, segment.stop_frame) for segment in picture.segments]


@pytest.mark.parametrize("rate", RATES)
def test_media_with_its_own_timecode_are_counted_from_their_first_picture(see, rate):
    hour = {FILM: 86400, Fraction(25): 90000, VIDEO: 107892, FAST_VIDEO: 215784}[rate]
    written = WRITTEN[rate]
    cut = timeline([[clip(media(rate=written, first=hour), hour + 10, 100, written)]], rate=written, label_frame=hour)
    layer = see(cut, "f20", "f40").segments[0].layers[0]
    assert layer.timeline_start_s == 20 / rate
    assert layer.media_start_s == 30 / rate
    assert layer.speed == 1
    assert (layer.opacity_start, layer.opacity_stop) == (1, 1)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    ("speed", "first_shown", "tenth_shown"),
    [
        (2, Fraction(101), Fraction(121)),  # frame n shows 100 + 2 (n + 1/2)
        (0.5, Fraction(401, 4), Fraction(421, 4)),
        (-1, Fraction(259, 2), Fraction(239, 2)),  # 30 frames from 100, from the last one backwards
        (-2, Fraction(159), Fraction(139)),  # 60 frames from 100
        (0, Fraction(201, 2), Fraction(201, 2)),  # the middle of frame 100
    ],
)
def test_a_retime_keeps_the_clips_length_and_shows_the_media_at_its_speed(see, rate, speed, first_shown, tenth_shown):
    written = WRITTEN[rate]
    items = [gap(7, written), clip(media(rate=written), 100, 30, written, speed=speed)]
    picture = see(timeline([items], rate=written))
    assert edges(picture) == [(0, 7), (7, 37)]
    assert shown(picture, 7) == ("a.mov", first_shown / rate)
    assert shown(picture, 17) == ("a.mov", tenth_shown / rate)
    assert picture.segments[1].layers[0].speed == Fraction(speed)


def test_retimes_on_one_clip_multiply(see):
    twice = clip(media(), 0, 10, 24, speed=2)
    twice.effects.append(otio.schema.LinearTimeWarp(time_scalar=1 / 3))
    assert see(timeline([[twice]], rate=24)).segments[0].layers[0].speed == Fraction(2, 3)


def test_a_retime_that_cannot_be_read_is_shown_at_normal_speed_and_said(see):
    curved = clip(media(), 0, 10, 24, name="curved")
    curved.effects.append(otio.schema.TimeEffect("ramp", "TimeRemap"))
    picture = see(timeline([[curved]], rate=24))
    assert picture.segments[0].layers[0].speed == 1
    assert picture.notes == ("The retime “TimeRemap” on “curved” cannot be read; the clip is shown at normal speed.",)


def test_the_upper_track_hides_the_lower_and_its_gaps_let_it_show(see):
    below = [clip(media("a.mov"), 0, 100, 24)]
    above = [gap(30, 24), clip(media("b.mov"), 500, 20, 24), gap(50, 24)]
    picture = see(timeline([below, above], rate=24))
    assert edges(picture) == [(0, 30), (30, 50), (50, 100)]
    assert shown(picture, 30) == ("b.mov", Fraction(1001, 48))
    assert shown(picture, 50) == ("a.mov", Fraction(101, 48))
    assert picture.cut_frames == (30, 50)


@pytest.mark.parametrize("disable", ["clip", "track"])
def test_disabled_clips_and_tracks_let_the_lower_show(see, disable):
    cut = timeline([[clip(media("a.mov"), 0, 100, 24)], [clip(media("b.mov"), 0, 50, 24)]], rate=24)
    (cut.tracks[1] if disable == "track" else cut.tracks[1][0]).enabled = False
    picture = see(cut)
    assert edges(picture) == [(0, 100)]
    assert shown(picture, 10)[0] == "a.mov"
    assert picture.cut_frames == ()


def test_a_change_that_is_hidden_is_no_cut(see):
    below = [clip(media("a.mov"), 0, 20, 24), clip(media("c.mov"), 0, 80, 24)]
    picture = see(timeline([below, [clip(media("b.mov"), 0, 100, 24)]], rate=24))
    assert edges(picture) == [(0, 100)]
    assert picture.cut_frames == ()


def test_a_through_edit_and_a_jump_in_the_same_media_are_cuts(see):
    items = [clip(media(), 0, 20, 24), clip(media(), 20, 20, 24), clip(media(), 60, 20, 24)]
    picture = see(timeline([items], rate=24))
    assert edges(picture) == [(0, 40), (40, 60)]
    assert picture.cut_frames == (20, 40)


def test_one_clip_that_is_covered_for_a_while_and_seen_again_is_not_cut_by_what_is_hidden(see):
    below = [clip(media("a.mov"), 0, 100, 24)]
    hidden = [gap(30, 24), clip(media("b.mov"), 0, 20, 24), gap(50, 24)]
    cut = timeline([below, hidden], rate=24)
    cut.tracks[1][1].enabled = False
    assert see(cut).cut_frames == ()


def test_a_change_of_speed_in_running_media_is_no_cut(see):
    picture = see(timeline([[clip(media(), 0, 20, 24), clip(media(), 20, 20, 24, speed=2)]], rate=24))
    assert edges(picture) == [(0, 20), (20, 40)]
    assert picture.cut_frames == ()


def test_gaps_are_black_and_start_a_new_shot(see):
    picture = see(timeline([[clip(media(), 0, 10, 24), gap(10, 24), clip(media(), 20, 10, 24)]], rate=24))
    assert shown(picture, 15) == ((0, 0, 0), None)
    assert picture.cut_frames == (10, 20)


def test_audio_shows_nothing_and_black_lasts_to_its_end(see):
    sound = track([clip(media("b.mov"), 0, 60, 24)], "Audio 1", "Audio")
    picture = see(timeline([[clip(media(), 0, 40, 24)], sound], rate=24))
    assert edges(picture) == [(0, 40), (40, 60)]
    assert shown(picture, 50) == ((0, 0, 0), None)


@pytest.mark.parametrize("rate", RATES)
def test_a_dissolve_mixes_the_handles_of_both_clips_and_cuts_at_its_middle(see, rate):
    written = WRITTEN[rate]
    reference = [media(name, rate=written) for name in ("a.mov", "b.mov")]
    items = [
        clip(reference[0], 100, 50, written),
        dissolve(6, 4, written),
        clip(reference[1], 300, 50, written),
    ]
    picture = see(timeline([items], rate=written))
    assert edges(picture) == [(0, 44), (44, 54), (54, 100)]
    outgoing, incoming = picture.segments[1].layers
    assert outgoing.media.path.name == "a.mov"
    assert outgoing.media_start_s == 144 / rate
    assert (outgoing.opacity_start, outgoing.opacity_stop) == (1, 0)
    assert incoming.media_start_s == 294 / rate  # six frames of the handle before frame 300
    assert (incoming.opacity_start, incoming.opacity_stop) == (0, 1)
    assert shown(picture, 54) == ("b.mov", Fraction(609, 2) / rate)
    assert picture.cut_frames == (49,)


def test_a_region_inside_a_dissolve_has_the_shares_of_its_frames(see):
    items = [clip(media("a.mov"), 100, 50, 24), dissolve(10, 10, 24), clip(media("b.mov"), 300, 50, 24)]
    (segment,) = see(timeline([items], rate=24), "f45", "f55").segments
    assert [(one.opacity_start, one.opacity_stop) for one in segment.layers] == [
        (Fraction(3, 4), Fraction(1, 4)),
        (Fraction(1, 4), Fraction(3, 4)),
    ]
    assert segment.layers[0].media_start_s == Fraction(145, 24)


def test_a_fade_from_a_gap_shows_the_lower_track_giving_way(see):
    above = [gap(20, 24), dissolve(0, 10, 24), clip(media("b.mov"), 0, 50, 24)]
    picture = see(timeline([[clip(media("a.mov"), 0, 70, 24)], above], rate=24))
    assert edges(picture) == [(0, 20), (20, 30), (30, 70)]
    below, over = picture.segments[1].layers
    assert (below.media.path.name, below.opacity_start, below.opacity_stop) == ("a.mov", 1, 0)
    assert below.media_start_s == Fraction(20, 24)
    assert (over.media.path.name, over.opacity_start, over.opacity_stop) == ("b.mov", 0, 1)
    assert picture.cut_frames == (25,)


def test_a_wipe_is_treated_as_a_dissolve_and_said(see):
    wipe = otio.schema.Transition("clock wipe", "Custom_Transition", time(5, 24), time(5, 24))
    picture = see(timeline([[clip(media("a.mov"), 0, 20, 24), wipe, clip(media("b.mov"), 50, 20, 24)]], rate=24))
    assert edges(picture) == [(0, 15), (15, 25), (25, 40)]
    assert picture.notes == ("The transition “clock wipe” (Custom_Transition) is treated as a dissolve.",)


def test_a_fade_to_nothing_ends_in_black(see):
    items = [clip(media(), 0, 50, 24), dissolve(10, 0, 24)]
    segment = see(timeline([items], rate=24)).segments[-1]
    assert (segment.start_frame, segment.stop_frame) == (40, 50)
    black, over = segment.layers
    assert black.media == Colour()
    assert (black.opacity_start, black.opacity_stop) == (0, 1)
    assert (over.opacity_start, over.opacity_stop) == (1, 0)


def test_the_shares_of_every_segment_add_up(see):
    below = [clip(media("a.mov"), 100, 40, 24), dissolve(20, 20, 24), clip(media("c.mov"), 100, 40, 24)]
    above = [gap(30, 24), dissolve(5, 20, 24), clip(media("b.mov"), 100, 50, 24)]
    for segment in see(timeline([below, above], rate=24)).segments:
        assert sum(layer.opacity_start for layer in segment.layers) == 1
        assert sum(layer.opacity_stop for layer in segment.layers) == 1


def nested_at_25():
    """100 frames at 25: 40 of a.mov from frame 10, then 60 of b.mov from frame 500."""
    nested = otio.schema.Stack("nested")
    nested.append(track([clip(media("a.mov", 25), 10, 40, 25), clip(media("b.mov", 25), 500, 60, 25)]))
    return nested


def test_a_nested_timeline_keeps_its_own_rate_and_range(see):
    """From its frame 20 on, seen at 23.976: its cut at 40 is 0.8 s in: 19.18 frames, so frame 19 shows b.mov."""
    nested = nested_at_25()
    nested.source_range = span(20, 50, 25)
    picture = see(timeline([[gap(24, 23.976), nested]], rate=23.976))
    assert edges(picture) == [(0, 24), (24, 43), (43, 44), (44, 72)]
    start_s = 24 / FILM
    layer = picture.segments[1].layers[0]
    assert media_s(layer, start_s) == Fraction(30, 25)
    pinned, rest = (segment.layers[0] for segment in picture.segments[2:])
    assert pinned.media_start_s == Fraction(500, 25)  # not the 499.8 that frame 43's start would show of other footage
    assert media_s(rest, start_s + Fraction(4, 5)) == Fraction(500, 25)
    assert picture.cut_frames == (24, 43)


def test_a_nested_timeline_may_be_retimed_and_played_backwards(see):
    nested = nested_at_25()
    nested.source_range = span(0, 50, 25)
    nested.effects.append(otio.schema.LinearTimeWarp(time_scalar=-2))
    picture = see(timeline([[nested]], rate=25))
    assert edges(picture) == [(0, 30), (30, 50)]
    assert shown(picture, 0) == ("b.mov", Fraction(559, 25))  # its middle is one frame before the nested end, 100
    assert shown(picture, 30) == ("a.mov", Fraction(49, 25))
    assert picture.segments[0].layers[0].speed == -2


def test_a_frozen_nested_timeline_shows_one_moment(see):
    nested = nested_at_25()
    nested.source_range = span(45, 50, 25)
    nested.effects.append(otio.schema.FreezeFrame())
    picture = see(timeline([[nested]], rate=25))
    assert edges(picture) == [(0, 50)]
    assert shown(picture, 0) == shown(picture, 49) == ("b.mov", Fraction(1011, 50))


def test_a_dissolve_inside_a_nested_retimed_timeline_is_stretched(see):
    inner = track([clip(media("a.mov"), 100, 40, 24), dissolve(8, 8, 24), clip(media("b.mov"), 100, 40, 24)])
    inner.source_range = span(20, 40, 24)
    nested = otio.schema.Stack("nested", source_range=span(0, 80, 24))
    nested.append(inner)
    nested.effects.append(otio.schema.LinearTimeWarp(time_scalar=0.5))
    picture = see(timeline([[nested]], rate=24))
    assert edges(picture) == [(0, 24), (24, 56), (56, 80)]
    assert picture.segments[1].layers[0].media_start_s == Fraction(132, 24)
    assert picture.segments[1].layers[0].speed == Fraction(1, 2)
    assert picture.cut_frames == (40,)


def test_a_dissolve_into_a_nested_timeline_uses_its_hidden_head(see):
    nested = nested_at_25()
    nested.source_range = span(45, 40, 25)
    items = [clip(media("c.mov", 25), 0, 20, 25), dissolve(10, 0, 25), nested]
    picture = see(timeline([items], rate=25))
    assert edges(picture) == [(0, 10), (10, 15), (15, 20), (20, 60)]
    assert [layer.media.path.name for layer in picture.segments[1].layers] == ["c.mov", "a.mov"]
    assert [layer.media.path.name for layer in picture.segments[2].layers] == ["c.mov", "b.mov"]
    assert picture.cut_frames == (15,)  # of the two, b.mov leads from the dissolve's middle on


def test_an_edge_inside_a_frame_moves_to_where_the_frames_middle_falls(see):
    def names(first_count):
        items = [clip(media("a.mov"), 0, first_count, 24), clip(media("b.mov"), 0, 8, 24)]
        picture = see(timeline([items], rate=24))
        return [shown(picture, frame)[0] for frame in range(3)]

    assert names(1.4) == ["a.mov", "b.mov", "b.mov"]
    assert names(1.6) == ["a.mov", "a.mov", "b.mov"]


def test_a_region_shows_of_a_clip_what_the_whole_timeline_shows_of_it(see):
    """Also where the clip's edges fall inside frames, so that part of a take can be made anew to the same picture."""
    items = [clip(media("a.mov"), 50, 9.6, 24), clip(media("b.mov"), 50, 9.7, 24, speed=-1), clip(media(), 0, 5, 24)]
    cut = timeline([items], rate=24)
    whole = see(cut)
    for start in range(0, 24):
        part = see(cut, f"f{start}", "f24")
        for frame in range(start, 24):
            assert shown(part, frame) == shown(whole, frame)


def test_a_clip_that_covers_no_frames_middle_is_not_seen(see):
    items = [clip(media("a.mov"), 0, 1.6, 24), clip(media("c.mov"), 0, 0.8, 24), clip(media("b.mov"), 0, 8, 24)]
    picture = see(timeline([items], rate=24))
    assert [shown(picture, frame)[0] for frame in (1, 2, 3)] == ["a.mov", "b.mov", "b.mov"]
    assert picture.cut_frames == (2,)


def test_a_clip_whose_rate_differs_from_the_timelines_runs_in_real_time(see):
    picture = see(timeline([[clip(media("a.mov", 59.94), 600, 100, 59.94), gap(1, 29.97)]], rate=29.97))
    assert edges(picture) == [(0, 50), (50, 51)]
    assert picture.segments[0].layers[0].media_start_s == Fraction(1001, 100)
    assert picture.segments[0].layers[0].speed == 1


def test_a_source_range_from_zero_on_media_with_timecode_counts_from_the_first_picture(see):
    cut = timeline([[clip(media(first=86400), 48, 24, 24)]], rate=24)
    assert see(cut).segments[0].layers[0].media_start_s == 2


def test_without_an_available_range_the_source_range_counts_from_the_first_picture(see):
    cut = timeline([[clip(otio.schema.ExternalReference("a.mov"), 48, 24, 24)]], rate=24)
    assert see(cut).segments[0].layers[0].media_start_s == 2


def test_a_still_is_held(see, folder):
    (folder / "still.png").touch()
    cut = timeline([[clip(movie("still.png", 24, 1), 0, 444, 24)]], rate=24)
    layer = see(cut, "f100", "f110").segments[0].layers[0]
    assert (layer.media_start_s, layer.speed) == (0, 0)


def test_numbered_pictures_keep_their_rate_step_and_first_number(see, folder):
    (folder / "shot").mkdir()
    (folder / "shot" / "shot.1001.exr").touch()
    reference = otio.schema.ImageSequenceReference(
        target_url_base="shot/",
        name_prefix="shot.",
        name_suffix=".exr",
        start_frame=1001,
        frame_step=2,
        rate=24,
        frame_zero_padding=4,
        available_range=span(86400, 100, 24),
    )
    layer = see(timeline([[clip(reference, 86410, 24, 24)]], rate=24)).segments[0].layers[0]
    assert layer.media_start_s == Fraction(10, 24)
    sequence = layer.media
    assert (sequence.directory, sequence.prefix, sequence.suffix) == (folder / "shot", "shot.", ".exr")
    assert (sequence.zero_padding, sequence.first_number, sequence.frame_count) == (4, 1001, 50)
    assert (sequence.frame_step, sequence.rate) == (2, 24)


@pytest.mark.parametrize(
    ("colour", "rgb"),
    [([1.0, 0.5, 0.0], (255, 128, 0)), ([10, 20, 30, 255], (10, 20, 30)), ("#0a141e", (10, 20, 30))],
)
def test_a_solid_colour_is_that_colour(see, colour, rgb):
    solid = otio.schema.GeneratorReference("", "SolidColor", span(0, 10, 24), parameters={"color": colour})
    assert shown(see(timeline([[clip(solid, 0, 10, 24)]], rate=24)), 0) == (rgb, None)


def test_other_generators_are_black_and_said_and_titles_are_seen_through(see):
    bars = clip(otio.schema.GeneratorReference("", "SMPTEBars"), 0, 10, 24, "bars")
    title = clip(otio.schema.GeneratorReference("", "Text+"), 0, 20, 24, "credits")
    picture = see(timeline([[bars, clip(media(), 0, 10, 24)], [title]], rate=24))
    assert shown(picture, 0) == ((0, 0, 0), None)
    assert shown(picture, 10)[0] == "a.mov"
    assert picture.notes == ("The generator “bars” (SMPTEBars) is shown as black.",)


@pytest.mark.parametrize(
    ("file_name", "written"),
    [
        ("my film.mov", "file://{}/my%20film.mov"),
        ("my film.mov", "file://localhost{}/my%20film.mov"),
        ("my film.mov", "{}/my film.mov"),
        ("my film.mov", "my%20film.mov"),
        ("take #3?.mov", "{}/take #3?.mov"),
        ("take #3?.mov", "file://{}/take%20%233%3F.mov"),
        ("take #3.mov", "file://{}/take #3.mov"),
        ("100%20.mov", "{}/100%20.mov"),
        ("in/side.mov", "./in/side.mov"),
        ("film.mov", "C:\\Users\\someone\\film.mov"),
        ("film.mov", "file://localhost/D%3a/media/film.mov"),
    ],
)
def test_a_file_is_found_however_the_editor_writes_its_path(see, folder, file_name, written):
    path = folder / file_name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    cut = timeline([[clip(otio.schema.ExternalReference(written.format(folder)), 0, 10, 24)]], rate=24)
    layer = see(cut).segments[0].layers[0]
    assert isinstance(layer.media, MovieFile)
    assert layer.media.path.samefile(path)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (otio.schema.MissingReference(), "“shot 4” at 01:00:00:10 is offline.*Relink it"),
        (
            otio.schema.ExternalReference("/nowhere/x.mov"),
            "“shot 4” at 01:00:00:10 is missing: there is no /nowhere/x.mov",
        ),
        (otio.schema.ExternalReference("C:\\x\\y.mov"), r"there is no C:.x.y\.mov.*or relink"),
        (otio.schema.ExternalReference("https://host/x.mov"), "on a network address, https://host/x.mov; download"),
        (
            otio.schema.ImageSequenceReference("/nowhere", "p.", ".exr", frame_zero_padding=4, rate=24),
            "pictures of the clip “shot 4” at 01:00:00:10 are missing: there is no p.####.exr in /nowhere",
        ),
    ],
)
def test_missing_media_that_are_seen_are_named_with_where_and_what_to_do(see, reference, said):
    items = [clip(media(), 0, 10, 24), clip(reference, 0, 10, 24, "shot 4")]
    cut = timeline([items], rate=24, label_frame=86400)
    with pytest.raises(MediaError, match=said):
        see(cut)
    assert edges(see(cut, "f0", "f10")) == [(0, 10)]  # outside the region they are not missed


def test_missing_media_below_what_is_seen_are_not_missed(see):
    cut = timeline([[clip(otio.schema.MissingReference(), 0, 10, 24)], [clip(media(), 0, 10, 24)]], rate=24)
    assert shown(see(cut), 5)[0] == "a.mov"


def test_a_clip_of_unknown_length_is_named(see):
    cut = timeline([[otio.schema.Clip("endless", otio.schema.ExternalReference("a.mov"))]], rate=24)
    with pytest.raises(TimelineError, match="“endless” says neither which part"):
        see(cut)


def test_the_timeline_is_left_as_it_was(see):
    cut = timeline([[clip(media(), 0, 10, 24), dissolve(2, 2, 24), clip(media("b.mov"), 10, 10, 24)]], rate=24)
    before = cut.to_json_string()
    see(cut)
    assert cut.to_json_string() == before


def test_cut_samples_count_from_the_regions_start(see):
    items = [clip(media("a.mov", 29.97), 0, 30, 29.97), clip(media("b.mov", 29.97), 0, 30, 29.97)]
    picture = see(timeline([items], rate=29.97), "f7", "f50")
    assert picture.cut_samples == (48048 - 11211,)  # frames 30 and 7 of 1601.6 samples


def test_a_ten_minute_timeline_with_hundreds_of_clips_is_read_in_time(see, folder):
    """Seconds where it takes a fraction: a guard against quadratic work, not a benchmark."""
    tracks = [[clip(media(name), 10 * number, 24, 24) for number in range(600)] for name in ("a.mov", "b.mov", "c.mov")]
    cut = timeline(tracks, rate=24)
    started = clock.perf_counter()
    picture = picture_of(cut, Region(Fraction(24), 0, 0, 14400), folder)
    assert clock.perf_counter() - started < 5
    assert len(picture.segments) == 600


def write_movie(path, start_timecode):
    with av.open(str(path), "w") as container:
        container.metadata["timecode"] = start_timecode
        stream = container.add_stream("mpeg4", rate=24, options={"threads": "1"})
        stream.width = stream.height = 16
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def test_without_an_available_range_the_files_own_timecode_counts_where_the_source_range_lies_behind_it(see, folder):
    write_movie(folder / "timecode.mov", "01:00:00:00")
    reference = otio.schema.ExternalReference("timecode.mov")
    for start in (86401, 1):
        cut = timeline([[clip(reference, start, 2, 24)]], rate=24)
        assert see(cut).segments[0].layers[0].media_start_s == Fraction(1, 24)
