"""What is read off files before a figure: sounds as audioldm_eval loads them, word vectors, weights, kept features."""

import gzip
import io
import zipfile

import numpy as np
import pytest
import soundfile
import torch

from diffava.errors import CheckpointError, DataError
from diffava.evaluation.networks.vggish import open_vggish
from diffava.evaluation.networks.weights import read_weights, weights_file
from diffava.evaluation.networks.word2vec import caption_vector, read_vectors
from diffava.evaluation.tables.audio import load_as_audioldm_eval, load_mono
from diffava.evaluation.tables.feature_cache import FeatureCache, content_of

VECTORS = {"dog": [1.0, 0, 0], "Paris": [0.0, 1, 0], "barks": [0.0, 0, 3]}


def test_audioldm_eval_hears_the_first_channel_without_its_mean_at_least_2_s(tmp_path):
    samples = np.stack([np.full(8000, 0.25), np.linspace(-1, 1, 8000)], axis=1)
    samples[4000:, 0] = 0.75
    soundfile.write(tmp_path / "a.wav", samples, 16_000, "FLOAT")
    found = load_as_audioldm_eval(tmp_path / "a.wav")
    assert found.shape == (32_000,)
    assert found[:4000].tolist() == [-0.25] * 4000
    assert found[4000:8000].tolist() == [0.25] * 4000
    assert not found[8000:].any()
    soundfile.write(tmp_path / "b.wav", samples, 48_000, "FLOAT")
    assert load_as_audioldm_eval(tmp_path / "b.wav").shape == (32_000,)
    assert load_mono(tmp_path / "a.wav", 16_000)[0] == pytest.approx((0.25 - 1) / 2)


def test_what_is_no_sound_or_empty_is_told(tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(DataError, match="cannot be read as a sound"):
        load_as_audioldm_eval(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", np.zeros(0), 16_000)
    with pytest.raises(DataError, match="no samples"):
        load_mono(tmp_path / "b.wav", 16_000)


def word_file(path, binary, between=b""):
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        file.write(b"3 3\n")
        for word, vector in VECTORS.items():
            numbers = np.array(vector, "<f4").tobytes() if binary else " ".join(map(str, vector)).encode() + b"\n"
            file.write(word.encode() + b" " + numbers + between)
    return path


FORMATS = [
    ("a.bin", True, b""),
    ("a.bin.gz", True, b""),
    ("b.bin", True, b"\n"),
    ("a.txt", False, b""),
    ("a.gz", False, b""),
]


@pytest.mark.parametrize(("name", "binary", "between"), FORMATS)
def test_a_caption_is_the_mean_of_the_words_that_are_known(tmp_path, name, binary, between):
    vectors = read_vectors(word_file(tmp_path / name, binary, between), ["dog", "barks", "Paris", "a"])
    assert set(vectors) == {"dog", "barks", "Paris"}
    assert caption_vector("A dog barks, a Dog!", vectors) == pytest.approx([2 / 3, 0, 1])
    assert caption_vector("in Paris", vectors) == pytest.approx([0, 1, 0])
    assert caption_vector("qwerty", vectors) is None


def test_a_cut_off_file_of_vectors_is_refused(tmp_path):
    path = word_file(tmp_path / "a.bin", binary=True)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="cannot be read as word vectors"):
        read_vectors(path, ["barks"])
    assert set(read_vectors(path, ["dog"])) == {"dog"}  # what comes before the cut is whole


def test_weights_of_another_network_are_refused_with_what_was_expected_and_found(tmp_path):
    torch.save({"features.0.weight": torch.zeros(3, 1, 3, 3), "other": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"does not fit VGGish: features\.0\.bias is missing, .* more"):
        open_vggish(tmp_path / "a.pth")
    (tmp_path / "b.pth").write_text("an error page")
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        open_vggish(tmp_path / "b.pth")


def test_code_in_a_file_of_weights_is_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (exec, ("raise SystemExit('it ran')",))

    torch.save({"a": Harmful()}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError):
        read_weights(tmp_path / "a.pth")


def test_panns_sampler_in_its_file_is_read_as_numpy_1_wrote_it(tmp_path):
    buffer = io.BytesIO()
    torch.save({"model": {"a": torch.ones(2)}, "sampler": {"indexes": np.arange(3), "pointer": 0}}, buffer)
    with zipfile.ZipFile(buffer) as new, zipfile.ZipFile(tmp_path / "old.pth", "w") as old:
        for item in new.infolist():
            old.writestr(item, new.read(item).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert read_weights(tmp_path / "old.pth", inside=("model",))["a"].tolist() == [1, 1]


def test_weights_that_are_nowhere_are_told_with_the_command_that_brings_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match="diffava models pull vggish"):
        weights_file("vggish", tmp_path)


def test_kept_features_are_found_by_content_and_maker_alone(tmp_path):
    cache = FeatureCache(tmp_path / "kept")
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"one")
    cache.keep("onsets-1", content_of(sound), {"times_s": np.array([0.5])})
    assert cache.kept("onsets-1", content_of(sound))["times_s"].tolist() == [0.5]
    assert cache.kept("onsets-2", content_of(sound)) is None
    sound.write_bytes(b"two")
    assert cache.kept("onsets-1", content_of(sound)) is None
    [place] = (tmp_path / "kept").rglob("*.npz")
    place.write_bytes(place.read_bytes()[:40])
    sound.write_bytes(b"one")
    assert cache.kept("onsets-1", content_of(sound)) is None
    cache.keep("word2vec-1", content_of("a caption"), {})
    assert cache.kept("word2vec-1", content_of("a caption")) == {}
