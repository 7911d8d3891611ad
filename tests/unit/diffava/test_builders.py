"""Models from a seed and from a folder: the same every time, whole or not at all, and never damaged."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import torch

from diffava.builders import build, load, save
from diffava.config import load_config
from diffava.errors import CheckpointError, ConfigError
from diffava.pipeline import FoleyPipeline
from support.pictures import in_chunks, random_pictures, request_of_seconds


@pytest.fixture(scope="module")
def nano() -> FoleyPipeline:
    return build("nano")


@pytest.fixture
def saved(nano: FoleyPipeline, tmp_path: Path) -> Path:
    save(nano, tmp_path / "nano")
    return tmp_path / "nano"


def sound(pipeline: FoleyPipeline, seconds: float = 1.0, **fields: object) -> torch.Tensor:
    request = request_of_seconds(pipeline.spec, seconds, step_count=4, **fields)
    pictures = random_pictures(pipeline.spec, request.frame_count)
    return torch.cat([part.samples for part in pipeline.generate(request, in_chunks(pictures))])


def replace(saved: Path, name: str, content: bytes) -> None:
    """Put another content into a saved model, vouched for by its manifest."""
    (saved / name).write_bytes(content)
    manifest = json.loads((saved / "model.json").read_text())
    manifest["sha256"][name] = hashlib.sha256(content).hexdigest()
    (saved / "model.json").write_text(json.dumps(manifest))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(nano):
    assert build("nano").weights_sha256 == nano.weights_sha256
    assert build("nano", seed=1).weights_sha256 != nano.weights_sha256


def test_building_leaves_torchs_own_generator_where_it_was():
    state = torch.random.get_rng_state()
    build("nano", seed=5)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_built_model_does_not_depend_on_torchs_own_generator(nano):
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert build("nano").weights_sha256 == nano.weights_sha256


def test_a_built_model_is_in_evaluation_mode_without_gradients(nano):
    modules = (
        nano.features.text.model,
        nano.features.video.model,
        nano.parts["alignment"],
        nano.parts["unet"],
        nano.parts["vae"],
        nano.parts["vocoder"],
    )
    assert not any(module.training for part in modules for module in part.modules())
    assert not any(weight.requires_grad for part in modules for weight in part.parameters())


@pytest.mark.parametrize("fields", [{}, {"frame_count": 0}, {"cuts_s": (0.3, 0.5)}])
def test_nano_sounds_at_a_moderate_level(nano, fields):
    samples = sound(nano, **fields)
    assert samples.shape == (48_000,)
    assert samples.isfinite().all()
    assert 0.01 < samples.std() < 0.3
    assert samples.abs().max() < 1


def test_what_is_heard_depends_on_the_prompt_and_the_picture(nano):
    assert not torch.equal(sound(nano), sound(nano, prompt="rain"))
    assert not torch.equal(sound(nano), sound(nano, frame_count=0))


def test_mini_has_the_size_of_the_coming_default():
    mini = build("mini")
    assert 10e6 < sum(weight.numel() for part in mini.parts.values() for weight in part.parameters()) < 30e6


def test_a_model_whose_tokenizer_must_be_fetched_is_not_built_from_nothing():
    with pytest.raises(ConfigError, match="'audioldm-s' cannot start from random weights"):
        build("audioldm-s")


def test_a_saved_model_sounds_the_same(nano, saved):
    """To the bit: tensors left in the mapped file, at odd addresses, once gave other last bits."""
    loaded = load(saved)
    assert loaded.weights_sha256 == nano.weights_sha256
    assert loaded.config == nano.config
    assert torch.equal(sound(loaded), sound(nano))


def test_a_saved_model_is_json_and_safetensors_and_nothing_else(saved):
    suffixes = {path.suffix for path in saved.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors"}
    folders = {path.name for path in saved.iterdir() if path.is_dir()}
    assert folders == {"clap_text", "video", "alignment", "unet", "vae", "vocoder", "tokenizer"}


def test_a_changed_bit_is_refused_with_the_file_and_both_hashes(saved):
    path = saved / "unet" / "model.safetensors"
    expected = json.loads((saved / "model.json").read_text())["sha256"]["unet/model.safetensors"]
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"unet/model\.safetensors is damaged: .*should be {expected}"):
        load(saved)


@pytest.mark.parametrize("name", ["vae/model.safetensors", "tokenizer/tokenizer.json"])
def test_a_missing_file_is_named(saved, name):
    (saved / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} is missing"):
        load(saved)


def test_a_cut_off_file_is_refused(saved):
    path = saved / "vocoder" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="is damaged"):
        load(saved)


def test_a_changed_digit_of_the_configuration_is_refused(saved):
    """The same weights with another scaling factor would sound wrong and raise nothing."""
    path = saved / "config.json"
    path.write_text(path.read_text().replace("0.9392935633659363", "0.9392935633659367"))
    with pytest.raises(CheckpointError, match=r"config\.json is damaged"):
        load(saved)


@pytest.mark.parametrize("content", [b"", b"not a safetensors file at all"])
def test_weights_that_are_no_safetensors_are_refused(saved, content):
    replace(saved, "vae/model.safetensors", content)
    with pytest.raises(CheckpointError, match=r"vae/model\.safetensors does not fit"):
        load(saved)


def test_loading_leaves_torchs_own_generator_where_it_was(saved):
    state = torch.random.get_rng_state()
    load(saved)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_file_that_the_model_does_not_list_is_refused(saved):
    (saved / "tokenizer" / "added_tokens.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"added_tokens\.json is not a file of this model"):
        load(saved)


def test_weights_of_another_shape_than_the_configuration_says_are_refused(saved):
    config = json.loads((saved / "config.json").read_text())
    config["unet"]["block_out_channels"] = [32, 64]
    replace(saved, "config.json", json.dumps(config).encode())
    with pytest.raises(CheckpointError, match=r"unet/model\.safetensors does not fit"):
        load(saved)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "holds no JSON object"),
        ("{}", "format version None"),
        ('{"format_version": 2}', "format version 2, this software reads 1"),
        ('{"format_version": 1}', "lacks the hashes .*'sha256'"),
        ('{"format_version": 1, "sha256": {}}', r"does not list config\.json"),
    ],
)
def test_a_folder_without_a_usable_model_json_is_refused(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / "model.json").write_text(content)
    with pytest.raises(CheckpointError, match=sentence):
        load(tmp_path)


def test_a_saved_model_is_never_overwritten(nano, saved):
    before = (saved / "model.json").read_bytes()
    with pytest.raises(CheckpointError, match="exists already and is not overwritten"):
        save(nano, saved)
    assert (saved / "model.json").read_bytes() == before


def test_a_save_that_fails_leaves_nothing_behind(nano, tmp_path, monkeypatch):
    def full_disk(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nano.features.text.tokenizer, "save_pretrained", full_disk)
    with pytest.raises(CheckpointError, match=r"No space left on device.*nothing was left"):
        save(nano, tmp_path / "nano")
    assert list(tmp_path.iterdir()) == []


def test_a_request_is_the_same_sound_each_time(nano):
    request = request_of_seconds(nano.spec, 1, step_count=4, seeds=(3,))
    pictures = random_pictures(nano.spec, 8)
    first, again = (torch.cat([w.samples for w in nano.generate(request, in_chunks(pictures))]) for _ in range(2))
    other = dataclasses.replace(request, seeds=(4,))
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.cat([w.samples for w in nano.generate(other, in_chunks(pictures))]))


def test_a_preset_may_be_given_as_a_configuration(nano):
    assert build(load_config("nano")).weights_sha256 == nano.weights_sha256


def test_a_model_computes_where_it_is_told_with_the_same_weights(nano):
    """torch's "meta" device stands for a GPU here: it is somewhere else, and everywhere at hand."""
    elsewhere = build("nano", device="meta")
    parts = (elsewhere.features.text.model, elsewhere.features.video.model, elsewhere.parts["alignment"])
    parts += (elsewhere.parts["unet"], elsewhere.parts["vae"], elsewhere.parts["vocoder"])
    assert {weight.device.type for part in parts for weight in part.parameters()} == {"meta"}
    assert elsewhere.weights_sha256 == nano.weights_sha256
