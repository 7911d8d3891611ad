"""Making a clip anew, whole or in part, and proving that a timeline's takes are what their receipts say."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.errors import RequestError, ServerError
from diffava_resolve.frames import hit_search
from diffava_resolve.frames.hits import motion_hits
from diffava_resolve.session import FoleySettings, Wanted, generate_foley, regenerate, verify
from diffava_resolve.timeline.place import find_clip, foley_clips, select_take
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range, region_of_timeline
from support.clips import write_flash_clip
from support.tiny_cut import CLIP_FRAMES, write_tiny_cut

RATE = Fraction(24000, 1001)


@pytest.fixture
def made(tmp_path):
    """A timeline with one generated clip over all of it, two takes."""
    cut = write_tiny_cut(tmp_path, rate=RATE, flash_frames=(20, 50))
    timeline = read_timeline(cut.path)
    settings = FoleySettings("footsteps", take_count=2, seed=5)
    out = tmp_path / "made.otio"
    generate_foley(timeline, cut.path, [Wanted(region_of_timeline(timeline), settings)], ScriptedClient(), out)
    return out


def again(source, out, part=None, seed=700, client=None, takes=1, prompt="boots"):
    timeline = read_timeline(source)
    region = None if part is None else region_of_range(timeline, *part)
    settings = FoleySettings(prompt, seed=seed, take_count=takes)
    return regenerate(timeline, source, "foley-1", settings, client or ScriptedClient(), out, part=region)


def pcm(clip, take, directory):
    return soundfile.read(clip.take_path(take, directory), dtype="int32")[0]


def outcomes(path, client=None):
    return [verdict.outcome for verdict in verify(read_timeline(path), path, client or ScriptedClient())]


def test_a_clip_made_anew_has_the_new_take_heard_and_the_old_ones_kept(made, tmp_path):
    again(made, tmp_path / "again.otio")
    clip = find_clip(read_timeline(tmp_path / "again.otio"), "foley-1")
    assert [take.number for take in clip.takes] == [1, 2, 3]
    assert clip.chosen_number == 3
    assert clip.chosen.receipt.job.prompt == "boots"


def test_a_part_made_anew_is_bit_identical_outside_and_different_inside(made, tmp_path):
    again(made, tmp_path / "again.otio", part=("f30", "f40"))
    clip = find_clip(read_timeline(tmp_path / "again.otio"), "foley-1")
    old, new = pcm(clip, clip.take(1), tmp_path), pcm(clip, clip.chosen, tmp_path)
    start, stop = (round(Fraction(frame * 48000) / RATE) for frame in (30, 40))
    assert np.array_equal(old[:start], new[:start])
    assert np.array_equal(old[stop:], new[stop:])
    assert not np.array_equal(old[start:stop], new[start:stop])


def test_a_part_is_asked_for_with_the_clip_around_it(made, tmp_path):
    client = ScriptedClient()
    again(made, tmp_path / "again.otio", part=("f30", "f40"), client=client)
    (job,) = client.jobs
    start, stop = (round(Fraction(frame * 48000) / RATE) for frame in (30, 40))
    assert job.regenerate_samples == (start, stop)  # the clip is shorter than the context, so the job covers all of it
    assert job.sample_count == round(Fraction(72 * 48000) / RATE)
    assert job.cut_samples == (72072,)


def test_a_long_clip_costs_no_more_than_the_part_with_its_context(tmp_path):
    cut = write_tiny_cut(tmp_path, rate=Fraction(5), clip_frames=90)  # 36 s
    timeline = read_timeline(cut.path)
    out = tmp_path / "made.otio"
    settings = FoleySettings("rain", seed=5)
    generate_foley(timeline, cut.path, [Wanted(region_of_timeline(timeline), settings)], ScriptedClient(), out)
    client = ScriptedClient()
    again(out, tmp_path / "again.otio", part=("f80", "f90"), client=client)
    (job,) = client.jobs
    assert job.sample_count == (11 + 2 + 11) * 48000
    assert job.regenerate_samples == (11 * 48000, 13 * 48000)
    clip = find_clip(read_timeline(tmp_path / "again.otio"), "foley-1")
    old, new = pcm(clip, clip.take(1), tmp_path), pcm(clip, clip.chosen, tmp_path)
    different = np.flatnonzero(old != new)
    assert 16 * 48000 <= different[0] <= different[-1] < 18 * 48000
    assert outcomes(tmp_path / "again.otio") == ["same", "same"]


def test_several_takes_of_a_part_are_a_job_each(made, tmp_path):
    client = ScriptedClient()
    again(made, tmp_path / "again.otio", part=("f30", "f40"), client=client, takes=2)
    assert [job.seeds for job in client.jobs] == [(700,), (701,)]
    assert len(find_clip(read_timeline(tmp_path / "again.otio"), "foley-1").takes) == 4


def test_the_picture_is_measured_once_however_many_takes_of_a_part_are_made(made, tmp_path, monkeypatch):
    measured = []

    def counted(picture, *arguments):
        measured.append(picture)
        return motion_hits(picture, *arguments)

    monkeypatch.setattr(hit_search, "motion_hits", counted)
    again(made, tmp_path / "again.otio", part=("f30", "f40"), takes=3)
    assert len(measured) == 1


def test_a_part_of_a_part_keeps_what_the_first_one_made(made, tmp_path):
    again(made, tmp_path / "once.otio", part=("f30", "f40"))
    again(tmp_path / "once.otio", tmp_path / "twice.otio", part=("f50", "f60"), seed=900)
    clip = find_clip(read_timeline(tmp_path / "twice.otio"), "foley-1")
    first, second = pcm(clip, clip.take(3), tmp_path), pcm(clip, clip.take(4), tmp_path)
    start, stop = (round(Fraction(frame * 48000) / RATE) for frame in (50, 60))
    assert np.array_equal(first[:start], second[:start])
    assert np.array_equal(first[stop:], second[stop:])
    assert outcomes(tmp_path / "twice.otio") == ["same"] * 4


def test_a_part_outside_the_clip_is_refused(tmp_path):
    cut = write_tiny_cut(tmp_path, rate=RATE)
    timeline = read_timeline(cut.path)
    out = tmp_path / "made.otio"
    wanted = [Wanted(region_of_range(timeline, "f10", "f30"), FoleySettings("footsteps", seed=5))]
    generate_foley(timeline, cut.path, wanted, ScriptedClient(), out)
    with pytest.raises(RequestError, match="inside"):
        again(out, tmp_path / "again.otio", part=("f20", "f40"))
    assert not (tmp_path / "again.otio").exists()


def test_a_failure_while_making_anew_leaves_the_folder_as_it_was(made, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ServerError):
        again(made, tmp_path / "again.otio", client=ScriptedClient(failure=ServerError("lost")))
    assert sorted(tmp_path.rglob("*")) == before


def test_takes_made_again_are_the_same(made):
    assert outcomes(made) == ["same", "same"]


def test_takes_after_whole_and_partial_regeneration_are_the_same(made, tmp_path):
    again(made, tmp_path / "again.otio")
    again(tmp_path / "again.otio", tmp_path / "part.otio", part=("f5", "f15"))
    assert outcomes(tmp_path / "part.otio") == ["same"] * 4


def test_choosing_another_take_changes_no_verdict(made, tmp_path):
    again(made, tmp_path / "again.otio", part=("f30", "f40"))
    timeline = select_take(read_timeline(tmp_path / "again.otio"), "foley-1", 2)
    verdicts = list(verify(timeline, tmp_path / "again.otio", ScriptedClient()))
    assert [(verdict.take_number, verdict.outcome) for verdict in verdicts] == [(1, "same"), (2, "same"), (3, "same")]


def test_a_changed_wav_differs(made, tmp_path):
    clip = find_clip(read_timeline(made), "foley-1")
    path = clip.take_path(clip.take(2), tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert outcomes(made) == ["same", "differs"]


def test_a_changed_picture_cannot_be_verified_and_the_job_is_called_off(made, tmp_path):
    write_flash_clip(tmp_path / "second.mp4", CLIP_FRAMES, RATE, [0, 1, 2, 3], width=64, height=36)
    (first, second) = verify(read_timeline(made), made, ScriptedClient())
    assert first.outcome == second.outcome == "cannot"
    assert "picture" in first.reason


def test_missing_media_cannot_be_verified(made, tmp_path):
    (tmp_path / "second.mp4").unlink()
    verdicts = list(verify(read_timeline(made), made, ScriptedClient()))
    assert [verdict.outcome for verdict in verdicts] == ["cannot", "cannot"]
    assert "second.mp4" in verdicts[0].reason


def test_other_weights_cannot_verify(made):
    client = ScriptedClient()
    client.server = replace(client.server, models=(replace(client.server.models[0], weights_sha256="f" * 64),))
    assert outcomes(made, client) == ["cannot", "cannot"]


def test_a_server_that_makes_other_samples_differs(made):
    class Other(ScriptedClient):
        def generate(self, job, *sources, on_event=lambda event: None):
            shifted = tuple(seed + 1 for seed in job.seeds)
            return super().generate(replace(job, seeds=shifted), *sources, on_event=on_event)

    assert outcomes(made, Other()) == ["differs", "differs"]


def test_a_clip_that_moved_with_its_picture_is_still_the_same(made, tmp_path):
    """A ripple insert before it moves picture and sound together; at 29.97 a frame's length depends on its number."""
    import opentimelineio as otio

    timeline = read_timeline(made)
    for track in timeline.tracks:
        track.insert(0, otio.schema.Gap(duration=otio.opentime.RationalTime(7, float(RATE))))
    moved = tmp_path / "moved.otio"
    otio.adapters.write_to_file(timeline, str(moved))
    assert foley_clips(read_timeline(moved))[0].region.start_frame == 7
    assert outcomes(moved) == ["same", "same"]
    again(moved, tmp_path / "again.otio", part=("f37", "f47"))
    again(tmp_path / "again.otio", tmp_path / "whole.otio")
    assert outcomes(tmp_path / "whole.otio") == ["same"] * 4
