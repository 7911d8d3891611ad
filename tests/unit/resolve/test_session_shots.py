"""A shot list as one batch: what each marker asks for, and going on where it was, nothing twice and nothing lost."""

import json
from dataclasses import replace
from fractions import Fraction

import opentimelineio as otio
import pytest

from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.errors import RequestError, ServerError, TimelineError
from diffava_resolve.session import (
    Finishing,
    FoleySettings,
    ShotBegun,
    Timing,
    Wanted,
    generate_shots,
    picture_of_movie,
    shots_of_markers,
)
from diffava_resolve.session.generate import plan_of
from diffava_resolve.session.journal import FILE_NAME, FOLDER_NAME, Journal, key_of
from diffava_resolve.session.media_folder import MediaFolder
from diffava_resolve.timeline.place import foley_clips, media_folder
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.shot_notes import ShotNote, parse_shot_note
from support.clips import write_flash_clip
from support.takes import noise, write_take
from support.tiny_cut import write_tiny_cut

MARKERS = ((2, 12, "rain"), (20, 12, "thunder | seed: 9 | takes: 2"), (40, 12, "steps | not: voices, music"))


@pytest.fixture
def cut(tmp_path):
    return write_tiny_cut(tmp_path, rate=Fraction(24), flash_frames=(5, 45), markers=MARKERS)


def run(cut, out, client, on_event=lambda event: None, **settings):
    timeline = read_timeline(cut.path)
    wanted = shots_of_markers(timeline, lambda prompt: FoleySettings(prompt, **settings))
    return generate_shots(timeline, cut.path, wanted, client, out, on_event=on_event)


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def asked(client):
    return [job.prompt for job in client.jobs]


class FailingClient(ScriptedClient):
    """Loses its engine in one job, once it has sent some of that job's blocks (the scripted server's: one a take)."""

    def __init__(self, in_job, after_blocks):
        super().__init__(fail_after_blocks=after_blocks)
        self.in_job = in_job

    def generate(self, *args, **kwargs):
        lost = ServerError("The engine was lost.", retryable=True)
        self.failure = lost if len(self.jobs) == self.in_job else None
        return super().generate(*args, **kwargs)


def failing(in_job, after_blocks=0):
    return FailingClient(in_job, after_blocks)


def test_each_marker_is_a_shot_with_its_own_prompt_takes_seed_and_what_is_not_to_be_heard(cut, tmp_path):
    client = ScriptedClient()
    placed = run(cut, tmp_path / "out.otio", client, negative_prompt="hum")
    assert [(job.prompt, job.negative_prompt, len(job.seeds)) for job in client.jobs] == [
        ("rain", "hum", 1),
        ("thunder", "hum", 2),
        ("steps", "voices, music", 1),
    ]
    assert client.jobs[1].seeds == (9, 10)
    assert [clip.clip_id for clip in placed] == ["foley-1", "foley-2", "foley-3"]
    found = foley_clips(read_timeline(tmp_path / "out.otio"))
    assert [(clip.region.start_frame, clip.region.stop_frame) for clip in found] == [(2, 14), (20, 32), (40, 52)]
    assert len(listing(tmp_path / "out.foley")) == 4, "the journal and the lock are gone"


@pytest.mark.parametrize(
    ("comment", "name", "note"),
    [
        ("rain", "Marker 3", ShotNote("rain")),
        ("", "door slam", ShotNote("door slam")),
        ("", "Marker 3", ShotNote()),
        (" rain |NOT: a, b| Takes:2 |seed : 5", "x", ShotNote("rain", "a, b", 2, 5)),
        ("| seed: 5", "x", ShotNote("", "", None, 5)),
    ],
)
def test_a_markers_text_is_read_as_documented(comment, name, note):
    assert parse_shot_note(comment, name) == note


@pytest.mark.parametrize(
    "comment", ["rain | loud", "rain | takes: two", "rain | seed: -1", "rain | not: a | not: b", "a|"]
)
def test_what_is_not_understood_is_said_with_an_example_and_the_place(cut, tmp_path, comment):
    write_tiny_cut(tmp_path, rate=Fraction(24), markers=((30, 5, comment),))
    with pytest.raises(RequestError, match=r"At 01:00:01:06: .* footsteps in snow \| not: voices"):
        run(cut, tmp_path / "out.otio", ScriptedClient())


