"""The whole job in an editor's open timeline: from pictures on a timeline to sound at their frames, and back out of it.

The server is scripted: it answers each white picture with an impulse, so that sound can be followed to its frame. The
editors are Resolve, as the fake plays its versions, and timelines' files.
"""

import json
from fractions import Fraction
from functools import partial

import av
import numpy as np
import opentimelineio as otio
import pytest
import soundfile

from diffava_resolve.client.protocol import Limits, ServerInfo
from diffava_resolve.client.scripted_client import SCRIPTED_MODEL, ScriptedClient
from diffava_resolve.editor.file_editor import FileEditor
from diffava_resolve.editor.protocol import Selection
from diffava_resolve.editor.resolve_editor import ResolveEditor
from diffava_resolve.errors import MediaError, RequestError, ServerError
from diffava_resolve.session.in_editor import (
    FoleyWish,
    foley_in_editor,
    regenerate_in_editor,
    select_in_editor,
    takes_in_editor,
    verify_in_editor,
)
from diffava_resolve.session.settings import FoleySettings
from diffava_resolve.spec import FrameFormat
from support.clips import write_flash_clip
from support.editors import FileDesk, ResolveDesk
from support.fake_resolve import PROFILES, FakeResolve, profile
from support.shared_data import TIMELINES, needs_shared_timelines
from support.timelines import clip, gap, movie, relink, timeline, track

FILM, NTSC = Fraction(24000, 1001), Fraction(30000, 1001)
SHOT_FRAMES = 40
FLASH = 50  # the one white frame of the cut, in its second shot
KINDS = ["file", *PROFILES]
SOME = ["file", "18.6", "21.1 Studio"]  # an editor each of the ways in which takes and receipts are kept
EFFECTS = TIMELINES / "aswf_otio" / "effects.otio"


def media(folder, rate):
    """Two shots, black but for one frame."""
    paths = [folder / "first.mp4", folder / "second.mp4"]
    for number, path in enumerate(paths):
        own = [FLASH - number * SHOT_FRAMES] if FLASH // SHOT_FRAMES == number else []
        write_flash_clip(path, SHOT_FRAMES, rate, own, width=64, height=36)
    return paths


def desk(folder, kind, rate, label, drop=False, render=None):
    """Two shots and a line of dialogue in an editor."""
    paths = media(folder, rate)
    if kind == "file":
        shots = [clip(movie(path, rate, SHOT_FRAMES), 0, SHOT_FRAMES, rate) for path in paths]
        talk = [gap(5, rate), clip(movie("/talk.wav", rate, 900), 0, 40, rate)]
        cut = timeline([track(shots), track(talk, "Audio 1", "Audio")], rate, label)
        source, output = folder / "cut.otio", folder / "out.otio"
        otio.adapters.write_to_file(cut, str(source))
        return FileDesk(FileEditor(source, output), output, source)
    fake = FakeResolve(profile(kind), rate, label, drop, render=render)
    for number, path in enumerate(paths):
        fake.add_clip("video", 1, path, number * SHOT_FRAMES, SHOT_FRAMES, frames=SHOT_FRAMES)
    fake.add_clip("audio", 1, "/talk.wav", 5, 40)
    clock = iter(range(10**6))
    return ResolveDesk(
        fake, ResolveEditor(fake.resolve, folder / "media", clock_s=lambda: next(clock), sleep=lambda _: None)
    )


def client_seeing(rate):
    """A server whose pictures are the timeline's frames, so that a flash is one of them."""
    model = SCRIPTED_MODEL.__class__(**{**vars(SCRIPTED_MODEL), "frames": FrameFormat(rate, 32, 18)})
    return ScriptedClient(server=ServerInfo("0.0.0-scripted", (model,), Limits(2000, 8, 48_000 * 3600, 200)))


def asking(**wishes):
    return partial(FoleySettings, **wishes)


def samples_of(heard):
    return soundfile.read(heard.wav, dtype="float32")[0][heard.first_sample :]


