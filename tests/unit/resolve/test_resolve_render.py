"""The graded picture by Resolve's render queue: exactly the range, and the editor's queue and settings as they were."""

from fractions import Fraction

import av
import numpy as np
import pytest

from diffava_resolve.editor.resolve_editor import ResolveEditor
from diffava_resolve.errors import MediaError, RequestError
from support.clips import number_of, numbered_picture, write_clip
from support.editors import region
from support.fake_resolve import PROFILES, FakeResolve, profile

RATE, LABEL = Fraction(24), 86_400


def editor_of(folder, version="20.3 Studio", extra_frames=0, **quirks):
    """An editor, and the fake behind it, which renders pictures that say their absolute frame, from 0 at the label."""

    def render(path, mark_in, mark_out):
        numbers = range(mark_in - LABEL, mark_out - LABEL + 1 + extra_frames)
        write_clip(path, [numbered_picture(number, 96, 72) for number in numbers], RATE, codec="mpeg4")

    fake = FakeResolve(profile(version), RATE, LABEL, render=render, **quirks)
    fake.add_clip("video", 1, "/nowhere/shot.mov", 0, 100)
    clock = iter(range(10**6))
    return ResolveEditor(fake.resolve, folder / "media", clock_s=lambda: next(clock), sleep=lambda _: None), fake


def rendered(editor, folder, start=10, stop=22):
    out = folder / "out"
    out.mkdir(exist_ok=True)
    return editor.rendered(region(RATE, LABEL, start, stop), out)


@pytest.mark.parametrize("version", PROFILES)
def test_exactly_the_range_is_rendered(tmp_path, version):
    movie = rendered(editor_of(tmp_path, version)[0], tmp_path)
    with av.open(str(movie)) as container:
        numbers = [number_of(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert numbers == list(range(10, 22))


@pytest.mark.parametrize("version", PROFILES)
def test_queue_settings_presets_and_view_are_what_they_were(tmp_path, version):
    editor, fake = editor_of(tmp_path, version)
    fake.project.SetRenderSettings({"TargetDir": "/theirs", "CustomName": "final", "FormatWidth": 4096})
    theirs = fake.project.AddRenderJob()
    fake.timeline._marks = {"video": {"in": 3, "out": 9}, "audio": {"in": 4, "out": 8}}
    before = fake.seen()
    rendered(editor, tmp_path)
    after = fake.seen()
    if not callable(fake.timeline.GetMarkInOut):
        before["marks"] = after["marks"] = None  # this version neither tells them nor takes them
    assert after == before
    assert after["jobs"] == [theirs]


@pytest.mark.parametrize(
    ("quirks", "sentence"),
    [
        ({"render_starts_and_fails": True}, "Resolve's render failed: Render failed"),
        ({"render_marks": "relative"}, r"Resolve would render frames \d+ to \d+ instead of 86410 to 86421"),
        ({"extra_frames": 1}, "Resolve rendered 13 frames at 24 instead of 12 at 24"),
    ],
)
def test_a_render_of_anything_else_is_refused_and_leaves_nothing(tmp_path, quirks, sentence):
    editor, fake = editor_of(tmp_path, **quirks)
    before = fake.seen()
    with pytest.raises(MediaError, match=sentence):
        rendered(editor, tmp_path)
    assert fake.seen() == before


def test_a_render_that_stands_still_is_stopped(tmp_path):
    editor, fake = editor_of(tmp_path)
    before = fake.seen()
    fake.project._finish = lambda job: None
    with pytest.raises(MediaError, match="stands at 1 %"):
        rendered(editor, tmp_path)
    assert fake.seen() == before
    assert not fake.project.IsRenderingInProgress()


def test_nothing_is_begun_while_the_editor_renders(tmp_path):
    editor, fake = editor_of(tmp_path)
    fake.project._rendering = True
    with pytest.raises(RequestError, match="Resolve is rendering"):
        rendered(editor, tmp_path)
    assert fake.project._rendering


def test_a_resolve_without_a_format_that_can_be_read_is_told(tmp_path):
    editor, fake = editor_of(tmp_path)
    fake.project.GetRenderFormats = lambda: {"EXR": "exr"}
    with pytest.raises(RequestError, match="offers no render format"):
        rendered(editor, tmp_path)


def test_the_picture_is_small_and_keeps_its_shape(tmp_path):
    editor, fake = editor_of(tmp_path)
    settings = {}
    set_settings = fake.project.SetRenderSettings
    fake.project.SetRenderSettings = lambda given: settings.update(given) or set_settings(given)
    rendered(editor, tmp_path)
    assert (settings["FormatWidth"], settings["FormatHeight"]) == (640, 360)
    assert settings["ExportAudio"] is False
    assert np.isclose(settings["FormatWidth"] / settings["FormatHeight"], 1920 / 1080)
