"""Presets and configuration files: what they mean, and what they refuse."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from diffava.config import config_from_dict, load_config, preset_names
from diffava.errors import ConfigError
from diffava.spec import Spec


def test_every_preset_loads_under_its_own_name():
    published = (f"audioldm-{size}{control}" for size in "lms" for control in ("", "-t2av"))
    assert preset_names() == (*published, "mini", "nano", "nano-audioldm-t2av", "nano-t2av")
    for name in preset_names():
        assert load_config(name).name == name


@pytest.mark.parametrize("run", ["diffava.config.load_config('nano')", "diffava.cli.models.list_models()"])
def test_reading_a_configuration_and_listing_the_models_do_not_load_torch(run):
    code = f"import sys, diffava.config, diffava.cli.models; {run}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["audioldm-l", "audioldm-m", "audioldm-s", "audioldm-s-t2av", "nano"])
def test_presets_with_audioldms_classes_keep_its_rates(name):
    spec = Spec.of(load_config(name))
    assert (spec.sample_rate_hz, spec.hop_samples, spec.mel_bins, spec.vae_factor) == (16_000, 160, 64, 4)
    assert spec.latent_rate_hz == 25
    assert isinstance(spec.frame_rate, Fraction)


def test_mini_has_a_picture_a_latent_frame_and_no_rate_but_the_outputs():
    spec = Spec.of(load_config("mini"))
    assert (spec.sample_rate_hz, spec.output_rate_hz, spec.mel_max_hz) == (48_000, 48_000, 20_000)
    assert spec.frame_rate == spec.latent_rate_hz == 25
    assert (spec.latent_channels, spec.latent_mel_bins) == (64, 1)


def test_nano_reads_small_pictures():
    spec = Spec.of(load_config("nano"))
    assert (spec.frame_size_pixels, spec.frame_rate) == (32, 8)


@pytest.mark.parametrize(
    ("name", "heads"),
    [("audioldm-s", (4, 8, 12, 20)), ("audioldm-m", (6, 12, 18, 30)), ("audioldm-l", (4, 8, 12, 20))],
)
def test_heads_are_those_of_the_original_unless_the_published_ones_are_asked_for(name, heads):
    config = load_config(name)
    assert config.unet.attention_heads == heads
    values = config.model_dump(mode="json")
    values["unet"]["heads"] = "published"
    assert config_from_dict(values, name).unet.attention_heads == (8, 8, 8, 8)


def test_published_models_say_that_they_are_not_for_commercial_work():
    for name in (name for name in preset_names() if name.startswith("audioldm")):
        config = load_config(name)
        assert not config.commercial_use_allowed
        assert "CC BY-NC-SA 4.0" in config.licence
        assert "CC BY-NC-SA 4.0" in config.warning


def test_untrained_presets_say_so():
    for name in ("nano", "nano-t2av", "nano-audioldm-t2av"):
        assert f"{name} has random weights" in load_config(name).warning
    assert load_config("mini").warning == ""


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"no model preset 'nanno'.*mini, nano"):
        load_config("nanno")


def test_an_unknown_key_is_named_with_the_known_ones_beside_it(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nlicence = "MIT"\ncommercial_use_allowed = true\n'
        "[unet]\nblock_out_channels = [16, 32]\nhead_channels = 8\nlayer_per_block = 1\n"
    )
    with pytest.raises(ConfigError, match=r"unknown key 'unet\.layer_per_block'; known here: .*layers_per_block"):
        load_config(path)


def test_a_missing_key_is_named(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[unet]\nhead_channels = 8\n')
    with pytest.raises(ConfigError, match=r"unet\.block_out_channels: Field required"):
        load_config(path)


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text("name = ")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("section", "key", "value", "sentence"),
    [
        ("spec", "window_latent_frames", 100, r"window_latent_frames is 100.*multiple of 8"),
        ("spec", "window_latent_frames", 0, r"spec\.window_latent_frames: .*greater than 0"),
        ("spec", "frame_rate", "-8", r"spec\.frame_rate: .*greater than 0"),
        ("unet", "block_out_channels", [64, 96, 128, 150], r"not all divide by the 32 of unet\.head_channels"),
        ("vocoder", "model_in_dim", 62, r"62 mel bins.*multiple of 4"),
        ("defaults", "step_count", 0, r"defaults\.step_count: .*greater than 0"),
        ("defaults", "guidance_scale", 0.5, r"defaults\.guidance_scale: .*greater than or equal to 1"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_before_anything_is_built(section, key, value, sentence):
    values = load_config("audioldm-s").model_dump(mode="json")
    values[section][key] = value
    with pytest.raises(ConfigError, match=sentence):
        config_from_dict(values, "audioldm-s")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"unet": {"block_out_channels": [32], "head_channels": 8}}, r"one denoiser: write either \[unet\] or"),
        ({"transformer": None}, "one denoiser"),
        ({"flow": None}, r"velocity of \[flow\]: write both or none"),
        ({"control": {"block_count": 7}}, r"block_count is 7, but \[transformer\] has only 6 blocks"),
        ({"control": {"operator": "product"}}, r"control\.operator: .*'temporal_self_attention'"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        config_from_dict(load_config("mini").model_dump(mode="json") | changes, "mini")


def test_a_configuration_survives_json():
    for name in preset_names():
        config = load_config(name)
        assert config_from_dict(config.model_dump(mode="json"), name) == config


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        load_config("nano").name = "other"