def test_a_marker_without_a_prompt_is_named(cut, tmp_path):
    write_tiny_cut(tmp_path, rate=Fraction(24), markers=((30, 5, "| takes: 2"),))
    with pytest.raises(RequestError, match="01:00:01:06 to 01:00:01:11 does not say what should be heard"):
        run(cut, tmp_path / "out.otio", ScriptedClient())


@pytest.mark.parametrize(("done", "blocks"), [(1, 0), (1, 1), (2, 0)])
def test_after_a_failure_the_same_command_goes_on_with_the_same_seeds(cut, tmp_path, done, blocks):
    out, client = tmp_path / "out.otio", failing(done, blocks)
    kept = "1 of 3 shots is kept" if done == 1 else "2 of 3 shots are kept"
    with pytest.raises(ServerError, match=rf"The engine was lost\. {kept}: the same command goes on from there\."):
        run(cut, out, client)
    assert not out.exists()
    drawn = client.jobs[-1].seeds
    again = ScriptedClient()
    run(cut, out, again)
    assert asked(again) == ["rain", "thunder", "steps"][done:]
    assert again.jobs[0].seeds == drawn
    takes = [take for clip in foley_clips(read_timeline(out)) for take in clip.takes]
    assert listing(media_folder(out)) == sorted(take.target_url.rpartition("/")[2] for take in takes)
    assert len(takes) == 4


def test_a_failure_before_the_first_shot_is_done_leaves_nothing(cut, tmp_path):
    with pytest.raises(ServerError, match=r"^The engine was lost\.$"):
        run(cut, tmp_path / "out.otio", failing(0))
    assert not media_folder(tmp_path / "out.otio").exists()


def test_an_interruption_keeps_what_is_done(cut, tmp_path):
    def interrupt(event):
        if isinstance(event, ShotBegun) and event.number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(cut, tmp_path / "out.otio", ScriptedClient(), interrupt)
    again = ScriptedClient()
    run(cut, tmp_path / "out.otio", again)
    assert asked(again) == ["steps"]


def test_only_the_marker_that_was_changed_is_made_anew(cut, tmp_path):
    with pytest.raises(ServerError):
        run(cut, tmp_path / "out.otio", failing(2))
    write_timeline_with(cut, (MARKERS[0], (20, 12, "hail"), MARKERS[2]))
    again = ScriptedClient()
    run(cut, tmp_path / "out.otio", again)
    assert asked(again) == ["hail", "steps"]
    assert len(listing(media_folder(tmp_path / "out.otio"))) == 3, "the takes of the old second shot are gone"


def write_timeline_with(cut, markers):
    timeline = otio.adapters.read_from_file(str(cut.path))
    timeline.tracks.markers.clear()
    for start, count, comment in markers:
        marked = otio.opentime.TimeRange(otio.opentime.RationalTime(start, 24), otio.opentime.RationalTime(count, 24))
        timeline.tracks.markers.append(otio.schema.Marker(marked_range=marked, comment=comment))
    otio.adapters.write_to_file(timeline, str(cut.path))


@pytest.mark.parametrize("change", ["picture", "model", "loudness"])
def test_what_would_sound_otherwise_now_is_made_anew(cut, tmp_path, change):
    with pytest.raises(ServerError):
        run(cut, tmp_path / "out.otio", failing(2))
    again, settings = ScriptedClient(), {}
    if change == "picture":
        write_flash_clip(cut.media[0], 36, Fraction(24), [7, 9], width=64, height=36)
    elif change == "model":
        (model,) = again.server.models
        again.server = replace(again.server, models=(replace(model, weights_sha256="1" * 64),))
    else:
        settings["finishing"] = Finishing(loudness=-23.0)
    run(cut, tmp_path / "out.otio", again, **settings)
    assert asked(again)[0] == "rain"


def test_a_take_that_was_damaged_meanwhile_is_made_anew(cut, tmp_path):
    with pytest.raises(ServerError):
        run(cut, tmp_path / "out.otio", failing(2))
    next(media_folder(tmp_path / "out.otio").rglob("foley-1-*.wav")).write_bytes(b"")
    again = ScriptedClient()
    run(cut, tmp_path / "out.otio", again)
    assert asked(again) == ["rain", "steps"]