@pytest.mark.parametrize(
    ("kind", "rate", "label", "drop"),
    [*((kind, FILM, 86_400, False) for kind in KINDS), *((kind, NTSC, 107_892, True) for kind in SOME)],
)
def test_what_is_seen_at_a_frame_is_heard_at_that_frame(tmp_path, kind, rate, label, drop):
    at = desk(tmp_path, kind, rate, label, drop)
    before = at.others()
    wish = FoleyWish("a stone falls", Selection("range", "f20", "f71"), asking(seed=7))
    outcome = foley_in_editor(at.editor, wish, client_seeing(rate))
    [heard] = at.heard()
    assert (heard.track, heard.start_frame, heard.frames) == ("Foley", 20, 51)
    impulse = int(np.argmax(samples_of(heard)))
    assert abs(heard.start_sample + impulse - FLASH * 48_000 / rate) <= 1
    assert outcome.clips[0].region.start_frame == 20
    assert outcome.clips[0].takes[0].receipt.seed == 7
    assert outcome.clips[0].takes[0].receipt.job.cut_samples == (
        round(SHOT_FRAMES * 48_000 / rate) - heard.start_sample,
    )
    assert at.others() == before


@pytest.mark.parametrize("kind", SOME)
def test_takes_a_part_made_anew_and_another_take_chosen(tmp_path, kind):
    rate = Fraction(24)
    at = desk(tmp_path, kind, rate, 86_400)
    before = at.others()
    client = client_seeing(rate)
    foley_in_editor(at.editor, FoleyWish("rain", Selection("whole"), asking(take_count=2, seed=1)), client)
    [first] = at.heard()
    old = samples_of(first)

    regenerate_in_editor(
        at.editor, "foley-1", FoleyWish(settings_for=asking(seed=50)), client, part=("01:00:01:00", "01:00:02:00")
    )
    [heard] = at.heard()
    new = samples_of(heard)
    assert (heard.start_frame, heard.frames) == (first.start_frame, first.frames)
    changed = np.flatnonzero(old != new)
    assert 48_000 <= changed[0] < changed[-1] < 96_000  # its crossfades lie inside; outside every sample is the same
    assert [clip.chosen_number for clip in takes_in_editor(at.editor)] == [3]
    assert client.jobs[-1].prompt == "rain"

    select_in_editor(at.editor, "foley-1", 2)
    [heard] = at.heard()
    assert heard.wav not in (first.wav,)
    assert [clip.chosen_number for clip in takes_in_editor(at.editor)] == [2]
    assert at.others() == before


@pytest.mark.parametrize("kind", SOME)
def test_a_server_that_fails_half_way_leaves_nothing(tmp_path, kind):
    at = desk(tmp_path, kind, Fraction(24), 86_400)
    client = client_seeing(Fraction(24))
    client.failure, client.fail_after_blocks = ServerError("The server went away."), 1
    before = at.others(), at.fake.seen() if kind != "file" else None
    with pytest.raises(ServerError, match="went away"):
        foley_in_editor(at.editor, FoleyWish("rain", Selection("whole"), asking(take_count=2)), client)
    assert (at.others(), at.fake.seen() if kind != "file" else None) == before
    assert not list(tmp_path.rglob("*.wav"))


@pytest.mark.parametrize("version", ["19.1 free", "21.1 Studio"])
def test_marks_in_resolve_are_the_range(tmp_path, version):
    at = desk(tmp_path, version, NTSC, 107_892, drop=True)
    at.fake.timeline.SetMarkInOut(30, 64)
    outcome = foley_in_editor(at.editor, FoleyWish("rain"), client_seeing(NTSC))
    [heard] = at.heard()
    assert (heard.start_frame, heard.frames) == (30, 35)
    assert at.fake.timeline.GetMarkInOut()["video"] == {"in": 30, "out": 64}
    assert outcome.editor_name.startswith("DaVinci Resolve")


