import gc
import json
import shutil
import struct
from fractions import Fraction

import opentimelineio as otio
import pytest

from diffava_resolve.errors import TimelineError
from diffava_resolve.timeline.rates import is_drop_frame, label_frame, timeline_rate
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_timeline
from diffava_resolve.timeline.viewer import picture_of
from support.shared_data import TIMELINES, needs_shared_timelines
from support.timelines import clip, gap, movie, relink_all, span, timeline, track


@pytest.fixture
def written(tmp_path):
    def write(content, name="cut.otio"):
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            otio.adapters.write_to_file(content, str(path), adapter_name="otio_json")
        return path

    return write


# pyaaf2 leaves a file that it cannot parse to the garbage collector.
leaves_files_open = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


def small_cut():
    return timeline([[clip(movie("a.mov", 24, 100), 0, 48, 24)]], rate=24, label_frame=86400)


@pytest.mark.parametrize("name", ["cut.otio", "cut.json", "CUT.OTIO"])
def test_otio_is_read_under_any_of_its_names(written, name):
    assert read_timeline(written(small_cut(), name)).global_start_time.value == 86400


def test_a_collection_with_one_timeline_is_that_timeline(written):
    assert read_timeline(written(otio.schema.SerializableCollection("bin", [small_cut()]))).name == "cut"


def fails(path, *said):
    with pytest.raises(TimelineError) as caught:
        read_timeline(path)
    message = str(caught.value)
    assert str(path) in message
    for part in said:
        assert part in message
    assert "\n" not in message
    assert "Traceback" not in message


def test_a_missing_file_is_one_sentence(tmp_path):
    fails(tmp_path / "nowhere.otio", "There is no timeline")


def test_an_empty_file_is_one_sentence(written):
    fails(written(""), "is empty")


def test_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "cut.otio").mkdir()
    fails(tmp_path / "cut.otio", "is a folder")


def test_an_unknown_kind_names_the_known_ones(written):
    fails(written("x", "cut.mov"), "“.mov”", ".otio", ".fcpxml")


def test_every_truncation_of_an_otio_file_is_one_sentence(written):
    text = otio.adapters.write_to_string(small_cut(), "otio_json")
    for length in range(1, len(text) - 1, 97):
        fails(written(text[:length]), "cannot be read", "export it again")


@leaves_files_open
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("noise.otio", bytes(range(256))),
        ("noise.aaf", bytes(range(256)) * 8),
        ("noise.otioz", b"PK\x03\x04 not a zip"),
        ("noise.edl", bytes(range(128, 256))),
        ("noise.xml", b"<xmeml version='5'><sequence>"),
        ("noise.fcpxml", b"<fcpxml><resources/>"),
        ("other.xml", b"<html></html>"),
        ("header.aaf", struct.pack("<Q", 0xE11AB1A1E011CFD0) + bytes(600)),
    ],
)
def test_a_damaged_file_of_any_kind_is_one_sentence(written, name, content):
    fails(written(content, name))
    gc.collect()  # here, where the warning of an open file is expected


def test_what_is_found_instead_of_a_timeline_is_named(written):
    fails(written(clip(None, 0, 10, 24)), "holds a Clip, not a timeline")
    fails(written(otio.schema.SerializableCollection("bin", [])), "collection with no timeline")
    fails(
        written(otio.schema.SerializableCollection("bin", [timeline([], name="one"), timeline([], name="two")])),
        "2 timelines (“one”, “two”)",
    )


def test_schemas_of_a_newer_opentimelineio_are_read_as_far_as_known(written):
    cut = small_cut()
    cut.tracks.markers.append(otio.schema.Marker("m"))
    document = json.loads(otio.adapters.write_to_string(cut, "otio_json"))
    blue = {"OTIO_SCHEMA": "Color.1", "name": "BLUE", "r": 0.0, "g": 0.0, "b": 1.0, "a": 1.0}
    document["tracks"]["markers"][0] |= {"OTIO_SCHEMA": "Marker.3", "color": blue}
    assert read_timeline(written(json.dumps(document))).tracks.markers[0].color == "BLUE"


@pytest.mark.parametrize(("frames", "rate"), [("23", 24), ("24", 25), ("29", 30)])
def test_an_edl_takes_the_lowest_rate_that_its_frame_numbers_fit(written, frames, rate):
    edl = f"TITLE: t\n\n001  AX V     C        00:00:00:00 00:00:01:{frames} 00:00:00:00 00:00:01:{frames}\n"
    assert timeline_rate(read_timeline(written(edl, "cut.edl"))) == rate


def test_an_edl_with_semicolons_drops_frames(written):
    edl = "TITLE: t\n\n001  AX V     C        00:00:00;00 00:00:02;00 01:00:00;00 01:00:02;00\n"
    cut = read_timeline(written(edl, "cut.edl"))
    assert timeline_rate(cut) == Fraction(30000, 1001)
    assert label_frame(cut) == 107892
    assert is_drop_frame(cut)


def test_an_edls_tracks_start_where_their_record_timecode_says(written):
    edl = (
        "TITLE: t\n\n"
        "001  AX V     C        00:00:00:00 00:00:02:00 01:00:00:00 01:00:02:00\n"
        "002  AX A     C        00:00:00:00 00:00:01:00 01:00:01:00 01:00:02:00\n"
    )
    cut = read_timeline(written(edl, "cut.edl"))
    assert label_frame(cut) == 86400
    assert region_of_timeline(cut).stop_frame == 48
    assert [child.duration().value for child in cut.audio_tracks()[0]] == [24, 24]


