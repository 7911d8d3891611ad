"""The commands as a person types them, in this process, against a server process with the fake engine."""

import gc
import json
import re
import subprocess
import sys
from fractions import Fraction

import opentimelineio as otio
import pytest
import soundfile

from diffava.cli import run
from support.server import server_process
from support.takes import noise
from support.tiny_cut import write_tiny_cut

RATE = Fraction(24000, 1001)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_process(tmp_path_factory.mktemp("server"), Fraction(8), 32, 18) as process:
        yield process


@pytest.fixture
def cut(tmp_path):
    return write_tiny_cut(tmp_path, rate=RATE, flash_frames=(20,), markers=((5, 20, "rain"), (40, 10, "")))


@pytest.fixture
def diffava(server, monkeypatch, capsys, tmp_path):
    """Runs a command line and gives exit code, stdout and stderr; the server and its token are given."""
    monkeypatch.setenv("DIFFAVA_TOKEN", server.token)
    monkeypatch.chdir(tmp_path)

    def call(*arguments, with_server=True):
        needs_server = with_server and arguments[0] in {"foley", "generate", "regenerate", "verify"}
        code = run([*map(str, arguments), *(["--server", server.address] if needs_server else [])])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def made(diffava, cut, *more):
    assert diffava("foley", cut.path, "--prompt", "steps", "--seed", "5", "-o", "made.otio", *more)[0] == 0


def test_foley_writes_the_timeline_and_says_so(diffava, cut, tmp_path):
    code, out, err = diffava(
        "foley", cut.path, "--prompt", "steps", "--range", "01:00:00:10", "f61", "--takes", 2, "-o", "made.otio"
    )
    assert code == 0
    assert "Wrote made.otio." in out
    assert "01:00:00:10 to 01:00:02:13" in out
    assert "clicks" in err  # the model's warning is not for stdout
    assert (tmp_path / "made.otio").is_file()
    assert out.count("made.foley/foley-1-") == 2


def test_with_json_the_last_line_is_one_object_with_exact_samples(diffava, cut, tmp_path):
    code, out, _ = diffava("foley", cut.path, "--prompt", "steps", "--clip", "second", "-o", "made.otio", "--json")
    assert code == 0
    said = json.loads(out.splitlines()[-1])
    (clip,) = said["clips"]
    assert clip["start_frame"] == 36
    assert clip["start_sample"] == 72072
    assert soundfile.info(clip["takes"][0]["path"]).frames == clip["sample_count"] == 72072
    assert out.count("\n") == 1


def test_what_could_not_be_shown_exactly_is_said_once(diffava, cut):
    timeline = otio.adapters.read_from_file(str(cut.path))
    (track,) = timeline.video_tracks()
    track[0].media_reference = otio.schema.GeneratorReference("", "SMPTEBars", track[0].available_range())
    otio.adapters.write_to_file(timeline, str(cut.path))
    code, _, err = diffava("foley", cut.path, "--markers", "--prompt", "wind", "-o", "made.otio")
    assert code == 0
    assert err.count("(SMPTEBars) is shown as black.") == 1


def test_markers_have_their_own_prompts(diffava, cut):
    code, out, _ = diffava("foley", cut.path, "--markers", "--prompt", "wind", "-o", "made.otio", "--json")
    assert code == 0
    assert [clip["takes"][0]["prompt"] for clip in json.loads(out)["clips"]] == ["rain", "foley"]


def test_regenerate_adds_a_take_with_the_old_prompt(diffava, cut):
    made(diffava, cut)
    code, out, _ = diffava(
        "regenerate", "made.otio", "--clip", "foley-1", "--range", "f30", "f40", "-o", "b.otio", "--json"
    )
    assert code == 0
    said = json.loads(out)
    assert said["clips"][0]["takes"][0]["prompt"] == "steps"
    code, out, _ = diffava("takes", "b.otio", "--json")
    (clip,) = json.loads(out)["clips"]
    assert [take["number"] for take in clip["takes"]] == [1, 2]
    assert clip["chosen"] == 2


def test_takes_lists_and_selects(diffava, cut):
    made(diffava, cut, "--takes", 2)
    code, out, _ = diffava("takes", "made.otio")
    assert code == 0
    assert "* take 1" in out
    code, out, _ = diffava("takes", "made.otio", "--clip", "foley-1", "--select", 2, "-o", "chosen.otio")
    assert code == 0
    assert "* take 2" in out
    assert out.endswith("Wrote chosen.otio.\n")
    assert "* take 2" in diffava("takes", "chosen.otio")[1]


def test_a_clip_beside_one_that_is_in_its_way_says_on_which_track_it_is(diffava, cut):
    made(diffava, cut)
    code, out, _ = diffava("foley", "made.otio", "--prompt", "rain", "-o", "both.otio")
    assert code == 0
    assert out.splitlines()[0].endswith("on Foley 2")


