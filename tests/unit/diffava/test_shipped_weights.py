"""Weights in half precision, and which weights a model's name stands for."""

import json

import pytest
import torch
from safetensors.torch import load_file

from diffava.builders import build, load, open_model, save
from diffava.checkpoints import embedded, published_files
from diffava.checkpoints.folder import stored_sha256
from diffava.checkpoints.manifest import read_manifest, weights_sha256_of
from diffava.errors import CheckpointError, ConfigError
from support.pictures import in_chunks, random_pictures, request_of_seconds


@pytest.fixture(scope="module")
def trial():
    return build("nano-t2av")


@pytest.fixture(scope="module")
def half(trial, tmp_path_factory):
    """A folder with a model of every class of `mini` in half precision."""
    folder = tmp_path_factory.mktemp("models") / "nano-t2av"
    save(trial, folder, torch.float16, {"CREDITS.md": "thanks\n"})
    return folder


def test_parameters_are_stored_as_halves_and_statistics_and_projections_whole(trial, half):
    for part, module in trial.parts.items():
        stored = load_file(half / part / "model.safetensors")
        parameters = dict(module.named_parameters())
        for name, tensor in stored.items():
            assert tensor.dtype == (torch.float16 if name in parameters else module.state_dict()[name].dtype)
    assert load_file(half / "stacked_pca" / "model.safetensors")["components"].dtype == torch.float32


def test_what_is_loaded_is_float32_and_has_the_hash_that_the_manifest_says(trial, half):
    loaded = load(half)
    weights = [tensor for part in loaded.parts.values() for tensor in part.state_dict().values()]
    assert {tensor.dtype for tensor in weights if tensor.is_floating_point()} == {torch.float32}
    assert loaded.weights_sha256 == weights_sha256_of(half) == stored_sha256(trial.parts, torch.float16)
    assert loaded.weights_sha256 != trial.weights_sha256


def test_saving_what_was_loaded_keeps_every_bit(half, tmp_path):
    save(load(half), tmp_path / "again", torch.float16)
    assert weights_sha256_of(tmp_path / "again") == weights_sha256_of(half)


def test_half_precision_hardly_changes_the_sound(trial, half):
    request = request_of_seconds(trial.spec, 1.0, step_count=2)
    pictures = random_pictures(trial.spec, request.frame_count)
    whole, rounded = (
        torch.cat([part.samples for part in pipeline.generate(request, in_chunks(pictures))])
        for pipeline in (trial, load(half))
    )
    assert (whole - rounded).norm() < 0.05 * whole.norm()


def test_loading_draws_no_weights(half, monkeypatch):
    """Drawing a model's random weights takes longer than reading the trained ones."""
    drawn = []
    for name in ("normal_", "uniform_", "trunc_normal_"):
        original = getattr(torch.Tensor, name, None)
        if original is not None:
            monkeypatch.setattr(
                torch.Tensor, name, lambda self, *a, _draw=original, **k: (drawn.append(self), _draw(self, *a, **k))[1]
            )
    load(half)
    assert sum(tensor.numel() for tensor in drawn if tensor.device.type != "meta") == 0


def test_a_weight_that_half_precision_cannot_hold_is_refused_by_name(tmp_path):
    nano = build("nano")
    next(nano.parts["unet"].parameters()).view(-1)[0] = 1e6
    name = next(name for name, _ in nano.parts["unet"].named_parameters())
    with pytest.raises(CheckpointError, match=rf"unet\.{name} has a number that torch\.float16 cannot hold"):
        save(nano, tmp_path / "nano", torch.float16)
    assert list(tmp_path.iterdir()) == []


def test_a_models_documents_are_saved_and_vouched_for(half):
    (half / "CREDITS.md").read_text("utf-8")
    assert "CREDITS.md" in json.loads((half / "model.json").read_text("utf-8"))["sha256"]
    read_manifest(half)


def test_a_name_stands_for_the_weights_that_ship(half, monkeypatch):
    monkeypatch.setattr(embedded, "weights_root", lambda: half.parent)
    assert open_model("nano-t2av").weights_sha256 == weights_sha256_of(half)


def test_a_folder_stands_for_itself(half):
    assert open_model(half).weights_sha256 == weights_sha256_of(half)


def test_without_shipped_weights_only_a_trial_model_gets_random_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "weights_root", lambda: tmp_path)
    assert open_model("nano").weights_sha256 == build("nano").weights_sha256
    with pytest.raises(ConfigError, match=r"'mini' has no weights here; train it with `diffava train mini`"):
        open_model("mini")


def test_what_is_no_model_is_refused():
    with pytest.raises(ConfigError, match="no model preset 'nanno'"):
        open_model("nanno")


def test_a_model_whose_weights_others_publish_says_how_to_bring_them(tmp_path, monkeypatch):
    monkeypatch.setattr(published_files, "cache_root", lambda: tmp_path)
    monkeypatch.setattr(published_files, "hub_cache", lambda: tmp_path)
    with pytest.raises(CheckpointError, match="run `diffava models pull audioldm-s`"):
        open_model("audioldm-s")
