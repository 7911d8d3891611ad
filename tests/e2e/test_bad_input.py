"""Every bad input with its sentence and exit code, and that nothing was written.

The commands run in this process against a server process with the fake engine; only Ctrl-C needs a process of its own.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import wave
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from diffava.cli import run
from diffava_resolve.frames.reader import views_of
from support.server import server_process
from support.tiny_cut import timeline_of, write_tiny_cut

RATE = Fraction(24000, 1001)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_process(tmp_path_factory.mktemp("server"), Fraction(8), 32, 18) as process:
        yield process


@pytest.fixture
def cut(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    return write_tiny_cut(folder, rate=RATE)


@pytest.fixture
def refused(server, monkeypatch, capsys, tmp_path):
    """Runs a command line that must fail: gives its exit code and its sentence, and sees that nothing was written."""
    monkeypatch.setenv("DIFFAVA_TOKEN", server.token)
    monkeypatch.setenv("DIFFAVA_STATE_DIR", str(tmp_path / "state"))

    def call(*arguments, server_address=server.address):
        before = contents(tmp_path)
        code = run([*map(str, arguments), "--server", server_address])
        captured = capsys.readouterr()
        assert contents(tmp_path) == before
        assert captured.out == ""
        assert captured.err.count("\n") == 1, captured.err
        assert captured.err.rstrip().endswith((".", ")")), captured.err
        return code, captured.err

    return call


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and time of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_size, 0 if path.is_dir() else status.st_mtime_ns)
    return found


def foley(cut_path, *more):
    out = cut_path.parent / "out.otio"
    prompt = () if "--prompt" in more else ("--prompt", "steps")
    place = () if "-o" in more else ("-o", out)
    return ("foley", cut_path, *prompt, *place, *more)


def test_a_timeline_that_is_not_there(refused, tmp_path):
    code, says = refused(*foley(tmp_path / "none.otio"))
    assert (code, "There is no timeline at" in says) == (2, True)


@pytest.mark.parametrize("keep", [0, 1, 200])
def test_a_truncated_timeline(refused, cut, keep):
    cut.path.write_bytes(cut.path.read_bytes()[:keep])
    code, says = refused(*foley(cut.path))
    assert code == 2
    assert str(cut.path) in says


def test_a_file_that_is_no_timeline(refused, cut):
    cut.path.write_bytes(os.urandom(500))
    code, says = refused(*foley(cut.path))
    assert (code, "cannot be read" in says) == (2, True)


@pytest.mark.parametrize(
    ("start", "stop", "says"),
    [
        ("01:00:01:00", "01:00:09:00", "01:00:09:00 lies after the end"),
        ("00:59:59:00", "01:00:01:00", "00:59:59:00 lies before the start"),
        ("f10", "f10", "is empty"),
        ("f20", "f10", "is reversed"),
        ("01:00:00:24", "f60", "is no timecode"),
        ("noon", "f60", "is not a position"),
    ],
)
def test_a_range_that_is_not_in_the_timeline(refused, cut, start, stop, says):
    code, said = refused(*foley(cut.path, "--range", start, stop))
    assert code == 2
    assert says in said


def test_missing_media(refused, cut):
    cut.media[1].unlink()
    code, says = refused(*foley(cut.path))
    assert code == 1
    assert "second.mp4" in says
    assert "beside the timeline" in says


def test_offline_media(refused, cut):
    timeline = timeline_of(cut.media, RATE)
    next(iter(timeline.find_clips())).media_reference = otio.schema.MissingReference()
    otio.adapters.write_to_file(timeline, str(cut.path))
    code, says = refused(*foley(cut.path))
    assert code == 1
    assert "first" in says


def test_damaged_media(refused, cut):
    cut.media[0].write_bytes(b"not a movie at all" * 100)
    code, says = refused(*foley(cut.path))
    assert code == 1
    assert "first.mp4" in says


def test_media_without_video(refused, cut):
    cut.media[0].unlink()
    with wave.open(str(cut.media[0].with_suffix(".wav")), "wb") as sound:
        sound.setparams((1, 2, 48000, 0, "NONE", ""))
        sound.writeframes(bytes(200_000))
    cut.path.write_text(cut.path.read_text().replace("first.mp4", "first.wav"))
    code, says = refused(*foley(cut.path))
    assert code == 1
    assert "no picture" in says


def test_a_clip_of_no_length(refused, cut):
    timeline = timeline_of(cut.media, RATE)
    clip = next(iter(timeline.find_clips()))
    clip.source_range = otio.opentime.TimeRange(
        clip.source_range.start_time, otio.opentime.RationalTime(0, float(RATE))
    )
    otio.adapters.write_to_file(timeline, str(cut.path))
    code, says = refused(*foley(cut.path, "--clip", "first"))
    assert code == 2
    assert "no length" in says


def test_a_clip_that_is_not_there(refused, cut):
    code, says = refused(*foley(cut.path, "--clip", "third"))
    assert code == 2
    assert "second" in says


def test_no_markers(refused, cut):
    code, says = refused(*foley(cut.path, "--markers"))
    assert (code, "no marker" in says) == (2, True)


def test_a_wrong_token(refused, cut, monkeypatch):
    monkeypatch.setenv("DIFFAVA_TOKEN", "x" * 40)
    code, says = refused(*foley(cut.path))
    assert (code, "refused the token" in says) == (1, True)


def test_no_token(refused, cut, monkeypatch):
    monkeypatch.delenv("DIFFAVA_TOKEN")
    code, says = refused(*foley(cut.path))
    assert (code, "DIFFAVA_TOKEN" in says) == (2, True)


def test_a_token_file_that_is_not_there(refused, cut, tmp_path):
    code, says = refused(*foley(cut.path, "--token-file", tmp_path / "none"))
    assert (code, "cannot be read (No such file or directory)" in says) == (2, True)


def test_an_address_that_is_none(refused, cut):
    code, says = refused(*foley(cut.path), server_address="gpu-box")
    assert (code, "is not a server's address" in says) == (2, True)


def test_a_track_without_a_name(refused, cut):
    code, says = refused(*foley(cut.path, "--track", " "))
    assert (code, "has no name" in says) == (2, True)


def test_a_folder_for_a_timeline(refused, cut):
    code, says = refused(*foley(cut.path.parent, "-o", cut.path.parent / "out.otio"))
    assert (code, "is a folder" in says) == (2, True)


def test_a_timeline_without_an_ending(refused, cut):
    code, says = refused(*foley(cut.path.rename(cut.path.with_suffix("")), "-o", cut.path.parent / "out.otio"))
    assert (code, "has no ending" in says) == (2, True)


def test_no_server(refused, cut):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code, says = refused(*foley(cut.path), server_address=f"127.0.0.1:{port}")
    assert (code, "diffava serve" in says) == (1, True)


@pytest.mark.parametrize("prompt", ["", "   "])
def test_an_empty_prompt(refused, cut, prompt):
    code, says = refused(*foley(cut.path, "--prompt", prompt))
    assert (code, "The prompt is empty" in says) == (2, True)


def test_a_prompt_of_10_000_characters(refused, cut):
    code, says = refused(*foley(cut.path, "--prompt", "x" * 10_000))
    assert (code, "10000 characters" in says) == (2, True)


def test_an_unknown_model(refused, cut):
    code, says = refused(*foley(cut.path, "--model", "foleymatic"))
    assert code == 2
    assert "only fake" in says


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--takes", 0, "0 takes"),
        ("--takes", 900, "900 takes"),
        ("--seed", -1, "The seed is -1"),
        ("--seed", 1 << 64, "The seed is"),
        ("--steps", -3, "-3 steps"),
        ("--steps", 100_000, "100000 steps"),
        ("--guidance", 0.5, "guidance scale is 0.5"),
        ("--guidance", "nan", "guidance scale is nan"),
        ("--sampler", "heun", "no sampler 'heun'"),
    ],
)
def test_settings_out_of_their_bounds(refused, cut, option, value, says):
    code, said = refused(*foley(cut.path, f"{option}={value}"))
    assert code == 2
    assert says in said


def test_a_silent_performance(refused, cut):
    silent = cut.path.with_name("silent.wav")
    with wave.open(str(silent), "wb") as file:
        file.setparams((1, 2, 48_000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 48_000))
    code, says = refused(*foley(cut.path, "--performance", silent))
    assert (code, "silent.wav is silent in the range; give a recording" in says) == (2, True)


def test_a_performance_that_is_no_sound(refused, cut):
    noise = cut.path.with_name("noise.wav")
    noise.write_bytes(os.urandom(5000))
    code, says = refused(*foley(cut.path, "--performance", noise))
    assert (code, "noise.wav cannot be read" in says) == (2, True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--hits", "f100"), "f100 lies outside the range"),
        (("--hits", "f3", "--markers-as-hits"), "exclude each other"),
        (("--markers-as-hits",), "no marker inside the range"),
    ],
)
def test_hits_that_cannot_be(refused, cut, options, says):
    code, said = refused(*foley(cut.path, *options))
    assert (code, says in said) == (2, True)


def test_an_output_over_the_input(refused, cut):
    code, says = refused(*foley(cut.path, "-o", cut.path))
    assert (code, "never overwritten" in says) == (2, True)


def test_an_output_of_another_kind(refused, cut):
    code, says = refused(*foley(cut.path, "-o", cut.path.with_suffix(".xml")))
    assert (code, "diffava export" in says) == (2, True)


def test_an_output_in_a_folder_that_is_not_there(refused, cut):
    code, says = refused(*foley(cut.path, "-o", cut.path.parent / "nowhere" / "out.otio"))
    assert (code, "nowhere" in says) == (2, True)


def test_an_output_under_a_file_in_the_way(refused, cut):
    (cut.path.parent / "out.foley").write_text("mine")
    code, says = refused(*foley(cut.path))
    assert (code, "in the way" in says) == (1, True)


@pytest.fixture
def small_disk(tmp_path_factory, request):
    """A file system of its own, as the parameter says; only root may mount one."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", str(folder)]
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("a small disk is made with Linux's tmpfs")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("small_disk", ["size=128k"], indirect=True)
def test_a_full_disk(refused, cut, small_disk):
    before = contents(small_disk)
    code, says = refused(*foley(cut.path, "-o", small_disk / "out.otio"))
    assert (code, "full" in says) == (1, True)
    assert contents(small_disk) == before


