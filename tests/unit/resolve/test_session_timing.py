"""Hits and performances from a person to the server and into receipts; and that takes made anew keep their timing."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.errors import MediaError, RequestError
from diffava_resolve.session import (
    FoleySettings,
    Timing,
    Wanted,
    generate_clip,
    generate_foley,
    regenerate,
    verify,
)
from diffava_resolve.spec import sample_of_frame
from diffava_resolve.timeline.place import find_clip
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range
from support.tiny_cut import write_tiny_cut

RATE = Fraction(30000, 1001)
SETTINGS = FoleySettings("footsteps", seed=5)
FULL = 1 << 23


@pytest.fixture
def cut(tmp_path):
    return write_tiny_cut(tmp_path, rate=RATE, flash_frames=(40,))


@pytest.fixture
def voice(tmp_path):
    """A second of noise in whole steps of 24 bits, so that nothing of it is lost in a take."""
    samples = np.random.default_rng(3).integers(-FULL // 2, FULL // 2, 48_000) / FULL
    soundfile.write(tmp_path / "voice.wav", samples, 48_000, subtype="PCM_24")
    return tmp_path / "voice.wav"


def foley(cut, timing, *, span=("f10", "f70"), client=None, settings=SETTINGS, out="made.otio"):
    timeline = read_timeline(cut.path)
    wanted = Wanted(region_of_range(timeline, *span), settings, timing)
    output = cut.path.with_name(out)
    (clip,) = generate_foley(timeline, cut.path, [wanted], client or ScriptedClient(), output)
    return output, clip


def again(source, out, *, part=None, timing=None, client=None, seed=700):
    timeline = read_timeline(source)
    region = None if part is None else region_of_range(timeline, *part)
    client = client or ScriptedClient()
    settings = FoleySettings("boots", seed=seed)
    regenerate(timeline, source, "foley-1", settings, client, source.with_name(out), part=region, timing=timing)
    return source.with_name(out), client


def chosen(path):
    return find_clip(read_timeline(path), "foley-1").chosen


def sound_of(path, take=None):
    clip = find_clip(read_timeline(path), "foley-1")
    return soundfile.read(clip.take_path(take or clip.chosen, path.parent))[0]


def outcomes(path):
    return [verdict.outcome for verdict in verify(read_timeline(path), path, ScriptedClient())]


def at(frame, first=10):
    """The sample of a timeline frame in a range that begins at frame `first`."""
    return sample_of_frame(frame, RATE) - sample_of_frame(first, RATE)


def test_hits_are_heard_at_the_samples_of_their_frames(cut):
    client = ScriptedClient()
    path, _ = foley(cut, Timing(hit_frames=(10, 33, 69)), client=client)
    assert client.jobs[0].guide.hit_samples == (0, at(33), at(69))
    assert np.flatnonzero(sound_of(path) > 0.9).tolist() == [0, at(33), at(69)]


def test_the_receipt_keeps_the_guide_and_measures_against_the_given_hits(cut):
    settings = replace(SETTINGS, guide_strength=0.5)
    path, _ = foley(cut, Timing("none", (20, 50)), settings=settings)
    receipt = chosen(path).receipt
    assert (receipt.job.guide.source, receipt.job.guide.strength) == ("none", 0.5)
    assert receipt.job.guide.hit_samples == (at(20), at(50))
    assert (receipt.sync["hits_from"], receipt.sync["hit_count"], receipt.sync["matched_count"]) == ("given", 2, 2)
    assert abs(receipt.sync["median_offset_ms"]) < 5
    assert outcomes(path) == ["same"]


def test_without_hits_the_sync_is_measured_against_the_picture(cut):
    path, _ = foley(cut, Timing())
    assert chosen(path).receipt.sync["hits_from"] == "picture"


def test_a_performance_is_sent_sample_by_sample_and_kept_beside_the_take(cut, voice, tmp_path):
    client = ScriptedClient()
    path, clip = foley(cut, Timing(performance=voice), client=client)
    given = soundfile.read(voice, dtype="float32")[0]
    (sent,) = client.performances
    assert len(sent) == clip.region.sample_count
    assert np.array_equal(sent[:48_000], given)
    assert not sent[48_000:].any()
    performance = chosen(path).receipt.job.guide.performance
    assert performance.source_name == "voice.wav"
    assert np.array_equal(soundfile.read(tmp_path / "made.foley" / performance.file_name, dtype="float32")[0], sent)
    assert clip.notes == ("The performance voice.wav ends 1.00 s before OUT; silence follows it.",)
    assert chosen(path).receipt.notes == clip.notes


def test_a_take_is_verified_without_the_file_that_was_performed(cut, voice):
    path, _ = foley(cut, Timing(performance=voice))
    voice.unlink()
    assert outcomes(path) == ["same"]


def test_a_take_whose_kept_performance_was_changed_cannot_be_verified(cut, voice, tmp_path):
    path, _ = foley(cut, Timing(performance=voice))
    (kept,) = (tmp_path / "made.foley").glob("performance-*.wav")
    kept.write_bytes(kept.read_bytes()[:-1] + b"\1")
    (verdict,) = verify(read_timeline(path), path, ScriptedClient())
    assert verdict.outcome == "cannot"
    assert "performance voice.wav" in verdict.reason


@pytest.mark.parametrize("timing", [Timing(hit_frames=(20,)), "voice"])
def test_a_model_without_a_timing_guide_refuses_hits_and_performances_and_leaves_nothing(cut, voice, timing):
    client = ScriptedClient()
    client.server = replace(client.server, models=(replace(client.server.models[0], has_timing_guide=False),))
    with pytest.raises(RequestError, match=r"The model scripted has no timing guide .* choose another with --model"):
        foley(cut, Timing(performance=voice) if timing == "voice" else timing, client=client)
    assert not cut.path.with_name("made.foley").exists()
    foley(cut, Timing("none"), client=client)  # which asks nothing of it


def test_a_silent_performance_is_refused_and_leaves_nothing(cut, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(48_000), 48_000)
    with pytest.raises(RequestError, match=r"silent\.wav is silent"):
        foley(cut, Timing(performance=tmp_path / "silent.wav"))
    assert not cut.path.with_name("made.foley").exists()


def test_what_the_server_notes_is_in_the_receipt_and_said_once(cut):
    client = ScriptedClient(notes=("It does not know 'didgeridoo'.",))
    path, clip = foley(cut, Timing(), client=client, settings=replace(SETTINGS, take_count=2))
    assert clip.notes == ("It does not know 'didgeridoo'.",)
    assert [take.receipt.notes for take in find_clip(read_timeline(path), "foley-1").takes] == [clip.notes] * 2


def test_one_video_follows_hits_in_its_own_time_and_a_performance(cut, voice, tmp_path):
    hit = generate_clip(
        cut.media[0], SETTINGS, ScriptedClient(), tmp_path / "hit.wav", timing=Timing(hit_frames=(0, 31))
    )
    assert np.flatnonzero(soundfile.read(hit.path)[0] > 0.9).tolist() == [0, sample_of_frame(31, RATE)]
    client = ScriptedClient()
    generate_clip(cut.media[0], SETTINGS, client, tmp_path / "sung.wav", timing=Timing(performance=voice))
    assert np.array_equal(client.performances[0][:48_000], soundfile.read(voice, dtype="float32")[0])
    assert sorted(path.name for path in tmp_path.glob("*.wav")) == ["hit.wav", "sung.wav", "voice.wav"]


def test_a_whole_clip_made_anew_keeps_its_hits(cut):
    path, _ = foley(cut, Timing("none", (20, 50)))
    path, client = again(path, "again.otio")
    assert (client.jobs[0].guide.source, client.jobs[0].guide.hit_samples) == ("none", (at(20), at(50)))
    assert outcomes(path) == ["same", "same"]


def test_a_clip_made_anew_follows_what_is_given_now(cut):
    path, _ = foley(cut, Timing(hit_frames=(20, 50)))
    _, client = again(path, "again.otio", timing=Timing())
    assert client.jobs[0].guide.hit_samples == ()
    _, client = again(path, "again.otio", timing=Timing(hit_frames=(30,)))
    assert client.jobs[0].guide.hit_samples == (at(30),)


@pytest.fixture
def long_cut(tmp_path):
    """36 s at 5 frames a second with a clip over all of it: longer than a part's context."""
    return write_tiny_cut(tmp_path, rate=Fraction(5), clip_frames=90)


