from fractions import Fraction

import opentimelineio as otio
import pytest
import soundfile

from diffava_resolve.errors import MediaError, OutputError, RequestError
from diffava_resolve.spec import Region, sample_of_frame
from diffava_resolve.timeline.export import write_otio
from diffava_resolve.timeline.place import PlacedTake, foley_clips, media_folder, new_clip_id, place_takes
from support.takes import ALL_RATES, cut_of_two_shots, noise, placed_takes, receipt, region, write_take
from support.timelines import clip, dissolve, gap, movie, timeline, track


def written_and_read(made, folder, name="out.otio"):
    """As any other program would see it: parsed anew from the file."""
    write_otio(made, folder, folder / name)
    return otio.adapters.read_from_file(str(folder / name))


def foley(made, name="Foley"):
    return next(found for found in made.tracks if found.name == name)


@pytest.mark.parametrize("rate", ALL_RATES, ids=str)
@pytest.mark.parametrize("start", [0, 37, 86_399])
def test_the_audio_starts_and_ends_on_the_exact_sample_at_every_rate(tmp_path, rate, start):
    where = Region(rate, 90_000, start, start + 33)
    made = place_takes(cut_of_two_shots(rate, 90_000), where, placed_takes(tmp_path, where), tmp_path)
    read = written_and_read(made, tmp_path)
    placed = next(iter(foley(read).find_clips()))
    in_track = placed.range_in_parent()
    assert in_track.start_time.value == start
    assert in_track.duration.value == 33
    assert round(in_track.start_time.to_seconds() * 48000) == sample_of_frame(start, rate)
    assert round(in_track.end_time_exclusive().to_seconds() * 48000) == sample_of_frame(start + 33, rate)
    samples = soundfile.info(tmp_path / placed.media_reference.target_url).frames
    assert samples == where.sample_count == sample_of_frame(start + 33, rate) - sample_of_frame(start, rate)
    assert placed.available_range().duration == otio.opentime.RationalTime(samples, 48000)
    assert placed.available_range().start_time.value == 0


def test_every_time_on_the_new_track_is_in_whole_frames_of_the_timeline(tmp_path):
    rate = Fraction(30000, 1001)
    where = region(rate)
    made = place_takes(cut_of_two_shots(rate), where, placed_takes(tmp_path, where), tmp_path)
    padding, placed = foley(made)
    for range_ in (padding.source_range, placed.source_range):
        assert range_.start_time == otio.opentime.RationalTime(0, float(rate))
        assert range_.duration.value == int(range_.duration.value)
        assert range_.duration.rate == float(rate)


def test_a_timeline_that_writes_23_976_gets_gaps_that_say_so_too(tmp_path):
    spelled = timeline([[clip(movie("/a.mov", 23.976, 300), 0, 200, 23.976)]], 23.976)
    where = region(Fraction(24000, 1001))
    made = place_takes(spelled, where, placed_takes(tmp_path, where), tmp_path)
    assert [child.source_range.duration.rate for child in foley(made)] == [23.976, 23.976]
    assert foley_clips(made)[0].region == where


def test_the_timeline_that_was_given_stays_as_it_was(tmp_path):
    before = cut_of_two_shots(Fraction(25))
    text = before.to_json_string()
    where = region(Fraction(25))
    made = place_takes(before, where, placed_takes(tmp_path, where), tmp_path)
    assert before.to_json_string() == text
    del made.tracks[-1]
    assert made.to_json_string() == text


def test_a_program_that_knows_nothing_of_ours_finds_the_chosen_takes_file(tmp_path):
    where = region()
    takes = placed_takes(media_like(tmp_path), where, count=3)
    made = written_and_read(place_takes(cut_of_two_shots(Fraction(24)), where, takes, tmp_path), tmp_path)
    placed = next(iter(foley(made).find_clips()))
    assert placed.active_media_reference_key == "DEFAULT_MEDIA"
    assert placed.media_reference.target_url == f"out.foley/{takes[0].path.name}"
    assert (tmp_path / placed.media_reference.target_url).samefile(takes[0].path)
    assert foley(made).kind == otio.schema.TrackKind.Audio
    assert placed.enabled


def test_a_second_job_goes_on_the_same_track_where_it_is_free(tmp_path):
    rate = Fraction(30000, 1001)
    made = cut_of_two_shots(rate)
    wanted = [Region(rate, 0, 100, 120), Region(rate, 0, 20, 30), Region(rate, 0, 30, 100), Region(rate, 0, 150, 151)]
    for where in wanted:
        made = place_takes(made, where, placed_takes(tmp_path, where), tmp_path)
    assert [found.name for found in made.tracks] == ["Video 1", "Foley"]
    assert sorted((found.region for found in foley_clips(made)), key=str) == sorted(wanted, key=str)
    assert sorted(found.clip_id for found in foley_clips(made)) == ["foley-1", "foley-2", "foley-3", "foley-4"]


def test_a_region_that_is_taken_opens_a_further_track(tmp_path):
    made = cut_of_two_shots(Fraction(24))
    for where in (region(), region(start=85, stop=90), region(start=36, stop=40)):
        made = place_takes(made, where, placed_takes(tmp_path, where), tmp_path)
    assert [found.track_name for found in foley_clips(made)] == ["Foley", "Foley 2", "Foley 2"]


