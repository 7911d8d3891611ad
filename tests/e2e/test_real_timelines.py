"""The main job on real input: real clips, cut by us and by real editors, through the command line and a real server.

The editors' own media are not to be had; each of their clips shows a real clip without sound instead. What comes out is
read by OpenTimelineIO, by PyAV, and by melt from an export; all three must find the new sound from the same first to
the same last sample. The model is `nano`: its sound means nothing, its place is what counts.
"""

import json
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np
import opentimelineio as otio
import pytest
import soundfile

from diffava.cli import run
from diffava_resolve.timeline.rates import timeline_rate
from diffava_resolve.timeline.read import read_timeline
from support.melt import STEP_OF_16_BITS, needs_melt, rendered, where_found
from support.server import started_process
from support.shared_data import TIMELINES, VIDEO, needs_shared_timelines, needs_shared_video

pytestmark = [needs_shared_video, needs_shared_timelines, needs_melt]

FILM = Fraction(24000, 1001)
SILENT_CLIPS = {  # without sound of their own, so that melt plays nothing but the take; seconds as the manifest says
    "sample-videos/bottle-detection.mp4": 39.0,
    "sam2/05_default_juggle.mp4": 10.0,
    "sam2/03_blocks.mp4": 9.5,
    "condfoleygen/tennis.mp4": 5.5,
    "rewas/basketball_bounce.mp4": 4.8,
}
HANDLE_S = 1.0  # of media before each clip's first frame, for the dissolves
REAL_EDITORS = {  # timeline -> the range, counted in its frames
    "aswf_otio/effects.otio": (100, 220),
    "aswf_otio/premiere_example.otio": (400, 520),
    "aswf_otio/multitrack.otio": (10, 100),
    "aswf_otio/nested_example.otio": (0, 60),
    "aswf_otio/transition.otio": (2, 19),
    "otio_fcp7/premiere_example.xml": (400, 520),
    "otio_oc_examples/SPARKS_P3_PQ_4000nit.otio": (301, 500),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A real server with the real model classes."""
    folder = tmp_path_factory.mktemp("server")
    arguments = ["-m", "diffava_server", "--listen", "127.0.0.1:0", "--model", "nano"]
    with started_process(arguments, folder, state_file=str(folder / "state.json")) as process:
        process.stdout.readline()  # one line says that it answers
        state = json.loads((folder / "state.json").read_text())
        yield state["address"], Path(state["token_file"])


@pytest.fixture
def foley(address, capsys):
    """Runs `diffava foley` and gives the new timeline's path."""

    def call(source: Path, start: int, stop: int, out: Path) -> Path:
        where, token_file = address
        code = run(
            [
                *("foley", str(source), "--prompt", "footsteps", "--range", f"f{start}", f"f{stop}", "--seed", "1"),
                *("--steps", "4", "--server", where, "--token-file", str(token_file), "-o", str(out)),
            ]
        )
        assert code == 0, capsys.readouterr().err
        return out

    return call


def test_real_clips_at_24000_1001_get_foley_on_the_exact_samples(tmp_path, foley):
    """Clips of six other rates, cut at 23.976 with timecode, a gap and a retime."""
    source = tmp_path / "cut.otio"
    otio.adapters.write_to_file(cut_of_real_clips(), str(source))
    assert_all_agree(foley(source, 30, 250, tmp_path / "out.otio"), FILM, 30, 250, ".kdenlive")


@pytest.mark.parametrize("name", REAL_EDITORS)
def test_a_real_editors_timeline_gets_foley_on_the_exact_samples(tmp_path, foley, name):
    timeline = with_real_clips(read_timeline(TIMELINES / name))
    source = tmp_path / "cut.otio"
    otio.adapters.write_to_file(timeline, str(source))
    start, stop = REAL_EDITORS[name]
    assert_all_agree(foley(source, start, stop, tmp_path / "out.otio"), timeline_rate(timeline), start, stop, ".mlt")


def assert_all_agree(path: Path, rate: Fraction, start: int, stop: int, export_suffix: str) -> None:
    """OpenTimelineIO, PyAV and melt find the take from sample(start) to sample(stop), and nowhere else."""
    start_sample, stop_sample = (round(Fraction(frame * 48_000) / rate) for frame in (start, stop))
    timeline = otio.adapters.read_from_file(str(path))
    (track,) = (track for track in timeline.audio_tracks() if track.name == "Foley")
    (clip,) = track.find_clips()
    place = clip.range_in_parent()
    assert round(place.start_time.to_seconds() * 48_000) == start_sample
    assert round(place.end_time_exclusive().to_seconds() * 48_000) == stop_sample

    wav = path.parent / clip.media_reference.target_url
    with av.open(str(wav)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == stop_sample - start_sample

    export = path.with_name(f"export{export_suffix}")
    assert run(["export", str(path), "-o", str(export)]) == 0
    heard = rendered(export, timeout_s=90)
    take, _ = soundfile.read(wav, dtype="float32")
    assert np.abs(take).max() > 0.01
    assert where_found(heard, take) == start_sample
    np.testing.assert_allclose(heard[start_sample:stop_sample], take, atol=STEP_OF_16_BITS)
    assert not heard[:start_sample].any()
    assert not heard[stop_sample:].any()


def cut_of_real_clips() -> otio.schema.Timeline:
    rate = float(FILM)

    def time(frames: float) -> otio.opentime.RationalTime:
        return otio.opentime.RationalTime(frames, rate)

    def clip(name: str, start: int, count: int, speed: float = 1.0) -> otio.schema.Clip:
        media = otio.schema.ExternalReference(target_url=str(VIDEO / name))
        effects = [] if speed == 1.0 else [otio.schema.LinearTimeWarp(time_scalar=speed)]
        return otio.schema.Clip(name, media, otio.opentime.TimeRange(time(start), time(count)), effects=effects)

    track = otio.schema.Track("Video 1", kind=otio.schema.TrackKind.Video)
    track.extend(
        [
            clip("sam2/05_default_juggle.mp4", 24, 60),
            clip("sam2/03_blocks.mp4", 48, 50, speed=2.0),
            otio.schema.Gap(source_range=otio.opentime.TimeRange(time(0), time(12))),
            clip("condfoleygen/tennis.mp4", 10, 70),
            clip("rewas/basketball_bounce.mp4", 6, 80),
        ]
    )
    timeline = otio.schema.Timeline("real clips", global_start_time=time(86_400))
    timeline.tracks.append(track)
    return timeline


def with_real_clips(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """A copy in which every clip shows a real one that is long enough, from its second `HANDLE_S` on."""
    changed = timeline.deepcopy()
    names = cycle(SILENT_CLIPS)
    for clip in changed.find_clips():
        if isinstance(clip.media_reference, otio.schema.GeneratorReference):
            continue
        used = clip.trimmed_range()
        speed = max([abs(effect.time_scalar) for effect in clip.effects if hasattr(effect, "time_scalar")], default=1.0)
        needed_s = used.duration.to_seconds() * max(speed, 1.0) + 2 * HANDLE_S
        name = next((name for name, _ in zip(names, SILENT_CLIPS, strict=False) if SILENT_CLIPS[name] >= needed_s), "")
        rate = used.start_time.rate
        start = used.start_time - otio.opentime.RationalTime(HANDLE_S * rate, rate)
        name = name or next(iter(SILENT_CLIPS))
        length = otio.opentime.RationalTime(max(SILENT_CLIPS[name], needed_s) * rate, rate)
        clip.source_range = used
        clip.media_reference = otio.schema.ExternalReference(
            target_url=str(VIDEO / name), available_range=otio.opentime.TimeRange(start, length)
        )
    return changed
