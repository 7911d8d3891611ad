import zipfile
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import opentimelineio as otio
import pytest

from diffava_resolve.errors import FoleyError, OutputError, RequestError
from diffava_resolve.timeline.export import export_timeline, write_otio
from diffava_resolve.timeline.place import foley_clips, place_takes
from diffava_resolve.timeline.rates import is_drop_frame, seconds_of, timeline_rate
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.tracks import spans
from support.disks import mounted_disk
from support.shared_data import TIMELINES
from support.takes import ALL_RATES, cut_of_two_shots, placed_takes, region
from support.timelines import clip, dissolve, gap, movie, timeline, track

READ_BACK = [".otio", ".otioz", ".xml", ".aaf"]
ALL_SUFFIXES = [*READ_BACK, ".fcpxml", ".kdenlive", ".mlt"]
REAL_TIMELINES = [pytest.param(path, id=path.stem) for path in sorted(TIMELINES.glob("aswf_otio/*.otio"))] or [
    pytest.param(None, marks=pytest.mark.skip(reason=f"the real editors' timelines are not at {TIMELINES}"))
]


def made_of(tmp_path, rate=Fraction(24), label_frame=86_400, count=1):
    where = region(rate, label_frame=label_frame)
    return place_takes(cut_of_two_shots(rate, label_frame), where, placed_takes(tmp_path, where, count), tmp_path)


def audio_positions(read, rate):
    """Where sounds lie, in frames, whatever the adapter calls their tracks."""
    return [
        (span.start_s * rate, span.stop_s * rate, span.child)
        for found in read.audio_tracks()
        for span in spans(found)
        if isinstance(span.child, otio.schema.Clip)
    ]


@pytest.mark.parametrize("rate", ALL_RATES, ids=str)
@pytest.mark.parametrize("suffix", READ_BACK)
def test_the_audio_lies_on_the_exact_frame_when_the_export_is_read_again(tmp_path, suffix, rate):
    made = made_of(tmp_path, rate)
    export_timeline(made, tmp_path, tmp_path / f"out{suffix}")
    read = read_timeline(tmp_path / f"out{suffix}")
    ((start, stop, placed),) = audio_positions(read, rate)
    assert (start, stop) == (36, 86)
    assert timeline_rate(read) == rate
    assert seconds_of(read.global_start_time) == 86_400 / rate
    assert Path(placed.media_reference.target_url).name == Path(foley_clips(made)[0].chosen.target_url).name


@pytest.mark.parametrize("rate", ALL_RATES, ids=str)
def test_an_fcpxml_counts_in_exact_frames_at_every_rate(tmp_path, rate):
    export_timeline(made_of(tmp_path, rate), tmp_path, tmp_path / "out.fcpxml")
    root = ElementTree.parse(tmp_path / "out.fcpxml").getroot()
    frame_s = seconds(root.find("resources/format").get("frameDuration"))
    assert frame_s == 1 / rate
    for element in root.iter():
        for name in ("offset", "start", "duration"):
            assert (seconds(element.get(name, "0s")) / frame_s).denominator == 1, (element.tag, name)
    shot = root.find("project/sequence/spine/clip")
    sound = shot.find("clip")
    # What hangs on a clip is counted in that clip's own media time.
    into_shot = seconds(sound.get("offset")) - seconds(shot.get("start"))
    assert (seconds(shot.get("offset")) + into_shot) / frame_s == 36
    assert seconds(sound.get("duration")) / frame_s == 50


@pytest.mark.parametrize("suffix", [".xml", ".aaf", ".fcpxml"])
def test_media_of_unknown_length_are_shown_from_the_same_frame(tmp_path, suffix):
    shots = [clip(otio.schema.ExternalReference("/shot.mov"), start, 40, 24, f"from {start}") for start in (30, 5)]
    where = region(24, label_frame=0, start=10, stop=20)
    made = place_takes(timeline([shots], 24), where, placed_takes(tmp_path, where), tmp_path)
    export_timeline(made, tmp_path, tmp_path / f"out{suffix}")
    (pictures,) = read_timeline(tmp_path / f"out{suffix}").video_tracks()
    shown = [
        (found.trimmed_range().start_time - found.available_range().start_time, found.duration())
        for found in pictures.find_clips()
    ]
    assert [(start.value, count.value) for start, count in shown] == [(30, 40), (5, 40)]


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(60000, 1001)], ids=str)
def test_a_timeline_in_drop_frame_is_numbered_so_in_fcp_xml_too(tmp_path, rate):
    an_hour = 107_892 * round(rate / 30)  # 01:00:00;00
    export_timeline(made_of(tmp_path, rate, an_hour), tmp_path, tmp_path / "out.xml")
    timecode = ElementTree.parse(tmp_path / "out.xml").getroot().find("project//sequence/timecode")
    assert (timecode.findtext("string"), timecode.findtext("displayformat")) == ("01:00:00;00", "DF")
    assert is_drop_frame(read_timeline(tmp_path / "out.xml"))


