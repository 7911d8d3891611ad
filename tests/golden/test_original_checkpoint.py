"""An original AudioLDM checkpoint as a whole, CLAP included, becomes a model of ours that predicts what it predicted.

Provenance: the weights and results of `test_audioldm_original` and `test_laion_clap`, in one file as AudioLDM has them.
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from diffava import builders, published_clap, published_models
from diffava.checkpoints import published_files
from diffava.checkpoints.foreign import COMPUTED
from diffava.config import ModelConfig, config_from_dict
from diffava.features.tokenizer import byte_tokenizer
from diffava.model_parts import video
from diffava.published_clap import published_audio_tower
from diffava.published_models import converted_folder
from support.formula_weights import formula_weight, uniform
from support.published import made_up_entry

GOLDEN = Path(__file__).parent
SCALE = 0.75
TEXT_EPSILON_TOLERANCE = 1e-3  # the model's own text tower has transformers' epsilon: see test_laion_clap


def config() -> ModelConfig:
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    text = small | {"num_attention_heads": 1, "vocab_size": 260, "max_position_embeddings": 24}
    values = {
        "name": "audioldm-s",
        "licence": "none",
        "commercial_use_allowed": True,
        "spec": {"window_latent_frames": 64},
        "clap": {"projection_dim": 12, "text": text},
        "video": small | {"mit_hidden_size": 16, "image_size": 16, "patch_size": 8},
        "alignment": {"hidden_size": 16, "num_layers": 1, "num_heads": 2},
        "unet": {"block_out_channels": [32, 64, 96], "head_channels": 16},
        "vae": {"block_out_channels": [32, 64], "layers_per_block": 1, "latent_channels": 4},
        "vocoder": {
            "model_in_dim": 8,
            "upsample_initial_channel": 16,
            "upsample_rates": [4, 2],
            "upsample_kernel_sizes": [8, 4],
            "resblock_kernel_sizes": [3, 5],
            "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]],
        },
    }
    return config_from_dict(values, "tiny")


def whole_checkpoint() -> dict[str, torch.Tensor]:
    tensors = {"scale_factor": torch.tensor(SCALE)}
    for folder, prefix in (("audioldm_original", ""), ("laion_clap", "cond_stage_model.model.")):
        for name, shape in json.loads((GOLDEN / folder / "shapes.json").read_text()).items():
            counts = name.endswith((*COMPUTED, "num_updates"))
            made = torch.zeros(shape, dtype=torch.int64) if counts else formula_weight(name, tuple(shape))
            tensors[f"{prefix}{name}"] = made
    return tensors


@pytest.fixture
def pulled(tmp_path, monkeypatch):
    """A cache with the checkpoint, RoBERTa's place taken by bytes, and a random X-CLIP."""
    for name in ("audioldm-s-original", "xclip-base-patch8"):
        (tmp_path / name).mkdir()
    torch.save({"state_dict": whole_checkpoint(), "epoch": 3}, tmp_path / "audioldm-s-original" / "tiny.ckpt")
    byte_tokenizer().save_pretrained(tmp_path / "roberta-tokenizer")
    tower = {f"vision_model.{name}": tensor for name, tensor in video(config()).state_dict().items()}
    torch.save(tower, tmp_path / "xclip-base-patch8" / "pytorch_model.bin")
    entries = {
        "audioldm-s": made_up_entry("audioldm-s", ["unet/config.json"]),
        "audioldm-s-original": made_up_entry("audioldm-s-original", ["tiny.ckpt"]),
        "roberta-tokenizer": made_up_entry("roberta-tokenizer", ["tokenizer.json", "tokenizer_config.json"]),
        "xclip-base-patch8": made_up_entry("xclip-base-patch8", ["pytorch_model.bin"]),
    }
    for module in (published_files, published_models, published_clap):
        monkeypatch.setattr(module, "published", entries.__getitem__)
    for module in (published_files, published_models):
        monkeypatch.setattr(module, "cache_root", lambda: tmp_path)
    for module in (published_models, published_clap):
        monkeypatch.setattr(module, "published_names", lambda: tuple(entries))


@torch.no_grad()
def test_the_original_file_alone_is_enough(pulled):
    pipeline = builders.load(converted_folder(config()))
    expected = load_file(GOLDEN / "audioldm_original" / "results.safetensors")
    condition = torch.nn.functional.normalize(uniform("condition", (2, 12)), dim=-1)
    steps = torch.tensor([7, 613])
    eps = pipeline.parts["unet"](2 * uniform("x", (2, 4, 8, 4)), steps, None, class_labels=condition).sample
    # The moving average: what the original's own inference uses.
    torch.testing.assert_close(eps, expected["eps_averaged"], rtol=1e-4, atol=1e-5)
    assert pipeline.config.vae.scaling_factor == pipeline.parts["vae"].config.scaling_factor == SCALE
    text = pipeline.features.text
    towers = load_file(GOLDEN / "laion_clap" / "results.safetensors")
    output = text.model(input_ids=towers["input_ids"], attention_mask=towers["attention_mask"])
    found = torch.nn.functional.normalize(output.text_embeds, dim=-1)
    assert (found - towers["text_embeddings"]).abs().max() < TEXT_EPSILON_TOLERANCE


def test_its_own_clap_hears_for_it(pulled):
    """The audio tower that diffusers' folders lack is in the original file, and agrees with the text tower."""
    pipeline = builders.load(converted_folder(config()))
    ears = published_audio_tower(pipeline.features.text, "audioldm-s")
    assert ears.encode(uniform("sound", (1, 48_000))).shape == (1, 12)
