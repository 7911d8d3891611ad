"""Our reader of original AudioLDM checkpoints against the original code, on the same weights: U-Net, VAE, vocoder.

Provenance: `audioldm_original/results.safetensors` was made by the networks of github.com/haoheliu/AudioLDM at 4054cb4
(torch 2.13.0, float32, CPU): a U-Net of widths 32, 64, 96 with attention at the last two levels, 16 channels a head and
a FiLM vector of 12; its moving average; a VAE of widths 32, 64 with 4 latent channels; a HiFi-GAN with rates 4 and 2 on
8 mel bins. Every weight is `formula_weight` of its name in the checkpoint, which `audioldm_original/shapes.json` lists
with its shape; inputs are `uniform` of theirs. Tolerance: 1e-5 relative, rounding of float32 in another order of sums.
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from diffava.checkpoints import audioldm_original as original
from diffava.checkpoints.foreign import fit
from diffava.config import ModelConfig, config_from_dict
from diffava.errors import CheckpointError
from diffava.model_parts import unet, vae, vocoder
from support.formula_weights import formula_weight, uniform

GOLDEN = Path(__file__).parent / "audioldm_original"
TOLERANCE = 1e-5


def config(heads: str = "original") -> ModelConfig:
    values = {
        "name": "tiny",
        "licence": "none",
        "commercial_use_allowed": True,
        "clap": {"projection_dim": 12},
        "unet": {"block_out_channels": [32, 64, 96], "head_channels": 16, "heads": heads},
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


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, Tensor]:
    shapes = json.loads((GOLDEN / "shapes.json").read_text())
    integers = {"model_ema.num_updates": torch.tensor(0, dtype=torch.int32)}
    return {name: formula_weight(name, tuple(shape)) for name, shape in shapes.items()} | integers


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    return load_file(GOLDEN / "results.safetensors")


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@torch.no_grad()
def predicted(checkpoint: dict[str, Tensor], heads: str, *, averaged: bool) -> Tensor:
    tiny = config(heads)
    assert tiny.unet is not None
    denoiser = unet(tiny, tiny.unet).eval()
    fit(denoiser, original.unet_tensors(checkpoint, tiny.unet.layers_per_block, averaged=averaged), "tiny.ckpt")
    condition = torch.nn.functional.normalize(uniform("condition", (2, 12)), dim=-1)
    eps: Tensor = denoiser(2 * uniform("x", (2, 4, 8, 4)), torch.tensor([7, 613]), None, class_labels=condition).sample
    return eps


@pytest.mark.parametrize(("averaged", "name"), [(False, "eps"), (True, "eps_averaged")])
def test_the_unet_predicts_what_the_original_predicts(checkpoint, expected, averaged, name):
    assert relative(predicted(checkpoint, "original", averaged=averaged), expected[name]) < TOLERANCE


def test_with_the_published_head_count_it_does_not(checkpoint, expected):
    """The trap: 8 heads at every level, as the converted files say, have the same shapes and another result."""
    error = relative(predicted(checkpoint, "published", averaged=False), expected["eps"])
    assert error > 1e-3


@torch.no_grad()
def test_the_vae_encodes_and_decodes_as_the_original(checkpoint, expected):
    autoencoder = vae(config()).eval()
    fit(autoencoder, original.vae_tensors(checkpoint), "tiny.ckpt")
    moments = autoencoder.encode(2 * uniform("mel", (1, 1, 8, 8))).latent_dist.parameters
    decoded = autoencoder.decode(2 * uniform("latent", (1, 4, 4, 4))).sample
    # The original cuts the logarithm of the variance only when it samples, diffusers at once.
    cut = torch.cat([expected["moments"][:, :4], expected["moments"][:, 4:].clamp(-30, 20)], dim=1)
    assert relative(moments, cut) < TOLERANCE
    assert relative(decoded, expected["decoded"]) < TOLERANCE


@torch.no_grad()
def test_the_vocoder_sounds_as_the_original(checkpoint, expected):
    hifigan = vocoder(config()).eval()
    fit(hifigan, original.vocoder_tensors(checkpoint), "tiny.ckpt")
    mel = 2 * uniform("vocoder_mel", (1, 8, 6))
    assert relative(hifigan(mel.mT), expected["waveform"][:, 0]) < TOLERANCE


def test_weight_normalisation_is_folded_in(checkpoint):
    """Older files keep direction and length of each weight apart."""
    name = f"{original.VOCODER}conv_pre.weight"
    split = dict(checkpoint)
    weight = split.pop(name)
    split[f"{name}_g"] = weight.norm(dim=(1, 2), keepdim=True)
    split[f"{name}_v"] = 3 * weight
    folded = original.vocoder_tensors(split)["conv_pre.weight"]
    torch.testing.assert_close(folded, weight)


def test_names_of_the_vaes_attention_from_any_time_are_read(checkpoint):
    today = original.vae_tensors(checkpoint)
    renamed = today
    for new, before in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
        renamed = {name.replace(f".{new}.", f".{before}."): tensor for name, tensor in renamed.items()}
    assert any("proj_attn" in name for name in renamed)
    assert original.todays_vae_attention(renamed).keys() == today.keys()


def test_what_does_not_fit_is_refused_with_what_was_expected_and_found(checkpoint):
    tensors = original.vae_tensors(checkpoint)
    tensors["encoder.conv_in.weight"] = torch.zeros(3, 3)
    tensors["stray"] = torch.zeros(1)
    del tensors["quant_conv.bias"]
    with pytest.raises(CheckpointError) as refusal:
        fit(vae(config()), tensors, "tiny.ckpt")
    for told in (
        "lacks quant_conv.bias",
        "no part wants: stray",
        "conv_in.weight is (3, 3) and should be (32, 1, 3, 3)",
    ):
        assert told in str(refusal.value)