def test_an_aaf_says_that_drop_frame_is_lost(tmp_path):
    lost = export_timeline(made_of(tmp_path, Fraction(30000, 1001), 107_892), tmp_path, tmp_path / "out.aaf")
    assert any("Drop frame" in line for line in lost)


@pytest.mark.parametrize(("suffix", "is_lost"), [(".xml", 1), (".aaf", 1), (".fcpxml", 1), (".kdenlive", 0)])
def test_a_retime_that_a_format_does_not_carry_is_said_to_be_lost(tmp_path, suffix, is_lost):
    where = region()
    given = timeline([[clip(movie("/shot.mov", 24, 400), 0, 100, 24, speed=2)]], 24)
    made = place_takes(given, where, placed_takes(tmp_path, where), tmp_path)
    lost = export_timeline(made, tmp_path, tmp_path / f"out{suffix}")
    assert sum("1 retime" in line for line in lost) == is_lost


def test_an_fcpxml_of_audio_alone_gets_a_gap_to_hang_it_on(tmp_path):
    where = region()
    given = timeline([track([gap(10, 24)], "A", "Audio")], 24)
    made = place_takes(given, where, placed_takes(tmp_path, where), tmp_path)
    export_timeline(made, tmp_path, tmp_path / "out.fcpxml")
    root = ElementTree.parse(tmp_path / "out.fcpxml").getroot()
    assert root.find("project/sequence/spine/gap/clip") is not None


@pytest.mark.parametrize("rate", ALL_RATES, ids=str)
def test_an_mlt_counts_in_whole_frames_of_the_exact_rate(tmp_path, rate):
    export_timeline(made_of(tmp_path, rate), tmp_path, tmp_path / "out.kdenlive")
    root = ElementTree.parse(tmp_path / "out.kdenlive").getroot()
    profile = root.find("profile")
    assert Fraction(int(profile.get("frame_rate_num")), int(profile.get("frame_rate_den"))) == rate
    shots, sounds = root.find("playlist[@id='playlist0']"), root.find("playlist[@id='playlist2']")
    assert [(entry.get("in"), entry.get("out")) for entry in shots.iter("entry")] == [("10", "109"), ("10", "109")]
    assert sounds.find("blank").get("length") == "36"
    assert [(entry.get("in"), entry.get("out")) for entry in sounds.iter("entry")] == [("0", "49")]
    assert root.find("producer[@id='black_track']").get("out") == "199"


def test_an_mlt_far_into_the_hour_is_still_exact(tmp_path):
    """The adapter's own clock is up to a frame off past the first minute at 23.976."""
    rate = Fraction(24000, 1001)
    given = timeline([[clip(movie("/shot.mov", rate, 200_000), 0, 100_000, rate)]], rate)
    where = region(rate, 86_313, 86_363)
    export_timeline(place_takes(given, where, placed_takes(tmp_path, where), tmp_path), tmp_path, tmp_path / "out.mlt")
    blank = ElementTree.parse(tmp_path / "out.mlt").getroot().find("playlist[@id='playlist2']/blank")
    assert blank.get("length") == "86313"


def test_an_mlt_keeps_what_follows_a_nested_sequence_in_place(tmp_path):
    inner = otio.schema.Stack(children=[track([clip(None, 0, 30, 24)])])
    given = timeline([[inner, clip(movie("/shot.mov", 24, 300), 0, 100, 24)]], 24)
    where = region()
    made = place_takes(given, where, placed_takes(tmp_path, where), tmp_path)
    lost = export_timeline(made, tmp_path, tmp_path / "out.mlt")
    first = ElementTree.parse(tmp_path / "out.mlt").getroot().find("playlist[@id='playlist0']")[0]
    assert (first.tag, first.get("length")) == ("blank", "30")
    assert "1 nested sequence is written as gaps of the same length." in lost