def test_a_part_that_is_not_in_the_clip_is_refused_in_the_timelines_own_numbering(diffava, cut):
    made(diffava, cut, "--range", "01:00:01:00", "01:00:02:00")
    range_ = ("--range", "01:00:00:12", "01:00:01:12")
    code, _, err = diffava("regenerate", "made.otio", "--clip", "foley-1", *range_, "-o", "part.otio")
    assert code == 2
    assert "01:00:00:12 to 01:00:01:12 is not inside clip foley-1, which lies at 01:00:01:00 to 01:00:02:00" in err


def test_regenerate_says_what_could_not_be_shown_exactly_too(diffava, cut):
    made(diffava, cut)
    timeline = otio.adapters.read_from_file("made.otio")
    (track,) = timeline.video_tracks()
    track[0].media_reference = otio.schema.GeneratorReference("", "SMPTEBars", track[0].available_range())
    otio.adapters.write_to_file(timeline, "made.otio")
    code, out, err = diffava("regenerate", "made.otio", "--clip", "foley-1", "-o", "again.otio", "--json")
    assert code == 0
    assert "shown as black" in err
    assert "shown as black" in json.loads(out)["clips"][0]["notes"][0]


def test_selecting_needs_a_place_to_write(diffava, cut):
    made(diffava, cut)
    code, _, err = diffava("takes", "made.otio", "--clip", "foley-1", "--select", 1)
    assert code == 2
    assert "--out" in err


def test_verify_says_same_with_exit_code_0_and_differs_with_1(diffava, cut, tmp_path):
    made(diffava, cut)
    code, out, _ = diffava("verify", "made.otio")
    assert (code, out.strip()) == (0, "foley-1 take 1: same (no hits in the picture)")
    (wav,) = (tmp_path / "made.foley").glob("*.wav")
    wav.write_bytes(wav.read_bytes()[:-3] + b"\1\2\3")
    code, out, _ = diffava("verify", "made.otio", "--json")
    assert code == 1
    assert json.loads(out)["takes"][0]["outcome"] == "differs"


def test_verify_of_a_timeline_without_generated_clips_is_a_wrong_request(diffava, cut):
    code, _, err = diffava("verify", cut.path)
    assert code == 2
    assert "nothing to verify" in err


def test_generate_makes_one_wav(diffava, cut):
    code, out, _ = diffava("generate", cut.media[0], "--prompt", "rain", "-o", "rain.wav", "--json")
    assert code == 0
    assert json.loads(out)["sample_count"] == soundfile.info("rain.wav").frames == 72072


def test_export_says_what_is_lost(diffava, cut):
    made(diffava, cut)
    code, out, _ = diffava("export", "made.otio", "-o", "made.xml", "--json")
    assert code == 0
    assert json.loads(out)["losses"]


def test_an_export_lists_its_losses_for_people_too(diffava, cut):
    made(diffava, cut)
    _, out, _ = diffava("export", "made.otio", "-o", "made.xml")
    assert "What .xml does not carry:\n  1 clip is without receipts" in out


def test_a_token_may_be_in_a_file(diffava, cut, server, monkeypatch):
    monkeypatch.delenv("DIFFAVA_TOKEN")
    arguments = ("foley", cut.path, "--prompt", "steps", "-o", "made.otio")
    code, _, err = diffava(*arguments)
    assert code == 2
    assert "DIFFAVA_TOKEN" in err
    assert diffava(*arguments, "--token-file", server.token_file)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bogus"], "There is no command 'bogus'; there are demo, generate,"),
        (["takes"], "TIMELINE requires an argument"),
        (["takes", "x.otio", "--loud"], "--loud"),
        (["foley", "x.otio", "--takes", "many", "-o", "y.otio"], "many"),
        (["takes", "missing.otio"], "There is no timeline at missing.otio"),
    ],
)
def test_wrong_words_end_with_2_and_one_sentence_on_stderr(diffava, arguments, says):
    code, out, err = diffava(*arguments, with_server=False)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_range_clip_and_markers_exclude_each_other(diffava, cut):
    code, _, err = diffava("foley", cut.path, "--prompt", "x", "--range", "f0", "f9", "--markers", "-o", "made.otio")
    assert code == 2
    assert "exclude each other" in err


