"""`diffava demo` leaves its four results, each what it says it is; run again it makes the same sound."""

import json
from fractions import Fraction
from pathlib import Path

import av
import matplotlib.image
import numpy as np
import opentimelineio as otio
import pytest
import soundfile

from diffava.cli import run
from diffava_resolve.demo.cut import RATE, SHOT_FRAMES, write_cut
from diffava_resolve.frames.hits import motion_hits
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_timeline
from diffava_resolve.timeline.viewer import picture_of
from support.server import server_process

SHOTS = 3
FRAMES = SHOTS * SHOT_FRAMES
SHOT_SAMPLES = SHOT_FRAMES * 2002  # at 24000/1001 a frame has exactly 2002 samples


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Runs the demo into a folder of its own and gives that folder and what it said."""
    with server_process(tmp_path_factory.mktemp("server"), RATE, 64, 36) as server:
        options = ["--server", server.address, "--token-file", str(server.token_file), "--json"]

        def call(folder, capsys):
            assert run(["demo", "--out", str(folder), *options]) == 0
            return json.loads(capsys.readouterr().out.splitlines()[-1])

        yield call


def test_the_four_results_are_what_they_say(demo, tmp_path, capsys):
    said = demo(tmp_path / "demo", capsys)
    timeline = otio.adapters.read_from_file(said["timeline"])
    (foley,) = timeline.audio_tracks()
    clips = list(foley.find_clips())
    assert [clip.range_in_parent().start_time.to_frames() for clip in clips] == [0, SHOT_FRAMES, 2 * SHOT_FRAMES]
    assert [clip.range_in_parent().duration.to_frames() for clip in clips] == [SHOT_FRAMES] * SHOTS
    assert [len(clip.media_references()) for clip in clips] == [2] * SHOTS
    assert [soundfile.info(take).frames for take in said["takes"]] == [SHOT_SAMPLES] * 2 * SHOTS
    assert said["hit_count"] >= 12
    with av.open(said["preview"]) as preview:
        assert sum(1 for _ in preview.decode(video=0)) == FRAMES
    with av.open(said["preview"]) as preview:
        heard = sum(frame.samples for frame in preview.decode(audio=0))
        assert 0 <= heard - SHOTS * SHOT_SAMPLES < 2 * 1024  # AAC comes in packets of 1024
    picture = matplotlib.image.imread(said["picture"])
    assert picture.shape[:2] == (900, 1600)
    assert len(np.unique(picture[..., :3].reshape(-1, 3), axis=0)) > 1000  # thumbnails and a spectrogram, not a blank


def test_run_again_it_makes_the_same_takes_in_the_same_place(demo, tmp_path, capsys):
    first = demo(tmp_path / "demo", capsys)
    before = sorted(path.name for path in (tmp_path / "demo").iterdir())
    assert demo(tmp_path / "demo", capsys) == first
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == before
    takes = {path.name for path in (tmp_path / "demo" / "demo.foley").iterdir()}
    assert takes == {Path(take).name for take in first["takes"]}  # nothing of the first run is left over


def test_its_cut_hits_where_its_shots_say_and_a_reader_of_the_picture_finds_most_of_it(tmp_path):
    cut = write_cut(tmp_path)
    timeline = read_timeline(cut.timeline_path)
    picture = picture_of(timeline, region_of_timeline(timeline), tmp_path)
    assert picture.cut_frames == (SHOT_FRAMES, 2 * SHOT_FRAMES)
    found = np.array([float(hit.second) for hit in motion_hits(picture)])
    true = np.array(cut.hits_s)
    tolerance_s = float(2 * Fraction(1) / RATE)
    distance = np.abs(found[:, None] - true[None, :])
    assert len(true) >= 12
    assert (distance.min(axis=0) <= tolerance_s).mean() >= 0.9
    assert (distance.min(axis=1) <= tolerance_s).mean() >= 0.75  # a leg that is lifted stops too