@pytest.mark.parametrize("suffix", [".xml", ".aaf", ".otioz", ".kdenlive"])
def test_a_path_with_characters_of_urls_still_leads_to_the_file(tmp_path, suffix):
    folder = tmp_path / "50% #1? ä"
    folder.mkdir()
    made = made_of(folder)
    export_timeline(made, folder, tmp_path / f"out{suffix}")
    name = Path(foley_clips(made)[0].chosen.target_url).name
    if suffix == ".kdenlive":
        root = ElementTree.parse(tmp_path / "out.kdenlive").getroot()
        resources = [element.text for element in root.iterfind("producer/property[@name='resource']")]
        found = [path for path in resources if path.endswith(".wav")]
    else:
        found = [
            str(otio.url_utils.filepath_from_url(item.media_reference.target_url))
            for _, _, item in audio_positions(read_timeline(tmp_path / f"out{suffix}"), Fraction(24))
        ]
    assert [Path(path).name for path in found] == [name]
    assert all(Path(path).is_file() for path in found)


def test_a_bundle_holds_the_chosen_take(tmp_path):
    made = made_of(tmp_path, count=3)
    lost = export_timeline(made, tmp_path, tmp_path / "out.otioz")
    with zipfile.ZipFile(tmp_path / "out.otioz") as bundle:
        inside = [name for name in bundle.namelist() if name.startswith("media/") and name.endswith(".wav")]
    assert inside == [f"media/{foley_clips(made)[0].chosen.target_url}"]
    assert any(line.startswith("2 further takes are not bundled") for line in lost)
    assert any(line.startswith("2 media files are not found") for line in lost)


def test_what_a_format_loses_is_said_in_a_line_each(tmp_path):
    made = made_of(tmp_path, count=3)
    made.tracks.markers.append(otio.schema.Marker("here"))
    said = {suffix: "\n".join(export_timeline(made, tmp_path, tmp_path / f"out{suffix}")) for suffix in ALL_SUFFIXES}
    assert said[".otio"] == ""
    for suffix in (".xml", ".aaf", ".fcpxml", ".kdenlive"):
        assert "2 further takes are left out" in said[suffix]
        assert "1 clip is without receipts" in said[suffix]
    assert "Track names are lost: Video 1, Foley." in said[".xml"]
    assert "1 marker is left out." in said[".aaf"]
    assert "begins at 0 instead of frame 86400" in said[".fcpxml"]
    assert "begins at 0 instead of frame 86400" in said[".kdenlive"]


@pytest.mark.parametrize("suffix", [".xml", ".fcpxml", ".aaf", ".kdenlive"])
def test_effects_and_what_is_switched_off_are_said_to_be_lost(tmp_path, suffix):
    where = region()
    shots = [clip(movie("/shot.mov", 24, 400), 0, 50, 24) for _ in range(3)]
    shots[0].effects.append(otio.schema.Effect("glow"))
    shots[1].enabled = False
    given = timeline([shots, track([clip(movie("/a.wav", 24, 400), 0, 50, 24)], "Dialogue", "Audio")], 24)
    given.tracks[1].enabled = False
    made = place_takes(given, where, placed_takes(tmp_path, where), tmp_path)
    lost = export_timeline(made, tmp_path, tmp_path / f"out{suffix}")
    assert "1 effect is left out." in lost
    assert "1 disabled clip and 1 disabled track will be seen and heard: disable them again there." in lost


def test_the_table_of_losses_is_true_of_what_is_read_back(tmp_path):
    made = made_of(tmp_path, count=2)
    for suffix in (".xml", ".aaf"):
        export_timeline(made, tmp_path, tmp_path / f"out{suffix}")
        read = read_timeline(tmp_path / f"out{suffix}")
        ((_, _, placed),) = audio_positions(read, Fraction(24))
        assert len({reference.target_url for reference in placed.media_references().values()}) == 1
        assert not foley_clips(read)


def test_items_between_frames_are_moved_to_frames_without_adding_up(tmp_path):
    rate = Fraction(24)
    sounds = [clip(movie("/a.wav", 48000, 99_999), 0, 48_500, 48000) for _ in range(40)]
    given = timeline([[clip(movie("/shot.mov", 24, 3000), 0, 2000, 24)], track(sounds, "Dialogue", "Audio")], 24)
    lost = export_timeline(given, tmp_path, tmp_path / "out.xml")
    positions = audio_positions(read_timeline(tmp_path / "out.xml"), rate)
    assert [start for start, _, _ in positions] == [round(Fraction(48_500 * number, 2000)) for number in range(40)]
    assert any("moved to whole frames" in line for line in lost)