def sound(count, start=0):
    return clip(movie("/dialogue.wav", 24, 1000), start, count, 24, "dialogue")


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ([], "Video"),
        ([sound(200)], "Audio"),
        ([sound(10), gap(30, 24), sound(100)], "Audio"),
        ([gap(85, 24), sound(1), gap(100, 24)], "Audio"),
        ([sound(30), dissolve(2, 12, 24), gap(100, 24)], "Audio"),
        ([clip(movie("/a.wav", 48000, 99_999), 0, 1001, 48000), gap(100, 24), sound(10)], "Audio"),
    ],
    ids=["video", "busy", "overlap at the end", "a frame in the way", "fade reaching in", "off the frames"],
)
def test_a_track_of_that_name_with_no_room_stays_untouched(tmp_path, items, kind):
    given = timeline([[clip(None, 0, 200, 24)], track([item.clone() for item in items], "Foley", kind)], 24)
    before = foley(given).to_json_string()
    made = place_takes(given, region(), placed_takes(tmp_path, region()), tmp_path)
    assert foley(made).to_json_string() == before
    assert foley_clips(made)[0].track_name == "Foley 2"


def test_what_lies_behind_a_filled_gap_stays_where_it_was(tmp_path):
    given = timeline([[clip(None, 0, 200, 24)], track([sound(10), gap(100, 24), sound(50)], "FX", "Audio")], 24)
    made = place_takes(given, region(), placed_takes(tmp_path, region()), tmp_path, track_name="FX")
    assert [child.duration().value for child in foley(made, "FX")] == [10, 26, 50, 24, 50]
    assert foley(made, "FX")[4].range_in_parent().start_time.value == 110


def test_a_silent_track_is_no_place_for_audio(tmp_path):
    given = timeline([[clip(None, 0, 200, 24)], track([], "Foley", "Audio")], 24)
    foley(given).enabled = False
    made = place_takes(given, region(), placed_takes(tmp_path, region()), tmp_path)
    assert foley_clips(made)[0].track_name == "Foley 2"


def test_a_take_of_another_length_is_refused(tmp_path):
    written = write_take(tmp_path / "take.wav", noise(1000))
    with pytest.raises(OutputError, match="has 1000 samples and its range 100000"):
        place_takes(
            cut_of_two_shots(Fraction(24)), region(), [PlacedTake(written.path, receipt(region(), "x"))], tmp_path
        )


def test_a_missing_take_and_no_take_are_refused(tmp_path):
    missing = PlacedTake(tmp_path / "no.wav", receipt(region(), "x"))
    with pytest.raises(MediaError, match="cannot be read"):
        place_takes(cut_of_two_shots(Fraction(24)), region(), [missing], tmp_path)
    with pytest.raises(RequestError, match="no take to place"):
        place_takes(cut_of_two_shots(Fraction(24)), region(), [], tmp_path)


def test_a_region_at_another_rate_than_the_timelines_is_refused(tmp_path):
    where = region(Fraction(25))
    with pytest.raises(OutputError, match="should lie at"):
        place_takes(cut_of_two_shots(Fraction(24)), where, placed_takes(tmp_path, where), tmp_path)


@pytest.mark.parametrize(
    ("output", "folder"),
    [
        ("cut.otio", "cut.foley"),
        ("cut.v2.otio", "cut.v2.foley"),
        ("50% #1?.otio", "50_ _1_.foley"),
        ("Ü.otio", "Ü.foley"),
    ],
)
def test_the_media_folder_has_no_character_that_means_something_in_a_url(tmp_path, output, folder):
    assert media_folder(tmp_path / output) == tmp_path / folder


def test_a_result_in_another_folder_still_finds_all_media(tmp_path):
    takes = placed_takes(media_like(tmp_path), region())
    given = cut_of_two_shots(Fraction(24))
    next(iter(given.find_clips())).media_reference.target_url = "rushes/shot.mov"
    made = place_takes(given, region(), takes, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    write_otio(made, tmp_path, tmp_path / "elsewhere" / "out.otio")
    moved = otio.adapters.read_from_file(str(tmp_path / "elsewhere" / "out.otio"))
    urls = [found.media_reference.target_url for found in moved.find_clips()]
    assert urls == ["../rushes/shot.mov", "/nowhere/shot-2.mov", f"../out.foley/{takes[0].path.name}"]


def test_a_result_in_a_linked_folder_still_finds_its_media(tmp_path):
    """`..` leads up from where the folder really is, not from its link."""
    takes = placed_takes(media_like(tmp_path), region())
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "down")
    made = place_takes(cut_of_two_shots(Fraction(24)), region(), takes, tmp_path)
    write_otio(made, tmp_path, tmp_path / "link" / "out.otio")
    moved = otio.adapters.read_from_file(str(tmp_path / "link" / "out.otio"))
    url = foley(moved)[1].media_reference.target_url
    assert (tmp_path / "link" / url).samefile(takes[0].path)


def test_the_next_clip_id_is_the_first_unused_one(tmp_path):
    made = cut_of_two_shots(Fraction(24))
    assert new_clip_id(made) == "foley-1"
    made = place_takes(made, region(), placed_takes(tmp_path, region()), tmp_path)
    assert new_clip_id(made) == "foley-2"


def media_like(folder):
    (folder / "out.foley").mkdir()
    return folder / "out.foley"