def test_media_of_another_rate_is_heard_where_it_is_seen(tmp_path):
    """12 frames a second on a timeline of 24: each picture is there for two frames."""
    path = write_flash_clip(tmp_path / "slow.mp4", 40, Fraction(12), [17], width=64, height=36)
    fake = FakeResolve(profile("20.3 Studio"), Fraction(24))
    fake.add_clip("video", 1, path, 10, 60, first=5, media_rate=Fraction(12), frames=40)
    fake.timeline.SetCurrentTimecode("01:00:01:00")
    at = ResolveDesk(fake, ResolveEditor(fake.resolve, tmp_path / "media"))
    foley_in_editor(at.editor, FoleyWish("rain", Selection("playhead")), client_seeing(Fraction(24)))
    [heard] = at.heard()
    assert (heard.start_frame, heard.frames) == (10, 60)
    assert heard.start_sample + int(np.argmax(samples_of(heard))) == (10 + 2 * (17 - 5)) * 2_000


def flashing_render(path, mark_in, mark_out):
    """Resolve's render of the range: white at the flash, as the graded picture."""
    write_flash_clip(path, mark_out - mark_in + 1, Fraction(24), [FLASH - (mark_in - 86_400)], width=64, height=36)


def test_a_clip_that_cannot_be_read_is_seen_as_resolve_renders_it(tmp_path):
    at = desk(tmp_path, "20.3 Studio", Fraction(24), 86_400, render=flashing_render)
    for item in at.fake.timeline._tracks["video"][0].items:
        item._media._kind = "Compound"
    wish = FoleyWish("a stone falls", Selection("range", "f20", "f71"))
    outcome = foley_in_editor(at.editor, wish, client_seeing(Fraction(24)))
    [heard] = at.heard()
    assert heard.start_sample + int(np.argmax(samples_of(heard))) == FLASH * 2_000
    assert any("cuts of the range are not known" in note for note in outcome.notes)


def test_marks_that_a_version_does_not_tell_are_spoken_of_when_rendering_takes_them_away(tmp_path):
    at = desk(tmp_path, "19.0 free", Fraction(24), 86_400, render=flashing_render)
    wish = FoleyWish("a stone falls", Selection("range", "f20", "f30"), picture="graded")
    outcome = foley_in_editor(at.editor, wish, client_seeing(Fraction(24)))
    assert any("rendering took them" in note for note in outcome.notes)


def test_a_clip_over_unreadable_media_is_made_anew_from_the_rendered_picture(tmp_path):
    at = desk(tmp_path, "20.3 Studio", Fraction(24), 86_400, render=flashing_render)
    for item in at.fake.timeline._tracks["video"][0].items:
        item._media._kind = "Compound"
    client = client_seeing(Fraction(24))
    foley_in_editor(at.editor, FoleyWish("a stone falls", Selection("range", "f20", "f71"), asking(seed=1)), client)
    outcome = regenerate_in_editor(
        at.editor, "foley-1", FoleyWish(settings_for=asking(seed=9)), client, part=("f40", "f60")
    )
    [heard] = at.heard()
    assert heard.start_sample + int(np.argmax(samples_of(heard))) == FLASH * 2_000
    assert any("cuts of the range are not known" in note for note in outcome.notes)


def test_a_part_outside_the_clip_is_refused_before_anything_is_rendered(tmp_path):
    at = desk(tmp_path, "20.3 Studio", Fraction(24), 86_400)
    client = client_seeing(Fraction(24))
    foley_in_editor(at.editor, FoleyWish("rain", Selection("range", "f20", "f40")), client)
    with pytest.raises(RequestError, match="not inside clip foley-1"):
        regenerate_in_editor(at.editor, "foley-1", FoleyWish(), client, part=("f50", "f60"))


@pytest.mark.parametrize("kind", SOME)
def test_every_take_of_the_timeline_is_made_again_and_is_the_same(tmp_path, kind):
    at = desk(tmp_path, kind, NTSC, 107_892, drop=True)
    client = client_seeing(NTSC)
    foley_in_editor(at.editor, FoleyWish("rain", Selection("range", "f7", "f43"), asking(take_count=2)), client)
    regenerate_in_editor(at.editor, "foley-1", FoleyWish(settings_for=asking(seed=4)), client, part=("f20", "f30"))
    verdicts = [(verdict.take_number, verdict.outcome) for verdict in verify_in_editor(at.editor, client)]
    assert verdicts == [(1, "same"), (2, "same"), (3, "same")]