FCPXML = """<?xml version="1.0" encoding="UTF-8"?>
<fcpxml version="1.8"><resources>
<format id="r1" frameDuration="{frame}s"/>
<asset id="r2" name="one" src="file://{folder}/a.mov" start="{hour}s" duration="{hundred}s" hasVideo="1" format="r1"/>
</resources><library><event name="e"><project name="p">
<sequence duration="{fifty}s" format="r1" tcStart="{hour}s" tcFormat="NDF"><spine>
<asset-clip name="one" ref="r2" offset="{hour}s" start="{in_one}s" duration="{twenty_nine}s" format="r1"/>
<gap name="Gap" offset="{gap}s" duration="{five}s" start="3600s"/>
<asset-clip name="two" ref="r2" offset="{two}s" start="{in_two}s" duration="{sixteen}s" format="r1"/>
</spine></sequence></project></event></library></fcpxml>"""


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001)])
def test_fcpxml_is_exact_at_every_rate_and_from_its_start_timecode(tmp_path, rate):
    (tmp_path / "a.mov").touch()
    hour = round(3600 * rate)
    frames = {"frame": 1, "hour": hour, "hundred": 100, "fifty": 50, "in_one": hour + 10, "twenty_nine": 29}
    frames |= {"gap": hour + 29, "five": 5, "two": hour + 34, "in_two": hour + 60, "sixteen": 16}
    path = tmp_path / "cut.fcpxml"
    path.write_text(FCPXML.format(folder=tmp_path, **{name: count / rate for name, count in frames.items()}))
    read = read_timeline(path)
    assert timeline_rate(read) == rate
    assert label_frame(read) == hour
    picture = picture_of(read, region_of_timeline(read), tmp_path)
    assert [(one.start_frame, one.stop_frame) for one in picture.segments] == [(0, 29), (29, 34), (34, 50)]
    assert picture.segments[0].layers[0].media_start_s == 10 / rate
    assert picture.segments[2].layers[0].media_start_s == 60 / rate


def test_a_nested_sequence_of_final_cut_xml_keeps_what_it_holds(tmp_path):
    (tmp_path / "a.mov").touch()
    nested = otio.schema.Stack("nested", source_range=span(5, 20, 25))
    nested.append(track([clip(movie(tmp_path / "a.mov", 25, 100), 10, 40, 25)]))
    path = tmp_path / "cut.xml"
    otio.adapters.write_to_file(timeline([[nested, gap(5, 25)]], rate=25), str(path), adapter_name="fcp_xml")
    read = read_timeline(path)
    picture = picture_of(read, region_of_timeline(read), tmp_path)
    assert picture.segments[0].stop_frame == 20
    assert picture.segments[0].layers[0].media_start_s == Fraction(15, 25)
    assert picture.notes == ()


def test_a_bundle_is_unpacked_beside_itself_and_its_media_are_found(tmp_path):
    media = tmp_path / "elsewhere" / "a.mov"
    media.parent.mkdir()
    media.write_bytes(b"media")
    source = timeline([[clip(movie(media, 24, 100), 0, 48, 24)]], rate=24)
    bundle = tmp_path / "cut.otioz"
    otio.adapters.write_to_file(source, str(bundle))
    shutil.rmtree(media.parent)
    for _ in range(2):  # the second reading uses what the first unpacked
        read = read_timeline(bundle)
        (segment,) = picture_of(read, region_of_timeline(read), tmp_path).segments
        assert segment.layers[0].media.path.read_bytes() == b"media"


def test_a_bundle_exported_anew_is_read_anew(tmp_path):
    media = tmp_path / "a.mov"
    media.write_bytes(b"media")
    for count in (10, 20):
        bundle = tmp_path / "cut.otioz"
        bundle.unlink(missing_ok=True)
        otio.adapters.write_to_file(timeline([[clip(movie(media, 24, 100), 0, count, 24)]], rate=24), str(bundle))
        assert region_of_timeline(read_timeline(bundle)).stop_frame == count


def real_timelines():
    return sorted(path for path in TIMELINES.glob("*/*") if path.suffix != ".csv")


@needs_shared_timelines
@pytest.mark.parametrize("path", real_timelines(), ids=lambda path: path.name)
def test_real_editors_timelines_are_read_and_seen_without_holes_or_refused_in_a_sentence(path, tmp_path):
    refused = {
        "fcpx_example.fcpxml": "2 timelines",
        **{single.name: "holds a Clip" for single in TIMELINES.glob("ayon_core/*.json")},
    }
    if path.name in refused:
        fails(path, refused[path.name])
        return
    stand_in = tmp_path / "stand_in.mov"
    stand_in.touch()
    cut = relink_all(read_timeline(path), stand_in)
    region = region_of_timeline(cut)
    picture = picture_of(cut, region, tmp_path)
    edges = [region.start_frame, *(segment.stop_frame for segment in picture.segments)]
    assert [segment.start_frame for segment in picture.segments] == edges[:-1]
    assert edges[-1] == region.stop_frame
    assert all(region.start_frame < frame < region.stop_frame for frame in picture.cut_frames)
