"""`diffava evaluate TABLE`: figures, intervals, files and sentences of the command, on sounds that are drawn here."""

import gzip
import json
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from diffava.checkpoints.embedded import embedded_folder
from diffava.cli import run
from diffava.evaluation.tables.clap import Clap, clap_folder, open_clap
from support.clips import write_flash_clip
from support.random_weights import FILES, write_weights

RATE_HZ = 16_000
COUNT = 12


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Twelve references with three impacts each; generated sounds that are 20 ms late; two films; captions."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for name in ("generated", "reference", "films"):
        (folder / name).mkdir()
    burst = rng.standard_normal(RATE_HZ // 5) * np.exp(-np.arange(RATE_HZ // 5) / (0.03 * RATE_HZ)) / 6
    for number in range(COUNT):
        samples = np.zeros(2 * RATE_HZ)
        for time_s in (0.3, 0.9, 1.4 + 0.01 * number):
            samples[round(time_s * RATE_HZ) :][: len(burst)] += burst
        soundfile.write(folder / "reference" / f"{number:02}.wav", samples, RATE_HZ)
        soundfile.write(folder / "generated" / f"{number:02}.wav", 0.5 * np.roll(samples, RATE_HZ // 50), RATE_HZ)
    for number in range(2):
        write_flash_clip(folder / "films" / f"{number:02}.mp4", 48, Fraction(24), [12, 36], width=64, height=48)
    captions = {f"{number:02}": "a wooden knock" for number in range(COUNT)}
    (folder / "captions.json").write_text(json.dumps(captions))
    return folder


def evaluate(work, capsys, table, *more):
    """The exit code, the JSON object and what is printed beside it."""
    words = ["--generated", str(work / "generated"), "--reference", str(work / "reference")]
    code = run(["evaluate", table, *words, "--out", str(work / f"out-{table}"), "--cache", str(work / "kept"), *more])
    printed = capsys.readouterr()
    return code, json.loads(printed.out.splitlines()[-1]) if code == 0 and "--json" in more else None, printed


def test_timing_needs_no_download_and_finds_what_is_20_ms_late(work, capsys):
    code, found, printed = evaluate(work, capsys, "timing", "--json")
    assert code == 0
    figures = {figure["key"]: figure for one in found["figures"].values() for figure in one}
    assert figures["onset_f1"]["value"] == 1
    assert figures["onset_error_ms"]["value"] == pytest.approx(20, abs=5)
    assert figures["onset_bias_ms"]["value"] == pytest.approx(20, abs=5)
    assert figures["onset_error_ms"]["low"] <= figures["onset_error_ms"]["value"] <= figures["onset_error_ms"]["high"]
    assert figures["onset_error_frames"]["value"] == pytest.approx(0.5, abs=0.13)
    assert "12 pairs" in printed.err
    assert "onset F1" in printed.err
    assert (found["pairs"], found["missing"], found["weights"]) == (12, {}, {})
    assert found["quantiles"]["onset_errors_ms"]["0.5"] == pytest.approx(20, abs=5)
    assert json.loads((work / "out-timing" / "figures.json").read_text()) == found
    assert (work / "out-timing" / "distributions.png").read_bytes().startswith(b"\x89PNG")


def test_a_changed_sound_is_measured_anew_and_others_are_not(work, capsys, monkeypatch):
    evaluate(work, capsys, "timing", "--json")
    from diffava.evaluation.tables import extractors

    read = []
    load = extractors.load_mono
    monkeypatch.setattr(extractors, "load_mono", lambda path, rate: read.append(path.name) or load(path, rate))
    changed = work / "generated" / "03.wav"
    before = changed.read_bytes()
    try:
        soundfile.write(changed, np.zeros(2 * RATE_HZ), RATE_HZ)
        _, found, _ = evaluate(work, capsys, "timing", "--json")
    finally:
        changed.write_bytes(before)
    assert set(read) == {"03.wav"}
    assert found["figures"]["onset_f1@1"][0]["value"] == pytest.approx(2 * 33 / (36 + 33))


def test_the_papers_table_of_networks_with_random_weights_says_that_they_are_not_the_published(work, capsys):
    weights = write_weights(work / "weights", ("vggish", "cnn14"), is_thin=True)
    code, found, _ = evaluate(work, capsys, "audioldm-eval", "--weights", str(weights), "--json")
    assert code == 0
    assert list(found["figures"]) == ["is@1", "kl_softmax@1", "kl_sigmoid@1", "fad@1", "fd@1"]
    for [figure] in found["figures"].values():
        assert np.isfinite(figure["value"])
        assert figure["low"] <= figure["high"]
        assert figure["count"] == COUNT
    assert found["weights"]["cnn14-16k"]["is_the_published_file"] is False


def test_t2av_bench_is_of_the_pairs_that_have_a_film_and_a_caption_with_a_known_word(work, capsys, tmp_path):
    weights = write_weights(tmp_path / "weights", ("vggish", "c3d"), is_thin=True)
    vectors = {word: np.random.default_rng(len(word)).standard_normal(300) for word in ("wooden", "knock", "dog")}
    with gzip.open(weights / FILES["word2vec"], "wb") as file:
        file.write(f"{len(vectors)} 300\n".encode())
        for word, vector in vectors.items():
            file.write(word.encode() + b" " + vector.astype("<f4").tobytes())
    films = tmp_path / "films"
    films.mkdir()
    for number in range(4):
        write_flash_clip(films / f"{number:02}.mp4", 16, Fraction(24), [3 + number], width=64, height=48)
    captions = {"00": "a wooden knock", "01": "a dog", "02": "knock", "03": "qwerty"}
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    given = ("--videos", str(films), "--captions", str(tmp_path / "captions.json"), "--weights", str(weights))
    code, found, _ = evaluate(work, capsys, "t2av-bench", *given, "--json")
    assert code == 0
    assert found["missing"] == {}
    counts = {figure["key"]: figure["count"] for [figure] in found["figures"].values()}
    assert counts == {
        "fad": COUNT, "favd_joint": 4, "fatd_joint": 3, "favtd_joint": 3, "favd_cross": 4, "fatd_cross": 3,
        "favtd_cross": 3,
    }  # fmt: skip
    for [figure] in found["figures"].values():
        assert np.isfinite([figure["value"], figure["low"], figure["high"]]).all()
    assert found["figures"]["favd_cross@1"][0]["real"] > 0


def test_metrics_whose_weights_or_inputs_are_not_here_are_told_and_the_others_run(work, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code, found, printed = evaluate(work, capsys, "all", "--json")
    assert code == 0
    assert "onset_f1@1" in found["figures"]
    assert "diffava models pull cnn14-16k" in found["missing"]["fd"]
    assert "--videos" in found["missing"]["av_align_2025"]
    assert "--captions" in found["missing"]["clap"]
    assert "Missing: is, kl_softmax, kl_sigmoid, fd:" in " ".join(printed.err.split())
    code, _, printed = evaluate(work, capsys, "audioldm-eval")
    assert code == 2
    assert "No metric of 'audioldm-eval' can be taken" in printed.err


def test_av_align_is_of_the_clips_that_have_films(work, capsys):
    code, found, _ = evaluate(work, capsys, "sync", "--videos", str(work / "films"), "--json")
    assert code == 0
    own, others = found["figures"]["av_align_2025@1"]
    assert own["count"] == others["count"] == 2
    assert 0 <= own["value"] <= 1


@pytest.mark.skipif(embedded_folder("mini") is None, reason="this checkout is from before mini's training")
def test_the_clap_score_of_minis_own_clap_needs_no_download(work, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert isinstance(open_clap(clap_folder("mini")), Clap)
    code, found, _ = evaluate(work, capsys, "all", "--captions", str(work / "captions.json"), "--json")
    assert code == 0
    [figure] = found["figures"]["clap@1"]
    assert -1 <= figure["value"] <= 1
    assert figure["value"] == pytest.approx(figure["real"], abs=0.3)
    assert found["weights"]["clap"]["clap"] == "mini"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--least-paired", "2"), "share of the sounds"),
        (("--captions", "nowhere.csv"), "no captions at nowhere.csv"),
        (("--videos", "nowhere"), "nowhere is no folder"),
    ],
)
def test_wrong_requests_are_one_sentence(work, capsys, words, sentence):
    code, _, printed = evaluate(work, capsys, "timing", *words)
    assert code == 2
    assert sentence in printed.err


def test_a_models_name_is_still_a_models(capsys):
    assert run(["evaluate", "mini"]) == 2
    assert "--data" in capsys.readouterr().err