def test_the_graded_picture_is_taken_on_demand_and_keeps_the_cuts(tmp_path):
    at = desk(tmp_path, "20.3 Studio", Fraction(24), 86_400, render=flashing_render)
    before = at.fake.seen()
    wish = FoleyWish("a stone falls", Selection("range", "f20", "f71"), picture="graded")
    outcome = foley_in_editor(at.editor, wish, client_seeing(Fraction(24)))
    assert outcome.clips[0].takes[0].receipt.job.cut_samples == ((SHOT_FRAMES - 20) * 2_000,)
    after = at.fake.seen()
    unchanged = ("page", "marks", "playhead", "bin", "render", "presets", "jobs")
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_media_that_are_offline_are_refused_where_only_they_are_wanted(tmp_path):
    at = desk(tmp_path, "20.3 Studio", Fraction(24), 86_400, render=flashing_render)
    (tmp_path / "second.mp4").unlink()
    wish = FoleyWish("rain", Selection("range", "f20", "f71"), picture="source")
    with pytest.raises(MediaError, match=r"missing: there is no .*second\.mp4"):
        foley_in_editor(at.editor, wish, client_seeing(Fraction(24)))


def test_a_file_has_no_graded_picture(tmp_path):
    at = desk(tmp_path, "file", Fraction(24), 86_400)
    with pytest.raises(RequestError, match="has no graded picture"):
        foley_in_editor(at.editor, FoleyWish("rain", Selection("whole"), picture="graded"), client_seeing(Fraction(24)))


@pytest.mark.parametrize("kind", SOME)
def test_each_marker_is_a_shot_with_its_own_prompt(tmp_path, kind):
    at = desk(tmp_path, kind, Fraction(24), 86_400)
    mark(at, [(10, 10, "rain"), (30, 12, ""), (60, 15, "thunder | takes: 2")])
    client = client_seeing(Fraction(24))
    outcome = foley_in_editor(at.editor, FoleyWish("wind", Selection("markers")), client)
    assert [job.prompt for job in client.jobs] == ["rain", "wind", "thunder"]
    assert [(one.start_frame, one.frames) for one in at.heard()] == [(10, 10), (30, 12), (60, 15)]
    assert [len(made.takes) for made in outcome.clips] == [1, 1, 2]
    assert [made.clip_id for made in outcome.clips] == ["foley-1", "foley-2", "foley-3"]


@pytest.mark.parametrize("kind", SOME)
def test_a_shot_list_goes_on_where_it_was_after_a_failure_and_makes_nothing_twice(tmp_path, kind):
    at = desk(tmp_path, kind, Fraction(24), 86_400)
    mark(at, [(start, 5, f"sound {start}") for start in range(0, 60, 10)])
    client = client_seeing(Fraction(24))
    client.failure, client.fail_after_blocks = ServerError("The server was killed."), 0
    before = at.others()

    def fail_at(job_count):
        client.fail_after_blocks = 0 if len(client.jobs) >= job_count else 10**6

    with pytest.raises(ServerError, match=r"was killed.* 3 of 6 shots are kept"):
        foley_in_editor(at.editor, FoleyWish(selection=Selection("markers")), client, lambda _: fail_at(4))
    assert (at.others(), at.heard()) == (before, [])
    client.failure = None
    foley_in_editor(at.editor, FoleyWish(selection=Selection("markers")), client)
    prompts = [job.prompt for job in client.jobs]
    assert prompts == [f"sound {start}" for start in (0, 10, 20, 30, 30, 40, 50)]
    assert [(one.start_frame, one.frames) for one in at.heard()] == [(start, 5) for start in range(0, 60, 10)]


