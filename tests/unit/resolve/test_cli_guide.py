"""Wishes about timing that cannot be granted: one sentence, exit code 2, and before any server is asked."""

import numpy as np
import opentimelineio as otio
import pytest
import soundfile

from diffava.cli import run
from support.tiny_cut import write_tiny_cut

NOBODY = "127.0.0.1:1"  # whoever asks this server for anything gets exit code 1


@pytest.fixture
def cut(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFAVA_TOKEN", "a-token")
    monkeypatch.chdir(tmp_path)
    made = write_tiny_cut(tmp_path, markers=((5, 20, "rain"), (40, 10, "wind")))
    soundfile.write(tmp_path / "voice.wav", np.full(4800, 0.5), 48_000)
    (tmp_path / "notes.txt").write_text("knock")
    return made


REFUSED = {
    "before the range": (["--range", "f10", "f20", "--hits", "f9"], "The hit f9 lies outside the range, which runs"),
    "at OUT": (["--range", "f10", "f20", "--hits", "f20"], "The hit f20 lies outside the range"),
    "outside the timeline": (["--hits", "01:00:09:00"], "The hit 01:00:09:00 lies outside the range"),
    "no position": (["--hits", "soon"], "“soon” is not a position"),
    "none": (["--hits", ","], "There is no hit in --hits"),
    "both": (["--hits", "f9", "--markers-as-hits"], "--hits and --markers-as-hits exclude each other"),
    "no markers": (["--range", "f60", "f70", "--markers-as-hits"], "no marker inside the range from 01:00:02:12"),
    "only regions": (["--markers", "--markers-as-hits"], "no marker inside the range from 01:00:00:05"),
    "between regions": (["--markers", "--hits", "f30"], "The hit f30 lies outside the range, which runs from"),
    "missing file": (["--performance", "gone.wav"], "performance gone.wav cannot be read (it is missing, empty"),
    "no sound": (["--performance", "notes.txt"], "performance notes.txt cannot be read"),
    "many ranges": (["--markers", "--performance", "voice.wav"], "cannot begin at the IN of 2 ranges"),
    "strength": (["--guide-strength", "3"], "guide's strength is 3.0; give a number from 0 (off) to 2"),
    "strength NaN": (["--guide-strength", "nan"], "guide's strength is nan"),
    "unknown guide": (["--guide", "radio"], "radio"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_timing_that_cannot_be_is_refused_before_a_server_is_asked(cut, capsys, case):
    options, sentence = REFUSED[case]
    code = run(["foley", str(cut.path), "--prompt", "steps", "-o", "o.otio", "--server", NOBODY, *options])
    said = capsys.readouterr().err
    assert code == 2, said
    assert sentence in said
    assert not (cut.path.parent / "o.foley").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--hits", "f36"], "The hit f36 lies outside the range, which runs from 00:00:00:00 to 00:00:01:12"),
        (["--hits", "01:00:00:05"], "The hit 01:00:00:05 lies outside"),
        (["--performance", "second.mp4"], "second.mp4 cannot be read (it holds no sound)"),
        (["--markers-as-hits"], "markers-as-hits"),  # a video file has none
    ],
)
def test_one_video_refuses_them_too(cut, capsys, options, sentence):
    code = run(["generate", "first.mp4", "--prompt", "steps", "-o", "o.wav", "--server", NOBODY, *options])
    said = capsys.readouterr().err
    assert code == 2, said
    assert sentence in said


def test_regions_by_markers_take_the_points_between_their_ends_as_hits(cut, capsys):
    """Only the server is missing: the points at 8 and 44 are inside, the regions themselves are no hits."""
    timeline = otio.adapters.read_from_file(str(cut.path))
    for frame in (8, 44):
        time = otio.opentime.RationalTime(frame, 24)
        timeline.tracks.markers.append(otio.schema.Marker(marked_range=otio.opentime.TimeRange(time)))
    otio.adapters.write_to_file(timeline, str(cut.path))
    code = run(["foley", str(cut.path), "--markers", "--markers-as-hits", "-o", "o.otio", "--server", NOBODY])
    assert code == 1
    assert NOBODY in capsys.readouterr().err
