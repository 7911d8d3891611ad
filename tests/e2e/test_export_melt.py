"""Exports rendered by `melt`, the player inside Kdenlive and Shotcut: the audio is heard on the exact sample.

Melt gives each frame a whole number of samples, at 29.97 and 59.94 in a cadence whose sum is
`round(n * 48000 / rate)`, as ours is: so what it renders agrees to the sample at every rate.
"""

from fractions import Fraction

import av
import numpy as np
import opentimelineio as otio
import pytest
import soundfile

from diffava_resolve.spec import Region, sample_of_frame
from diffava_resolve.timeline.export import export_timeline, write_otio
from diffava_resolve.timeline.place import find_clip, place_takes, select_take
from diffava_resolve.timeline.read import read_timeline
from support.melt import STEP_OF_16_BITS, needs_melt, rendered, where_found
from support.takes import ALL_RATES, cut_of_two_shots, placed_takes

pytestmark = needs_melt


@pytest.mark.parametrize("suffix", [".kdenlive", ".mlt"])
@pytest.mark.parametrize("rate", ALL_RATES, ids=str)
def test_otio_melt_and_pyav_agree_about_the_sample_at_every_rate(tmp_path, rate, suffix):
    where = Region(rate, 86_400, 37, 88)  # 51 frames from the 37th: a whole number of samples at no NTSC rate but film
    (tmp_path / "cut.foley").mkdir()
    takes = placed_takes(tmp_path / "cut.foley", where)
    made = place_takes(cut_of_two_shots(rate, 86_400), where, takes, tmp_path)
    write_otio(made, tmp_path, tmp_path / "cut.otio")
    read = read_timeline(tmp_path / "cut.otio")

    found = find_clip(read, "foley-1")
    start, stop = sample_of_frame(37, rate), sample_of_frame(88, rate)
    in_track = found.clip.range_in_parent()
    assert round(in_track.start_time.to_seconds() * 48000) == start
    assert round(in_track.end_time_exclusive().to_seconds() * 48000) == stop

    with av.open(str(found.take_path(found.chosen, tmp_path))) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == stop - start

    export_timeline(read, tmp_path, tmp_path / f"export{suffix}")
    audio = rendered(tmp_path / f"export{suffix}")
    assert len(audio) == sample_of_frame(200, rate)
    take, _ = soundfile.read(takes[0].path, dtype="float32")
    assert where_found(audio, take) == start
    np.testing.assert_allclose(audio[start:stop], take, atol=STEP_OF_16_BITS)
    assert not audio[:start].any()
    assert not audio[stop:].any()


def test_the_take_that_was_chosen_is_the_one_that_is_rendered(tmp_path):
    rate = Fraction(25)
    where = Region(rate, 0, 10, 60)
    takes = placed_takes(tmp_path, where, count=3)
    made = select_take(place_takes(cut_of_two_shots(rate), where, takes, tmp_path), "foley-1", 3)
    export_timeline(made, tmp_path, tmp_path / "export.mlt")
    audio = rendered(tmp_path / "export.mlt")
    assert len(audio) == 200 * 1920
    third, _ = soundfile.read(takes[2].path, dtype="float32")
    np.testing.assert_allclose(audio[10 * 1920 : 60 * 1920], third, atol=STEP_OF_16_BITS)


def test_clips_that_overlap_on_two_tracks_are_both_heard(tmp_path):
    rate = Fraction(24000, 1001)
    made = cut_of_two_shots(rate)
    expected = np.zeros(200 * 2002)
    for start in (20, 45):
        where = Region(rate, 0, start, start + 50)
        folder = tmp_path / str(start)
        folder.mkdir()
        takes = placed_takes(folder, where)
        made = place_takes(made, where, takes, tmp_path)
        expected[where.start_sample : where.stop_sample] += soundfile.read(takes[0].path)[0]
    assert [track.name for track in made.audio_tracks()] == ["Foley", "Foley 2"]
    export_timeline(made, tmp_path, tmp_path / "export.mlt")
    audio = rendered(tmp_path / "export.mlt")
    assert len(audio) == 200 * 2002
    loud = np.abs(expected) > 0.9  # melt clips the sum
    np.testing.assert_allclose(audio[~loud], expected[~loud], atol=2 * STEP_OF_16_BITS)


def test_an_export_of_an_export_still_lies_on_the_sample(tmp_path):
    """Through AAF and back, as a timeline that wanders between editors: frames survive, so samples do."""
    rate = Fraction(30000, 1001)
    where = Region(rate, 108_000, 37, 88)
    takes = placed_takes(tmp_path, where)
    made = place_takes(cut_of_two_shots(rate, 108_000), where, takes, tmp_path)
    export_timeline(made, tmp_path, tmp_path / "through.aaf")
    export_timeline(read_timeline(tmp_path / "through.aaf"), tmp_path, tmp_path / "export.mlt")
    audio = rendered(tmp_path / "export.mlt")
    assert len(audio) == sample_of_frame(200, rate)
    take, _ = soundfile.read(takes[0].path, dtype="float32")
    assert where_found(audio, take) == where.start_sample


def test_melt_reads_the_same_project_after_its_folder_was_moved_with_the_otio(tmp_path):
    rate = Fraction(25)
    where = Region(rate, 0, 10, 60)
    (tmp_path / "a" / "cut.foley").mkdir(parents=True)
    takes = placed_takes(tmp_path / "a" / "cut.foley", where)
    write_otio(
        place_takes(cut_of_two_shots(rate), where, takes, tmp_path / "a"), tmp_path / "a", tmp_path / "a/cut.otio"
    )
    take, _ = soundfile.read(takes[0].path, dtype="float32")
    (tmp_path / "a").rename(tmp_path / "b")
    moved = otio.adapters.read_from_file(str(tmp_path / "b" / "cut.otio"))
    export_timeline(moved, tmp_path / "b", tmp_path / "export.mlt")
    audio = rendered(tmp_path / "export.mlt")
    assert len(audio) == 200 * 1920
    np.testing.assert_allclose(audio[10 * 1920 : 60 * 1920], take, atol=STEP_OF_16_BITS)