def test_an_aaf_gets_plain_cuts_for_transitions_that_it_cannot_describe(tmp_path):
    shots = [clip(movie("/a.mov", 24, 300), 10, 60, 24), dissolve(5, 5, 24), clip(movie("/b.mov", 24, 300), 10, 60, 24)]
    where = region()
    made = place_takes(timeline([shots], 24), where, placed_takes(tmp_path, where), tmp_path)
    assert "1 transition is written as plain cuts." in export_timeline(made, tmp_path, tmp_path / "out.aaf")
    (video,) = read_timeline(tmp_path / "out.aaf").video_tracks()
    assert [child.duration().value for child in video] == [60, 60]


@pytest.mark.parametrize("suffix", ALL_SUFFIXES)
def test_the_timeline_that_was_given_stays_as_it_was(tmp_path, suffix):
    made = made_of(tmp_path)
    before = made.to_json_string()
    export_timeline(made, tmp_path, tmp_path / f"out{suffix}")
    assert made.to_json_string() == before


@pytest.mark.parametrize("suffix", ALL_SUFFIXES)
def test_a_folder_that_is_not_there_is_said_and_nothing_is_written(tmp_path, suffix):
    made = made_of(tmp_path)
    with pytest.raises(OutputError, match="folder does not exist"):
        export_timeline(made, tmp_path, tmp_path / "missing" / f"out{suffix}")
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("suffix", [suffix for suffix in ALL_SUFFIXES if suffix != ".fcpxml"])
def test_a_full_disk_is_said_and_nothing_is_left(tmp_path, suffix):
    """All but the FCPXML, which is smaller than a disk's smallest block."""
    made = made_of(tmp_path)
    with mounted_disk(tmp_path / "disk", "size=8k") as disk:
        (disk / "filling").write_bytes(b"x" * 4000)
        with pytest.raises(OutputError, match="the disk is full; free some space"):
            export_timeline(made, tmp_path, disk / f"out{suffix}")
        assert [path.name for path in disk.iterdir()] == ["filling"]


def test_an_unknown_format_is_refused_with_those_that_are_known(tmp_path):
    with pytest.raises(RequestError, match=r"“.edl” is no format to export to; .* .otio, .otioz, .xml"):
        export_timeline(made_of(tmp_path), tmp_path, tmp_path / "out.edl")


def test_a_rate_that_final_cut_lacks_is_refused_with_what_to_take_instead(tmp_path):
    with pytest.raises(RequestError, match=r"FCPXML has no 48 frames a second; export to \.otio, \.xml or \.aaf"):
        export_timeline(made_of(tmp_path, Fraction(48)), tmp_path, tmp_path / "out.fcpxml")
    assert not (tmp_path / "out.fcpxml").exists()


def test_a_writers_crash_is_one_sentence_and_leaves_what_stood_there(tmp_path):
    """A generator of an unknown kind with no colour is a KeyError inside the Kdenlive adapter."""
    solid = otio.schema.GeneratorReference("solid", "SolidColor", parameters={})
    made = timeline([[clip(solid, 0, 50, 24)]], 24)
    target = tmp_path / "out.kdenlive"
    target.write_text("old")
    with pytest.raises(OutputError, match=r"stumbled over this timeline .* export to .otio, which holds everything"):
        export_timeline(made, tmp_path, target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("path", REAL_TIMELINES)
@pytest.mark.parametrize("suffix", ALL_SUFFIXES)
def test_foley_on_a_real_editors_timeline_can_be_exported(tmp_path, path, suffix):
    given = read_timeline(path)
    rate = timeline_rate(given)
    where = region(rate)
    made = place_takes(given, where, placed_takes(tmp_path, where, prompt="this one"), tmp_path)
    export_timeline(made, tmp_path, tmp_path / f"out{suffix}")
    if suffix in (".kdenlive", ".mlt"):
        assert ElementTree.parse(tmp_path / f"out{suffix}").getroot().tag == "mlt"
        return
    positions = audio_positions(read_timeline(tmp_path / f"out{suffix}"), rate)
    assert [(start, stop) for start, stop, item in positions if item.name == "this one"] == [(36, 86)]


def test_an_otio_file_is_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "out.otio").mkdir()
    with pytest.raises(FoleyError, match="a folder of that name is in the way"):
        write_otio(made_of(tmp_path), tmp_path, tmp_path / "out.otio")
    assert not list(tmp_path.glob(".diffava-*"))


def seconds(text):
    return Fraction(text.removesuffix("s"))