def mark(at, shots):
    """Put markers on a desk's timeline: start, length, note."""
    if isinstance(at, ResolveDesk):
        for start, count, note in shots:
            at.fake.timeline.AddMarker(start, "Blue", "Marker 1", note, count)
        return
    cut = otio.adapters.read_from_file(str(at.source))
    for start, count, note in shots:
        marked = otio.opentime.TimeRange(*(otio.opentime.RationalTime(value, 24) for value in (start, count)))
        cut.tracks.markers.append(otio.schema.Marker(name="Marker 1", marked_range=marked, comment=note))
    otio.adapters.write_to_file(cut, str(at.source))


def test_shots_without_a_prompt_are_refused_before_anything_is_asked(tmp_path):
    at = desk(tmp_path, "21.1 Studio", Fraction(24), 86_400)
    at.fake.timeline.AddMarker(10, "Blue", "Marker 1", "", 20)
    client = client_seeing(Fraction(24))
    with pytest.raises(RequestError, match="prompt is empty"):
        foley_in_editor(at.editor, FoleyWish(selection=Selection("markers")), client)
    assert not client.jobs


def effects(folder):
    """37 clips with 170 effects on 19 tracks."""
    return EFFECTS


def single_clips(folder):
    """Single clips that Resolve wrote, one after another: numbered pictures, a fractional start, retimed, reversed."""
    cut = timeline([], Fraction(25), 90_000)
    clips = [
        otio.adapters.read_from_file(str(path), "otio_json") for path in sorted(TIMELINES.glob("ayon_core/*.json"))
    ]
    cut.tracks.append(track(clips))
    otio.adapters.write_to_file(cut, str(folder / "clips.otio"))
    return folder / "clips.otio"


@needs_shared_timelines
@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize(("cut_of", "rate"), [(effects, Fraction(24)), (single_clips, Fraction(25))])
def test_what_resolve_wrote_comes_out_with_all_that_was_in_it_and_our_track(tmp_path, kind, cut_of, rate):
    """Its media are not here: a file gets stand-ins, and in Resolve the range is rendered."""
    given_path, output = cut_of(tmp_path), tmp_path / "out.otio"
    wish = FoleyWish("wind over stones", Selection("range", "01:00:05:00", "01:00:06:12"), asking(take_count=2))
    if kind == "file":
        source = tmp_path / "given.otio"
        # Written once by OpenTimelineIO, whose newer schema says more defaults than Resolve did.
        cut = relink(otio.adapters.read_from_file(str(given_path)), lambda _: still(tmp_path))
        otio.adapters.write_to_file(cut, str(source))
        given = json.loads(source.read_text())
        foley_in_editor(FileEditor(source, output), wish, client_seeing(rate))
    else:
        given = json.loads(given_path.read_text())
        fake = FakeResolve(profile(kind), render=lambda path, first, last: plain_movie(path, last - first + 1, rate))
        fake.open_otio(given_path)
        clock = iter(range(10**6))
        editor = ResolveEditor(fake.resolve, tmp_path / "media", clock_s=lambda: next(clock), sleep=lambda _: None)
        foley_in_editor(editor, wish, client_seeing(rate))
        fake.timeline.Export(str(output), fake.resolve.EXPORT_OTIO, fake.resolve.EXPORT_NONE)
    made = json.loads(output.read_text())
    count = len(given["tracks"]["children"])
    ours = made["tracks"]["children"][count:]
    made["tracks"]["children"] = made["tracks"]["children"][:count]
    assert made == given
    assert [one["name"] for one in ours] == (["Foley"] if kind == "file" else ["Foley", "Foley takes"])
    for one in ours:
        assert [item["source_range"]["duration"]["value"] for item in one["children"][:2]] == [5 * rate, rate + 12]


def plain_movie(path, frame_count, rate):
    write_flash_clip(path, frame_count, rate, [], width=64, height=36)


def still(folder):
    """A plain picture, in place of the editor's own, which are not to be had."""
    path = folder / "still.png"
    if not path.exists():
        with av.open(str(path), "w", format="image2") as container:
            stream = container.add_stream("png", rate=1)
            stream.width, stream.height, stream.pix_fmt = 32, 18, "rgb24"
            picture = av.VideoFrame.from_ndarray(np.zeros((18, 32, 3), np.uint8), format="rgb24")
            container.mux([*stream.encode(picture), *stream.encode()])
    return path