def test_files_that_were_there_before_stay_and_remains_of_a_killed_command_go(cut, tmp_path):
    folder = media_folder(tmp_path / "out.otio")
    folder.mkdir()
    old = write_take(folder / "foley-1.wav", noise(100)).path
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ServerError):
        run(cut, tmp_path / "out.otio", failing(1))
    for remains in (".diffava-0123.wav", ".diffava-0123.f32", "foley-2-abc.wav", "performance-abc.wav"):
        (folder / FOLDER_NAME / remains).write_bytes(b"half")
    other = write_take(folder / "foley-1.wav", noise(200)).path  # by another command in between
    run(cut, tmp_path / "out.otio", ScriptedClient())
    names = listing(folder)
    assert old.name in names
    assert "notes.txt" in names
    assert other.name in names
    assert len(names) == 3 + 4


def test_the_very_same_shot_twice_is_two_clips(cut, tmp_path):
    write_timeline_with(cut, (MARKERS[0], MARKERS[0]))
    client = ScriptedClient()
    placed = run(cut, tmp_path / "out.otio", client)
    assert len(client.jobs) == 2
    assert [clip.track_name for clip in placed] == ["Foley", "Foley 2"]


def test_a_performance_is_kept_with_its_shot(cut, tmp_path):
    voice = write_take(tmp_path / "voice.wav", noise(24_000)).path
    timeline = read_timeline(cut.path)
    wanted = shots_of_markers(timeline, FoleySettings)[:2]
    wanted = (replace(wanted[0], timing=Timing(performance=voice)), wanted[1])
    with pytest.raises(ServerError):
        generate_shots(timeline, cut.path, wanted, failing(1), tmp_path / "out.otio")
    again = ScriptedClient()
    generate_shots(timeline, cut.path, wanted, again, tmp_path / "out.otio")
    assert asked(again) == ["thunder"]
    assert len(list(media_folder(tmp_path / "out.otio").glob("performance-*.wav"))) == 1


def test_a_picture_that_was_rendered_for_the_job_is_known_again_by_what_is_seen(tmp_path):
    """An editor renders the graded picture for every command anew, into another file; the model looks at 4 and 7."""

    def key(name, flash_frame, is_rendered=True):
        write_flash_clip(tmp_path / name, 12, Fraction(24), [flash_frame], width=64, height=36)
        picture = picture_of_movie(tmp_path / name)
        wanted = Wanted(picture.region, FoleySettings("rain", seed=5))
        client = ScriptedClient()
        with MediaFolder(tmp_path / "media") as folder:
            plan = plan_of(picture, wanted, client, folder)
        return key_of(replace(plan, is_rendered=is_rendered), client.models()[0], is_seeded=True)

    assert key("first.mp4", 4) == key("second.mp4", 4) != key("third.mp4", 7)
    assert key("first.mp4", 4, is_rendered=False) != key("second.mp4", 4, is_rendered=False)


def test_two_commands_do_not_make_the_same_list_at_once(cut, tmp_path):
    out = tmp_path / "out.otio"
    with Journal(media_folder(out)), pytest.raises(RequestError, match="Another command is making shots"):
        run(cut, out, ScriptedClient())
    run(cut, out, ScriptedClient())


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"schema_version": 99})])
def test_a_journal_that_cannot_be_read_is_said_and_left(cut, tmp_path, text):
    folder = media_folder(tmp_path / "out.otio") / FOLDER_NAME
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_text(text)
    with pytest.raises(TimelineError, match="cannot be read by this version; delete its folder to begin anew"):
        run(cut, tmp_path / "out.otio", ScriptedClient())
    assert (folder / FILE_NAME).read_text() == text


def test_the_shots_are_counted_as_they_begin(cut, tmp_path):
    events = []
    run(cut, tmp_path / "out.otio", ScriptedClient(), events.append)
    begun = [event for event in events if isinstance(event, ShotBegun)]
    assert begun == [ShotBegun(1, 3, "rain"), ShotBegun(2, 3, "thunder"), ShotBegun(3, 3, "steps")]
