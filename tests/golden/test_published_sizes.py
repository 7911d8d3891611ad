"""Full-size parts against published figures, on torch's "meta" device: sizes only, no weights.

Provenance: parameter counts of AudioLDM's U-Nets, autoencoder, vocoder and CLAP text tower as diffusers 0.42.1 and
transformers 5.23.0 build them from the published configuration files (cvssp/audioldm-s-full-v2, -m-full, -l-full; the
U-Nets also counted in the original code, haoheliu/AudioLDM 4054cb4). Exact: there is no tolerance.
"""

import pytest
import torch

from diffava.config import config_from_dict, load_config, preset_names
from diffava.model_parts import clap_text, make_parts, unet, vae, video, vocoder
from diffava.spec import Spec


def parameters(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def built_unet(config) -> torch.nn.Module:
    return unet(config, config.unet)


@pytest.fixture(autouse=True)
def _on_no_device():
    with torch.device("meta"):
        yield


@pytest.mark.parametrize(
    ("name", "count"), [("audioldm-s", 185_036_552), ("audioldm-m", 415_954_568), ("audioldm-l", 739_139_080)]
)
def test_the_denoiser_has_the_published_size(name, count):
    assert parameters(built_unet(load_config(name))) == count


def test_the_other_parts_have_the_published_sizes():
    config = load_config("audioldm-s")
    sizes = [round(parameters(part(config)) / 1e6, 2) for part in (vae, vocoder, clap_text)]
    assert sizes == [55.38, 55.26, 125.30]
    assert round(parameters(video(config)) / 1e6, 1) == 122.9


def test_the_vocoder_is_the_published_one():
    """Slope, dilations and strides, which no weight's shape betrays: cvssp/audioldm-s-full-v2, vocoder/config.json."""
    published = {
        "model_in_dim": 64,
        "sampling_rate": 16_000,
        "upsample_initial_channel": 1024,
        "upsample_rates": [5, 4, 2, 2, 2],
        "upsample_kernel_sizes": [16, 16, 8, 4, 4],
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilation_sizes": [[1, 3, 5]] * 3,
        "leaky_relu_slope": 0.1,
        "normalize_before": False,
    }
    assert published.items() <= vocoder(load_config("audioldm-s")).config.to_dict().items()


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_says_how_large_it_is(name):
    config = load_config(name)
    assert config.parameter_count == sum(parameters(part) for part in make_parts(config).values())


@pytest.mark.parametrize(("heads", "expected"), [("original", [4, 8, 12, 20]), ("published", [8, 8, 8, 8])])
def test_the_switch_for_heads_reaches_every_level_and_no_weight(heads, expected):
    values = load_config("audioldm-s").model_dump(mode="json")
    values["unet"]["heads"] = heads
    denoiser = built_unet(config_from_dict(values, "audioldm-s"))
    # The first level has no attention. diffusers names the number of heads `attention_head_dim`.
    found = [block.attentions[0].transformer_blocks[0].attn1.heads for block in denoiser.down_blocks[1:]]
    assert found == expected[1:]
    assert parameters(denoiser) == 185_036_552


def test_the_condition_is_one_vector_beside_the_time_embedding():
    denoiser = built_unet(load_config("audioldm-s"))
    assert denoiser.class_embedding.in_features == 512
    assert denoiser.class_embedding.out_features == denoiser.time_embedding.linear_2.out_features == 4 * 128
    assert denoiser.down_blocks[0].resnets[0].time_emb_proj.in_features == 8 * 128
    guided = denoiser(torch.zeros(4, 8, 256, 16), torch.tensor(1), None, class_labels=torch.zeros(4, 512)).sample
    assert guided.shape == (4, 8, 256, 16)


def test_a_window_of_ten_seconds_is_a_latent_of_256_by_16():
    config = load_config("audioldm-s")
    spec = Spec.of(config)
    latent = vae(config).encode(torch.zeros(1, 1, spec.window_latent_frames * spec.vae_factor, 64)).latent_dist.mode()
    assert latent.shape == (1, 8, 256, 16)
    assert vae(config).config.scaling_factor == 0.9392935633659363
