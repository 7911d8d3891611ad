"""The main job with a scripted server: what lands on the timeline and on disk, and that a failure leaves nothing."""

from fractions import Fraction

import numpy as np
import opentimelineio as otio
import pytest
import soundfile

from diffava_resolve.client.protocol import Progress
from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.errors import MediaError, RequestError, ServerError
from diffava_resolve.session import FoleySettings, Wanted, generate_clip, generate_foley
from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.timeline.place import foley_clips, media_folder
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range, region_of_timeline
from support.tiny_cut import write_tiny_cut

SETTINGS = FoleySettings("footsteps", seed=5)


def listing(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.fixture
def cut(tmp_path):
    return write_tiny_cut(tmp_path, rate=Fraction(30000, 1001), flash_frames=(40,))


def test_takes_land_on_a_new_track_at_the_region_with_exactly_its_samples(cut, tmp_path):
    timeline = read_timeline(cut.path)
    region = region_of_range(timeline, "f10", "f61")
    out = tmp_path / "out.otio"
    settings = FoleySettings("footsteps", take_count=3, seed=5)
    (clip,) = generate_foley(timeline, cut.path, [Wanted(region, settings)], ScriptedClient(), out)
    written = read_timeline(out)
    (found,) = foley_clips(written)
    assert found.clip_id == clip.clip_id
    assert (found.region.start_frame, found.region.stop_frame) == (10, 61)
    assert found.track_name == "Foley"
    assert [take.receipt.seed for take in found.takes] == [5, 6, 7]
    for take in found.takes:
        path = found.take_path(take, tmp_path)
        assert soundfile.info(path).frames == region.sample_count
        assert soundfile.info(path).subtype == "PCM_24"
    assert len(list(media_folder(out).iterdir())) == 3


def test_the_receipt_says_what_was_asked_and_what_was_measured(cut, tmp_path):
    timeline = read_timeline(cut.path)
    region = region_of_timeline(timeline)
    (clip,) = generate_foley(timeline, cut.path, [Wanted(region, SETTINGS)], ScriptedClient(), tmp_path / "out.otio")
    receipt = clip.takes[0].receipt
    assert receipt.job.prompt == "footsteps"
    assert receipt.job.model == "scripted"
    assert receipt.job.cut_samples == (57658,)  # frame 36 at 29.97: 36 * 1601.6
    assert receipt.picture.frame_count == receipt.picture.frame_format.frame_count(region.sample_count)
    assert -40 < receipt.loudness_lufs < -10
    assert receipt.sync["hit_count"] == 0  # flashes are no motion
    assert receipt.sync["tolerance_s"] == 0.1


def test_a_white_picture_is_heard_where_it_is_seen(cut, tmp_path):
    timeline = read_timeline(cut.path)
    region = region_of_range(timeline, "f12", "f72")
    (clip,) = generate_foley(timeline, cut.path, [Wanted(region, SETTINGS)], ScriptedClient(), tmp_path / "out.otio")
    samples, _ = soundfile.read(clip.takes[0].path)
    # Encoder frame 7 is looked at second 7.5 / 8, where timeline frame 12 + 28 = 40 is on screen.
    assert np.flatnonzero(samples > 0.9).tolist() == [7 * 6000]


def test_each_region_has_its_own_prompt_and_clip(cut, tmp_path):
    timeline = read_timeline(cut.path)
    wanted = [
        Wanted(region_of_range(timeline, "f0", "f20"), FoleySettings("rain", seed=1)),
        Wanted(region_of_range(timeline, "f30", "f50"), FoleySettings("thunder", seed=2)),
    ]
    generate_foley(timeline, cut.path, wanted, ScriptedClient(), tmp_path / "out.otio")
    found = foley_clips(read_timeline(tmp_path / "out.otio"))
    assert [(clip.name, clip.track_name) for clip in found] == [("rain", "Foley"), ("thunder", "Foley")]
    assert len({clip.clip_id for clip in found}) == 2


def test_the_input_timeline_stays_byte_for_byte(cut, tmp_path):
    before = cut.path.read_bytes()
    timeline = read_timeline(cut.path)
    wanted = [Wanted(region_of_timeline(timeline), SETTINGS)]
    generate_foley(timeline, cut.path, wanted, ScriptedClient(), tmp_path / "out.otio")
    assert cut.path.read_bytes() == before
    with pytest.raises(RequestError, match="never overwritten"):
        generate_foley(timeline, cut.path, wanted, ScriptedClient(), cut.path)


def test_an_output_in_another_folder_still_finds_the_media(cut, tmp_path):
    elsewhere = tmp_path / "results"
    elsewhere.mkdir()
    timeline = read_timeline(cut.path)
    out = elsewhere / "out.otio"
    generate_foley(timeline, cut.path, [Wanted(region_of_timeline(timeline), SETTINGS)], ScriptedClient(), out)
    clips = otio.adapters.read_from_file(str(out)).find_clips()
    assert all((elsewhere / clip.media_reference.target_url).is_file() for clip in clips)


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_a_server_that_fails_leaves_nothing(cut, tmp_path, blocks):
    before = listing(tmp_path)
    timeline = read_timeline(cut.path)
    client = ScriptedClient(failure=ServerError("The engine was lost."), fail_after_blocks=blocks)
    settings = FoleySettings("footsteps", take_count=3, seed=5)
    with pytest.raises(ServerError, match="lost"):
        generate_foley(
            timeline, cut.path, [Wanted(region_of_timeline(timeline), settings)], client, tmp_path / "out.otio"
        )
    assert listing(tmp_path) == before


def test_an_interruption_leaves_nothing_and_cancels_the_job(cut, tmp_path):
    before = listing(tmp_path)
    timeline = read_timeline(cut.path)
    client = ScriptedClient()

    def interrupt(event):
        if getattr(event, "stage", "") == "waveform":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_foley(
            timeline,
            cut.path,
            [Wanted(region_of_timeline(timeline), SETTINGS)],
            client,
            tmp_path / "out.otio",
            on_event=interrupt,
        )
    assert listing(tmp_path) == before


def test_a_later_region_that_fails_takes_the_earlier_ones_takes_away(cut, tmp_path):
    before = listing(tmp_path)
    timeline = read_timeline(cut.path)
    client = ScriptedClient(failure=ServerError("The engine was lost."), fail_after_blocks=1)
    wanted = [
        Wanted(region_of_range(timeline, "f0", "f20"), SETTINGS),
        Wanted(region_of_range(timeline, "f30", "f50"), FoleySettings("thunder", take_count=2, seed=2)),
    ]
    with pytest.raises(ServerError):
        generate_foley(timeline, cut.path, wanted, client, tmp_path / "out.otio")
    assert listing(tmp_path) == before


def test_takes_of_an_earlier_run_survive_a_later_failure(cut, tmp_path):
    timeline = read_timeline(cut.path)
    out = tmp_path / "out.otio"
    wanted = [Wanted(region_of_timeline(timeline), SETTINGS)]
    generate_foley(timeline, cut.path, wanted, ScriptedClient(), out)
    before = listing(tmp_path)
    second = FoleySettings("footsteps", take_count=2, seed=5)  # its first take is the very same file
    with pytest.raises(ServerError):
        generate_foley(
            timeline,
            cut.path,
            [Wanted(region_of_timeline(timeline), second)],
            ScriptedClient(failure=ServerError("lost"), fail_after_blocks=3),
            out,
        )
    assert listing(tmp_path) == before


def test_missing_media_are_found_before_the_server_is_asked(cut, tmp_path):
    cut.media[1].unlink()
    timeline = read_timeline(cut.path)
    client = ScriptedClient()
    with pytest.raises(MediaError, match=r"second\.mp4"):
        generate_foley(
            timeline, cut.path, [Wanted(region_of_timeline(timeline), SETTINGS)], client, tmp_path / "o.otio"
        )
    assert client.jobs == []


def test_a_seed_that_is_not_given_is_drawn_and_recorded(cut, tmp_path):
    timeline = read_timeline(cut.path)
    wanted = [Wanted(region_of_timeline(timeline), FoleySettings("footsteps"))]
    seeds = set()
    for name in ("a.otio", "b.otio"):
        (clip,) = generate_foley(timeline, cut.path, wanted, ScriptedClient(), tmp_path / name)
        seeds.add(clip.takes[0].receipt.seed)
    assert len(seeds) == 2


def test_a_single_clip_becomes_one_wav_as_long_as_its_picture(cut, tmp_path):
    take = generate_clip(cut.media[0], SETTINGS, ScriptedClient(), tmp_path / "sound.wav")
    assert soundfile.info(tmp_path / "sound.wav").frames == round(36 * 48000 * 1001 / 30000)
    assert take.receipt.job.sample_count == soundfile.info(take.path).frames


def test_a_single_clip_that_fails_leaves_nothing(cut, tmp_path):
    before = listing(tmp_path)
    with pytest.raises(ServerError):
        generate_clip(cut.media[0], SETTINGS, ScriptedClient(failure=ServerError("lost")), tmp_path / "sound.wav")
    assert listing(tmp_path) == before


def test_measuring_a_take_shows_how_far_it_is(cut, tmp_path):
    events = []
    generate_clip(cut.media[0], SETTINGS, ScriptedClient(), tmp_path / "sound.wav", on_event=events.append)
    done = [event.completed for event in events if isinstance(event, Progress) and event.stage == "measure"]
    assert done == sorted(done)
    assert 30 <= done[-1] <= 36


@pytest.mark.parametrize("before", [None, b"an older sound"])
def test_an_interruption_while_a_single_clip_is_measured_leaves_all_as_it_was(cut, tmp_path, before):
    if before is not None:
        (tmp_path / "sound.wav").write_bytes(before)
    files = listing(tmp_path)

    def interrupt(event):
        if isinstance(event, Progress) and event.stage == "measure":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_clip(cut.media[0], SETTINGS, ScriptedClient(), tmp_path / "sound.wav", on_event=interrupt)
    assert listing(tmp_path) == files
    assert before is None or (tmp_path / "sound.wav").read_bytes() == before


def test_an_interruption_just_after_the_folder_was_made_leaves_none(tmp_path, monkeypatch):
    def interrupted(path):
        path.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr("diffava_resolve.session.media_folder.make_folder", interrupted)
    with pytest.raises(KeyboardInterrupt), MediaFolder(tmp_path / "out.foley"):
        pass
    assert listing(tmp_path) == []
