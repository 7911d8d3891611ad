from fractions import Fraction

import opentimelineio as otio
import pytest

from diffava_resolve.errors import RequestError, TimelineError
from diffava_resolve.spec import Region, sample_of_frame
from diffava_resolve.timeline.place import find_clip, foley_clips, place_takes, replace_takes, select_take
from support.takes import cut_of_two_shots, placed_takes, region
from support.timelines import span, time

NTSC = Fraction(30000, 1001)


@pytest.fixture
def takes(tmp_path):
    return placed_takes(tmp_path, region(NTSC), count=3)


@pytest.fixture
def made(tmp_path, takes):
    return through_a_file(place_takes(cut_of_two_shots(NTSC), region(NTSC), takes, tmp_path))


def through_a_file(timeline):
    return otio.adapters.read_from_string(otio.adapters.write_to_string(timeline))


def test_a_clip_lists_its_takes_with_their_receipts_and_files(made, takes, tmp_path):
    (found,) = foley_clips(made)
    assert (found.clip_id, found.name, found.track_name, found.chosen_number) == (
        *("foley-1", "rain on a tent", "Foley", 1),
    )
    assert [take.number for take in found.takes] == [1, 2, 3]
    assert list(found.receipts) == [take.receipt for take in takes]
    assert [found.take_path(take, tmp_path) for take in found.takes] == [take.path for take in takes]


def test_choosing_a_take_makes_it_the_one_that_every_editor_plays(made, takes):
    changed = through_a_file(select_take(made, "foley-1", 3))
    found = find_clip(changed, "foley-1")
    assert found.chosen_number == 3
    assert found.clip.active_media_reference_key == "DEFAULT_MEDIA"
    assert found.clip.media_reference.target_url == takes[2].path.name
    assert sorted(found.clip.media_references()) == ["DEFAULT_MEDIA", "take-1", "take-2"]


def test_receipts_follow_their_takes_through_any_choice(made, takes):
    for number in (3, 2, 1, 2):
        made = through_a_file(select_take(made, "foley-1", number))
        found = find_clip(made, "foley-1")
        assert [take.receipt.wav_sha256 for take in found.takes] == [take.receipt.wav_sha256 for take in takes]
        assert [take.target_url for take in found.takes] == [take.path.name for take in takes]


def test_choosing_changes_neither_the_given_timeline_nor_where_the_clip_lies(made):
    before = made.to_json_string()
    changed = select_take(made, "foley-1", 2)
    assert made.to_json_string() == before
    assert find_clip(changed, "foley-1").region == find_clip(made, "foley-1").region


def test_a_take_or_clip_that_is_not_there_is_refused_with_what_is(made):
    with pytest.raises(RequestError, match="has no take 4; it has 1, 2, 3"):
        select_take(made, "foley-1", 4)
    with pytest.raises(RequestError, match="no generated clip rain; it has foley-1"):
        select_take(made, "rain", 1)
    with pytest.raises(RequestError, match="it has no generated clips"):
        select_take(cut_of_two_shots(NTSC), "foley-1", 1)


def test_new_takes_become_heard_and_the_former_ones_stay_to_go_back_to(made, takes, tmp_path):
    (tmp_path / "new").mkdir()
    new = placed_takes(tmp_path / "new", region(NTSC), count=2, prompt="hail")
    found = find_clip(through_a_file(replace_takes(made, "foley-1", new, tmp_path)), "foley-1")
    assert [take.number for take in found.takes] == [1, 2, 3, 4, 5]
    assert found.chosen_number == 4
    assert found.chosen.receipt.job.prompt == "hail"
    assert [take.receipt.wav_sha256 for take in found.takes[:3]] == [take.receipt.wav_sha256 for take in takes]
    alone = find_clip(replace_takes(made, "foley-1", new, tmp_path, keep_former=False), "foley-1")
    assert [take.number for take in alone.takes] == [4, 5]


def test_a_trimmed_clip_says_what_is_heard_and_where_the_whole_take_lies(made):
    placed = find_clip(made, "foley-1").clip
    placed.source_range = span(10, 20, NTSC)
    found = find_clip(made, "foley-1")
    assert (found.region.start_frame, found.region.stop_frame) == (36, 56)
    assert (found.take_region.start_frame, found.take_region.stop_frame) == (26, 76)


@pytest.mark.parametrize("moved_by", [0, 1, 2, 3, 4, 1000])
def test_a_part_of_a_moved_clip_is_counted_in_the_samples_of_its_file(made, moved_by):
    made.tracks[-1][0].source_range = span(0, 36 + moved_by, NTSC)
    found = find_clip(made, "foley-1")
    part = Region(NTSC, 0, 40 + moved_by, 50 + moved_by)
    origin = sample_of_frame(36, NTSC)
    assert found.samples_of(part) == (sample_of_frame(40, NTSC) - origin, sample_of_frame(50, NTSC) - origin)
    whole = Region(NTSC, 0, 36 + moved_by, 86 + moved_by)
    assert found.samples_of(whole) == (0, region(NTSC).sample_count)


def test_a_part_outside_the_clip_is_refused(made):
    with pytest.raises(RequestError, match="not inside clip foley-1, which lies at 00:00:01:06 to 00:00:02:26"):
        find_clip(made, "foley-1").samples_of(Region(NTSC, 0, 30, 40))


def test_a_copied_clip_can_be_told_from_its_original(made):
    made.tracks[-1].append(find_clip(made, "foley-1").clip.clone())
    assert [found.clip_id for found in foley_clips(made)] == ["foley-1", "foley-1~2"]
    changed = select_take(made, "foley-1~2", 2)
    assert [found.chosen_number for found in foley_clips(changed)] == [1, 2]
    assert [found.clip_id for found in foley_clips(changed)] == ["foley-1", "foley-1~2"]


def test_a_trimmed_track_shifts_what_is_heard(made):
    made.tracks[-1].source_range = otio.opentime.TimeRange(time(10, NTSC), time(70, NTSC))
    assert find_clip(made, "foley-1").region.start_frame == 26


def test_takes_that_an_editor_has_dropped_are_no_longer_listed(made):
    placed = find_clip(made, "foley-1").clip
    placed.set_media_references({"DEFAULT_MEDIA": placed.media_reference.clone()}, "DEFAULT_MEDIA")
    assert [take.number for take in find_clip(made, "foley-1").takes] == [1]


def test_a_clip_of_a_newer_version_asks_for_an_update(made):
    find_clip(made, "foley-1").clip.metadata["diffava"]["schema_version"] = 2
    with pytest.raises(TimelineError, match="version 2, this program reads up to 1; update"):
        foley_clips(made)


def test_a_clip_of_a_newer_version_stops_no_new_one(made, tmp_path):
    find_clip(made, "foley-1").clip.metadata["diffava"]["schema_version"] = 2
    (tmp_path / "new").mkdir()
    where = Region(NTSC, 0, 100, 120)
    changed = place_takes(made, where, placed_takes(tmp_path / "new", where), tmp_path)
    assert changed.tracks[-1][-1].metadata["diffava"]["clip_id"] == "foley-2"


def test_clips_of_others_are_none_of_ours(made):
    assert not foley_clips(cut_of_two_shots(NTSC))
    made.tracks[0][0].metadata["diffava"] = "a note by somebody"
    assert len(foley_clips(made)) == 1