LONG = {"span": ("f0", "f180")}
FRAME = 9600  # samples at 5 frames a second


def test_a_part_has_the_hits_and_the_performance_around_it_from_where_its_job_begins(long_cut, tmp_path):
    samples = np.random.default_rng(3).integers(-FULL // 2, FULL // 2, 36 * 48_000) / FULL
    soundfile.write(tmp_path / "voice.wav", samples, 48_000, subtype="PCM_24")
    path, _ = foley(long_cut, Timing(hit_frames=(10, 80, 85, 175), performance=tmp_path / "voice.wav"), **LONG)
    path, client = again(path, "part.otio", part=("f80", "f90"))
    first = (80 - 55) * FRAME  # eleven seconds before the part
    assert client.jobs[0].guide.hit_samples == (80 * FRAME - first, 85 * FRAME - first)
    expected = samples[first : first + 24 * 48_000].astype(np.float32)
    assert np.array_equal(client.performances[0], expected)
    assert outcomes(path) == ["same", "same"]


def test_hits_given_for_a_part_count_in_it_and_hold_for_what_lies_inside_it_alone(long_cut):
    path, _ = foley(long_cut, Timing(hit_frames=(10, 150)), **LONG)
    path, client = again(path, "part.otio", part=("f80", "f90"), timing=Timing(hit_frames=(85,)))
    first = 25 * FRAME
    assert client.jobs[0].guide.hit_samples == (85 * FRAME - first,)
    _, client = again(path, "inside.otio", part=("f82", "f88"))
    assert client.jobs[0].guide.hit_samples == ((85 - 27) * FRAME,)
    _, client = again(path, "beside.otio", part=("f140", "f160"))
    assert client.jobs[0].guide.hit_samples == ((150 - 85) * FRAME,)
    path, client = again(path, "whole.otio")
    assert client.jobs[0].guide.hit_samples == (10 * FRAME, 150 * FRAME)
    assert outcomes(path) == ["same"] * 3


def test_a_performance_for_a_part_begins_with_it_and_the_old_sound_surrounds_it(long_cut, voice):
    path, _ = foley(long_cut, Timing(), **LONG)
    old = sound_of(path).astype(np.float32)
    path, client = again(path, "part.otio", part=("f80", "f90"), timing=Timing(performance=voice))
    (sent,) = client.performances
    first, start, stop = 25 * FRAME, 80 * FRAME, 90 * FRAME
    assert np.array_equal(sent[: start - first], old[first:start])
    assert np.array_equal(sent[start - first :][:48_000], soundfile.read(voice, dtype="float32")[0])
    assert not sent[start - first + 48_000 : stop - first].any()
    assert np.array_equal(sent[stop - first :], old[stop : first + 24 * 48_000])
    assert outcomes(path) == ["same", "same"]


def test_a_part_that_came_out_as_it_was_is_not_its_own_parent(long_cut):
    path, _ = foley(long_cut, Timing(hit_frames=(10,)), settings=FoleySettings("boots", seed=700), **LONG)
    path, _ = again(path, "part.otio", part=("f80", "f90"), timing=Timing())
    _, client = again(path, "whole.otio")
    assert client.jobs[0].guide.hit_samples == (10 * FRAME,)


def test_a_clip_that_was_moved_takes_new_hits_where_it_lies_now(cut, tmp_path):
    import opentimelineio as otio

    path, _ = foley(cut, Timing(), span=("f0", "f72"))
    timeline = read_timeline(path)
    for track in timeline.tracks:
        track.insert(0, otio.schema.Gap(duration=otio.opentime.RationalTime(7, float(RATE))))
    otio.adapters.write_to_file(timeline, str(tmp_path / "moved.otio"))
    _, client = again(tmp_path / "moved.otio", "again.otio", timing=Timing(hit_frames=(7, 47)))
    assert client.jobs[0].guide.hit_samples == (0, sample_of_frame(40, RATE))


def test_a_performance_begins_where_a_trimmed_clip_is_heard(cut, voice, tmp_path):
    import opentimelineio as otio

    path, _ = foley(cut, Timing(), span=("f0", "f72"))
    timeline = read_timeline(path)
    (clip,) = timeline.audio_tracks()[0].find_clips()
    frames = [otio.opentime.RationalTime(count, float(RATE)) for count in (9, 63)]
    clip.source_range = otio.opentime.TimeRange(*frames)
    clip.parent().insert(0, otio.schema.Gap(duration=frames[0]))
    otio.adapters.write_to_file(timeline, str(tmp_path / "trimmed.otio"))
    _, client = again(tmp_path / "trimmed.otio", "again.otio", timing=Timing(performance=voice))
    (sent,) = client.performances
    first = sample_of_frame(9, RATE)
    assert not sent[:first].any()
    assert np.array_equal(sent[first : first + 48_000], soundfile.read(voice, dtype="float32")[0])


def test_a_missing_performance_of_an_earlier_take_is_said_before_anything_is_made(cut, voice, tmp_path):
    path, _ = foley(cut, Timing(performance=voice))
    (kept,) = (tmp_path / "made.foley").glob("performance-*.wav")
    kept.unlink()
    with pytest.raises(MediaError, match=r"performance voice\.wav of this take.*--guide picture"):
        again(path, "again.otio")
    assert not (tmp_path / "again.otio").exists()
    again(path, "again.otio", timing=Timing())
