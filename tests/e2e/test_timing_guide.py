"""Hits and performances as a person types them, through the command, the wire and a real server, to the engine.

What the engine was sent is compared with arithmetic of its own: frame n begins at sample round(n * 48000 / rate).
"""

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import opentimelineio as otio
import pytest
import soundfile

from diffava.cli import run
from diffava_resolve.timeline.place import find_clip
from diffava_resolve.timeline.read import read_timeline
from support.recorded_jobs import kept_jobs
from support.server import ServerProcess, server_process
from support.tiny_cut import write_tiny_cut

FULL = 1 << 23
NOTE = "It answers every prompt with clicks."
RATES = {
    "23.976": (Fraction(24000, 1001), 3600 * 24),
    "25": (Fraction(25), 3600 * 25),
    "29.97 DF": (Fraction(30000, 1001), 107_892),  # 01:00:00;00
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_process(tmp_path_factory.mktemp("server"), notes=(NOTE,)) as process:
        yield process


@dataclass(frozen=True)
class Desk:
    """A cut of 72 frames with a flash at frames 40 to 44, at one rate, and the command line beside it."""

    folder: Path
    rate: Fraction
    label_frame: int
    server: ServerProcess
    capsys: pytest.CaptureFixture

    def at(self, frame: int) -> int:
        return round(Fraction(frame * 48_000) / self.rate)

    def timecode(self, frame: int) -> str:
        time = otio.opentime.RationalTime(self.label_frame + frame, float(self.rate))
        return time.to_timecode(float(self.rate), drop_frame=self.rate.denominator == 1001 and round(self.rate) == 30)

    def diffava(self, *arguments) -> dict:
        code = run([*map(str, arguments), "--server", self.server.address, "--json"])
        captured = self.capsys.readouterr()
        assert code == 0, captured.err
        return {**json.loads(captured.out), "stderr": captured.err}

    @property
    def job(self):
        """The last one that the engine was sent."""
        return kept_jobs(self.server.jobs_file)[-1]


@pytest.fixture(params=RATES, ids=str)
def desk(request, tmp_path, server, monkeypatch, capsys):
    rate, label_frame = RATES[request.param]
    cut = write_tiny_cut(tmp_path, rate=rate, flash_frames=range(40, 45))
    timeline = otio.adapters.read_from_file(str(cut.path))
    timeline.global_start_time = otio.opentime.RationalTime(label_frame, float(rate))
    otio.adapters.write_to_file(timeline, str(cut.path))
    monkeypatch.setenv("DIFFAVA_TOKEN", server.token)
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, rate, label_frame, server, capsys)


def clicks_of(take):
    return np.flatnonzero(soundfile.read(take["path"])[0] > 0.9).tolist()


def test_typed_hits_reach_the_engine_and_the_wav_at_exactly_their_samples(desk):
    typed = ",".join([desk.timecode(11), "f10", desk.timecode(47), "f64"])
    said = desk.diffava(
        "foley", "cut.otio", "--prompt", "steps", "--range", "f10", "f65", "--hits", typed, "-o", "o.otio"
    )
    expected = tuple(desk.at(frame) - desk.at(10) for frame in (10, 11, 47, 64))
    assert desk.job.guide.hit_samples == expected
    (take,) = said["clips"][0]["takes"]
    assert clicks_of(take) == list(expected)
    assert take["guide"]["hit_samples"] == list(expected)
    assert (take["sync"]["hits_from"], take["sync"]["hit_count"]) == ("given", 4)


def test_markers_are_hits_where_they_are_seen(desk):
    timeline = otio.adapters.read_from_file("cut.otio")
    (track,) = timeline.video_tracks()

    def point(frame):
        time = otio.opentime.RationalTime(frame, float(desk.rate))
        return otio.schema.Marker(marked_range=otio.opentime.TimeRange(time))

    timeline.tracks.markers.append(point(12))
    track[1].markers.append(point(5))  # the second clip begins at 36
    otio.adapters.write_to_file(timeline, "cut.otio")
    desk.diffava("foley", "cut.otio", "--prompt", "steps", "--range", "f10", "f65", "--markers-as-hits", "-o", "o.otio")
    assert desk.job.guide.hit_samples == tuple(desk.at(frame) - desk.at(10) for frame in (12, 41))


def test_a_part_made_anew_has_the_hits_of_its_clip_and_all_verify(desk):
    hits = ("--hits", "f20,f40,f60")
    desk.diffava("foley", "cut.otio", "--prompt", "steps", "--range", "f10", "f65", *hits, "-o", "o.otio")
    desk.diffava("regenerate", "o.otio", "--clip", "foley-1", "--range", "f30", "f50", "-o", "part.otio")
    assert desk.job.guide.hit_samples == tuple(desk.at(frame) - desk.at(10) for frame in (20, 40, 60))
    assert desk.job.kept is not None
    assert desk.diffava("verify", "part.otio")["same"]


def test_a_performance_reaches_the_engine_sample_by_sample(desk):
    given = np.random.default_rng(1).integers(-FULL // 2, FULL // 2, 48_000) / FULL
    soundfile.write("voice.wav", given, 48_000, subtype="PCM_24")
    said = desk.diffava(
        "foley", "cut.otio", "--prompt", "steps", "--range", "f10", "f65", "--performance", "voice.wav", "-o", "o.otio"
    )
    sent = np.frombuffer(desk.job.guide.performance_f32le, "<f4")
    assert len(sent) == desk.at(65) - desk.at(10)
    assert np.array_equal(sent[:48_000], given.astype(np.float32))
    assert not sent[48_000:].any()
    (clip,) = said["clips"]
    assert np.array_equal(soundfile.read(clip["takes"][0]["path"], dtype="float32")[0], sent)
    assert any("voice.wav ends" in note for note in clip["notes"])
    Path("voice.wav").unlink()
    assert desk.diffava("verify", "o.otio")["same"]


def test_without_a_guide_the_flash_is_not_heard_and_with_it_it_is(desk):
    sound = ("foley", "cut.otio", "--prompt", "steps", "--range", "f10", "f65", "-o", "o.otio")
    assert len(clicks_of(desk.diffava(*sound)["clips"][0]["takes"][0])) == 1
    unguided = desk.diffava(*sound, "--guide", "none", "--guide-strength", "0.5")
    assert clicks_of(unguided["clips"][0]["takes"][0]) == []
    assert (desk.job.guide.source, desk.job.guide.strength) == ("none", 0.5)


def test_one_video_takes_hits_in_its_own_time(desk):
    typed = "00:00:01:03,f0,f35"
    frame = round(desk.rate) + 3
    said = desk.diffava("generate", "first.mp4", "--prompt", "steps", "--hits", typed, "-o", "o.wav")
    assert clicks_of(said) == [0, desk.at(frame), desk.at(35)]


def test_what_the_engine_notes_is_said_once_and_written_down(desk):
    desk.diffava("foley", "cut.otio", "--prompt", "steps", "--takes", "2", "-o", "o.otio")
    said = desk.diffava("regenerate", "o.otio", "--clip", "foley-1", "-o", "again.otio")
    assert said["clips"][0]["notes"] == [NOTE]
    assert said["stderr"].count(NOTE) == 1
    takes = find_clip(read_timeline(Path("again.otio")), "foley-1").takes
    assert [take.receipt.notes for take in takes] == [(NOTE,)] * 3