@pytest.mark.parametrize(("arguments", "begun"), [(["foley", "missing.otio"], [False]), (["foley", "--help"], [])])
def test_the_decoding_process_starts_before_its_command_is_imported(arguments, begun):
    code = (
        "import sys; from diffava.cli import run; from diffava_resolve.decoding import decoders; begun = [];"
        "decoders.prepare = lambda: begun.append('diffava_resolve.cli.foley' in sys.modules);"
        f"run({arguments!r}); sys.exit(str(begun))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == str(begun)


@pytest.mark.parametrize("arguments", [["takes", "missing.otio"], ["takes"], ["nothing"]])
def test_what_becomes_garbage_is_collected_again_once_a_command_runs(arguments):
    assert run(arguments)
    assert gc.isenabled()


def test_the_help_loads_no_editors_library_and_no_torch():
    script = (
        "import sys; from diffava.cli import run; code = run(['--help']);"
        "heavy = {'torch', 'opentimelineio', 'av', 'grpc', 'numpy'} & set(sys.modules); sys.exit(code or len(heavy))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "regenerate" in ended.stdout


def test_a_missing_extra_says_what_to_install(diffava, cut, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("diffava_resolve.cli") or name == "opentimelineio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    for name in [name for name in sys.modules if name.startswith("diffava_resolve.timeline")]:
        monkeypatch.delitem(sys.modules, name)
    code, _, err = diffava("takes", cut.path)
    assert code == 1
    assert "diffava-foley[resolve]" in err


def test_models_are_listed_with_size_and_licence(diffava):
    code, out, _ = diffava("models", "list", "--json")
    assert code == 0
    by_name = {model["name"]: model for model in json.loads(out)["models"]}
    assert by_name["nano"]["commercial_use_allowed"]
    assert not by_name["audioldm-s"]["commercial_use_allowed"]
    assert by_name["mini"]["parameter_count"] > by_name["nano"]["parameter_count"] > 0


def test_sync_is_said_in_milliseconds_and_frames_after_foley_takes_and_verify(diffava, cut):
    arguments = ("--prompt", "steps", "--hits", "f30,f60", "-o", "made.otio")
    said = diffava("foley", cut.path, *arguments)[1]
    assert "2 of 2 given hits met, off by " in said
    assert re.search(r"off by \d+ ms \(\d\.\d frames\)", said)
    for command in ("takes", "verify"):
        code, out, _ = diffava(command, "made.otio")
        assert code == 0
        assert re.search(r"2 of 2 given hits met, off by \d+ ms \(\d\.\d frames\)", out), command


def test_loudness_fades_and_what_is_not_to_be_heard_are_given_on_the_command_line(diffava, cut, tmp_path):
    finish = ("--loudness", "-20", "--true-peak", "-2", "--fade-in", "f4", "--fade-out", "0.2s")
    arguments = ("--prompt", "steps", "--negative", "voices", "--performance", "voice.wav", "--range", "f0", "f40")
    soundfile.write(tmp_path / "voice.wav", noise(90_000, level=0.05), 48_000)
    code, out, err = diffava("foley", cut.path, *arguments, *finish, "-o", "made.otio", "--json")
    assert code == 0, err
    (take,) = json.loads(out)["clips"][0]["takes"]
    assert take["negative_prompt"] == "voices"
    assert take["loudness_lufs"] == pytest.approx(-20, abs=0.2)
    assert take["true_peak_dbtp"] <= -2
    assert take["finish"]["fade_out_samples"] == 9600
    assert take["finish"]["measured"]["gain_db"] != 0
    code, out, err = diffava(
        "regenerate", "made.otio", "--clip", "foley-1", "--loudness", "match", "-o", "b.otio", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["clips"][0]["takes"][0]["loudness_lufs"] == pytest.approx(-20, abs=0.2)
    assert diffava("verify", "b.otio")[0] == 0
    code, _, err = diffava("foley", cut.path, "--prompt", "x", "--loudness", "loud", "-o", "c.otio")
    assert (code, err) == (2, "“loud” is no loudness; give LUFS such as -23, match or off.\n")


def test_a_shot_list_says_what_each_marker_is_to_be(diffava, cut):
    timeline = otio.adapters.read_from_file(str(cut.path))
    timeline.tracks.markers[0].comment = "rain | not: music | takes: 2 | seed: 40"
    otio.adapters.write_to_file(timeline, str(cut.path))
    code, out, _ = diffava("foley", cut.path, "--markers", "--prompt", "wind", "-o", "made.otio", "--json")
    assert code == 0
    takes = [[(take["seed"], take["negative_prompt"]) for take in clip["takes"]] for clip in json.loads(out)["clips"]]
    assert takes[0] == [(40, "music"), (41, "music")]
    assert len(takes[1]) == 1


def test_what_is_not_to_be_heard_stays_on_a_clip_made_anew_until_it_is_taken_back(diffava, cut):
    made(diffava, cut, "--negative", "voices")
    for options, expected in (((), "voices"), (("--negative", "music"), "music"), (("--negative", ""), "")):
        code, out, _ = diffava("regenerate", "made.otio", "--clip", "foley-1", *options, "-o", "b.otio", "--json")
        assert code == 0
        assert json.loads(out)["clips"][0]["takes"][0]["negative_prompt"] == expected
