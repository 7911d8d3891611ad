"""Bad input of the commands that work on one clip or on a result: a sentence, an exit code, nothing written."""

import shutil
import wave
from fractions import Fraction
from pathlib import Path

import pytest

from diffava.cli import run
from support.server import server_process
from support.tiny_cut import write_tiny_cut

RATE = Fraction(24000, 1001)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_process(tmp_path_factory.mktemp("server"), Fraction(8), 32, 18) as process:
        yield process


@pytest.fixture(scope="module")
def original(tmp_path_factory, server):
    """A folder with a cut, a result with one clip of two takes at frames 10 to 40, and a sound file."""
    folder = tmp_path_factory.mktemp("original")
    cut = write_tiny_cut(folder, rate=RATE)
    with wave.open(str(folder / "song.wav"), "wb") as sound:
        sound.setparams((1, 2, 48000, 0, "NONE", ""))
        sound.writeframes(bytes(200_000))
    given = ("--server", server.address, "--token-file", str(server.token_file))
    words = (
        "--prompt",
        "steps",
        "--range",
        "f10",
        "f40",
        "--takes",
        "2",
        "--seed",
        "1",
        "-o",
        str(folder / "made.otio"),
    )
    assert run(["foley", str(cut.path), *words, *given]) == 0
    return folder


@pytest.fixture
def refused(original, server, tmp_path, monkeypatch, capsys):
    """Runs a command line, in a copy of that folder, that must fail and leave it as it was."""
    folder = tmp_path / "work"
    shutil.copytree(original, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DIFFAVA_TOKEN", server.token)
    capsys.readouterr()

    def call(line):
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
        words = line.split()
        needs_server = words[0] in {"generate", "regenerate", "verify"}
        code = run([*words, *(["--server", server.address] if needs_server else [])])
        said = capsys.readouterr()
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
        assert said.out == ""
        assert said.err.count("\n") == 1, said.err
        return code, said.err

    return call


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("generate none.mp4 --prompt rain -o x.wav", 1, "none.mp4 was not found"),
        ("generate song.wav --prompt rain -o x.wav", 1, "no picture"),
        ("generate cut.otio --prompt rain -o x.wav", 1, "cannot be read as a movie"),
        ("generate first.mp4 --prompt= -o x.wav", 2, "The prompt is empty"),
        ("generate first.mp4 --prompt rain -o x.mp3", 2, "not a .wav file"),
        ("generate first.mp4 --prompt rain -o nowhere/x.wav", 1, "folder does not exist"),
        ("generate first.mp4 --prompt rain --model foleymatic -o x.wav", 2, "only fake"),
        ("regenerate cut.otio --clip foley-1 -o x.otio", 2, "no generated clip"),
        ("regenerate made.otio --clip foley-9 -o x.otio", 2, "it has foley-1"),
        ("regenerate made.otio --clip foley-1 --range f5 f20 -o x.otio", 2, "not inside clip foley-1"),
        ("regenerate made.otio --clip foley-1 --range f20 f20 -o x.otio", 2, "is empty"),
        ("regenerate made.otio --clip foley-1 --prompt= -o x.otio", 2, "The prompt is empty"),
        ("regenerate made.otio --clip foley-1 -o made.otio", 2, "never overwritten"),
        ("verify cut.otio", 2, "nothing to verify"),
        ("verify none.otio", 2, "no timeline at none.otio"),
        ("takes made.otio --clip foley-1 --select 7 -o x.otio", 2, "no take 7; it has 1, 2"),
        ("takes made.otio --clip foley-1 --select 2 -o made.otio", 2, "never overwritten"),
        ("takes made.otio --clip foley-3", 2, "it has foley-1"),
        ("export made.otio -o made.otio", 2, "never overwritten"),
        ("export made.otio -o made.doc", 2, ".doc"),
    ],
)
def test_a_wrong_request_is_refused_in_a_sentence(refused, line, code, says):
    found, said = refused(line)
    assert says in said
    assert found == code


def test_a_lost_take_cannot_be_changed_in_part(refused):
    """The part's surroundings are gone: nothing to join it to."""

    for take in Path("made.foley").glob("*.wav"):
        take.unlink()
    code, said = refused("regenerate made.otio --clip foley-1 --range f20 f30 -o x.otio")
    assert code == 1
    assert "cannot be read as audio" in said


def test_a_damaged_receipt_is_said(refused):

    made = Path("made.otio")
    made.write_text(made.read_text().replace('"wav_sha256"', '"wav_sha"'))
    code, said = refused("verify made.otio")
    assert code == 2
    assert "receipt is damaged" in said