@pytest.mark.parametrize("small_disk", ["ro,size=128k"], indirect=True)
def test_an_output_folder_that_cannot_be_written(refused, cut, small_disk):
    code, says = refused(*foley(cut.path, "-o", small_disk / "out.otio"))
    assert (code, "read-only" in says) == (1, True)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root and Windows write there all the same")
def test_an_output_folder_without_permission(refused, cut, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    code, says = refused(*foley(cut.path, "-o", folder / "out.otio"))
    assert (code, "not writable" in says) == (1, True)


def test_a_source_that_changes_while_it_is_read(refused, cut, monkeypatch, tmp_path_factory):
    changing = tmp_path_factory.mktemp("rushes") / "changing.mp4"
    shutil.copy(cut.media[0], changing)
    cut.path.write_text(cut.path.read_text().replace("first.mp4", changing.as_posix()))

    def views_while_somebody_writes(picture, formats, **options):
        for view in views_of(picture, formats):
            yield view
            with changing.open("ab") as file:
                file.write(b"more")

    monkeypatch.setattr("diffava_resolve.session.job_frames.views_of", views_while_somebody_writes)
    code, says = refused(*foley(cut.path))
    assert code == 1
    assert "changing.mp4 changed while it was read" in says


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as SIGINT to a process group")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["ctrl_c", "sigterm"])
def test_an_interruption_in_the_middle(server, cut, tmp_path, sent):
    """Half an hour of black after the clips, so that there is a middle to interrupt."""
    timeline = timeline_of(cut.media, RATE)
    gap = otio.schema.Gap(duration=otio.opentime.RationalTime(24 * 1800, float(RATE)))
    timeline.tracks[0].append(gap)
    timeline.tracks[0].append(next(iter(timeline.find_clips())).clone())
    otio.adapters.write_to_file(timeline, str(cut.path))
    before = contents(tmp_path)
    command = [sys.executable, "-c", "from diffava.cli import main; main()", *map(str, foley(cut.path))]
    environment = {**os.environ, "DIFFAVA_TOKEN": server.token}
    process = subprocess.Popen(
        [*command, "--server", server.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    media = cut.path.parent / "out.foley"
    stop = time.monotonic() + 60
    while not media.exists() and process.poll() is None and time.monotonic() < stop:
        time.sleep(0.005)  # waits for another process to begin; its folder is the only sign that it gives
    os.killpg(process.pid, sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Interrupted" in err
    assert err.count("\n") == 1, err
    assert contents(tmp_path) == before
