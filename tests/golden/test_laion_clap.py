"""Our reader of LAION-CLAP checkpoints against laion_clap itself, on the same weights.

Provenance: `laion_clap/results.safetensors` was made by the network code of laion-clap 1.1.7 from PyPI (torch 2.13.0,
float32, CPU), with torchvision stubbed: a CLAP with HTSAT of width 8, depths 1, 1, 2, 1 and heads 1, 2, 2, 4, a RoBERTa
of width 16 with 2 layers, and a joint space of 12. Every float weight that is learned is `formula_weight` of its name,
in `laion_clap/shapes.json` with its shape; integers and the matrices of the spectrogram are the classes' own. The sound
is `sound()` below, the token ids are in the file. Tolerances on unit vectors: 2e-6 for text, some ulps of float32;
1e-5 for sound, whose log-mel the two make by different code (4.3e-6 when it was made).
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    ClapAudioConfig,
    ClapAudioModelWithProjection,
    ClapTextConfig,
    ClapTextModelWithProjection,
)

from diffava.checkpoints.foreign import COMPUTED, fit, read_tensors
from diffava.checkpoints.laion_clap import TEXT_LAYER_NORM_EPS, clap_towers
from diffava.errors import CheckpointError
from diffava.features.clap import ClapAudioEncoder
from support.formula_weights import formula_weight

GOLDEN = Path(__file__).parent / "laion_clap"
TEXT_TOLERANCE, AUDIO_TOLERANCE = 2e-6, 1e-5


def audio_tower(width: int = 8) -> ClapAudioModelWithProjection:
    config = ClapAudioConfig(
        patch_embeds_hidden_size=width,
        depths=[1, 1, 2, 1],
        num_attention_heads=[1, 2, 2, 4],
        hidden_size=8 * width,
        projection_dim=12,
        num_hidden_layers=4,
    )
    return ClapAudioModelWithProjection(config).eval()


def text_tower(layer_norm_eps: float) -> ClapTextModelWithProjection:
    config = ClapTextConfig(
        vocab_size=260,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=1,
        intermediate_size=32,
        max_position_embeddings=24,
        projection_dim=12,
        layer_norm_eps=layer_norm_eps,
    )
    return ClapTextModelWithProjection(config).eval()


def sound() -> torch.Tensor:
    time_s = torch.arange(480_000, dtype=torch.float64) / 48_000
    bell = 0.4 * torch.sin(2 * torch.pi * 440 * time_s) * torch.exp(-3 * (time_s % 1))
    sweep = 0.2 * torch.sin(2 * torch.pi * (3000 + 200 * time_s) * time_s)
    return (bell + sweep + 0.05 * torch.sin(2 * torch.pi * 9000 * time_s)).float()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """As LAION publishes them: nested, with "module." before every name and numpy's numbers beside the weights."""
    numpy = pytest.importorskip("numpy")
    weights = {
        name: torch.zeros(tuple(shape), dtype=torch.int64)
        if name.endswith(COMPUTED)
        else formula_weight(name, tuple(shape))
        for name, shape in json.loads((GOLDEN / "shapes.json").read_text()).items()
    }
    path = tmp_path_factory.mktemp("laion") / "tiny.pt"
    named = {f"module.{name}": tensor for name, tensor in weights.items()}
    torch.save({"epoch": 15, "name": "tiny", "best": numpy.float64(0.8998), "state_dict": named}, path)
    return path


@pytest.fixture(scope="module")
def expected() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "results.safetensors")


def test_the_audio_tower_says_what_laion_clap_says(checkpoint, expected):
    tower = audio_tower()
    fit(tower, clap_towers(read_tensors(checkpoint))[1], "tiny.pt")
    found = ClapAudioEncoder(tower).encode(sound()[None])
    assert (found - expected["audio_embedding"]).abs().max() < AUDIO_TOLERANCE


@pytest.mark.parametrize(("epsilon", "tolerance"), [(TEXT_LAYER_NORM_EPS, TEXT_TOLERANCE), (1e-12, 1e-3)])
def test_the_text_tower_says_what_laion_clap_says(checkpoint, expected, epsilon, tolerance):
    """With transformers' own epsilon only nearly: the second line says by how little, on these small weights."""
    tower = text_tower(epsilon)
    fit(tower, clap_towers(read_tensors(checkpoint))[0], "tiny.pt")
    with torch.no_grad():
        output = tower(input_ids=expected["input_ids"], attention_mask=expected["attention_mask"])
    found = torch.nn.functional.normalize(output.text_embeds, dim=-1)
    assert (found - expected["text_embeddings"]).abs().max() < tolerance


def test_a_checkpoint_of_another_size_is_refused_with_both(checkpoint):
    with pytest.raises(CheckpointError, match=r"tiny\.pt does not fit ClapAudioModelWithProjection.* is \(.*should be"):
        fit(audio_tower(width=16), clap_towers(read_tensors(checkpoint))[1], "tiny.pt")


def test_a_checkpoint_without_the_audio_tower_is_refused(checkpoint):
    """AudioLDM's published folders hold the text tower alone, and nothing could be trained against that."""
    tensors = {name: tensor for name, tensor in read_tensors(checkpoint).items() if "audio" not in name}
    with pytest.raises(CheckpointError, match="lacks CLAP's audio tower"):
        clap_towers(tensors)


def test_a_fused_checkpoint_is_refused_with_what_to_use(checkpoint):
    tensors = read_tensors(checkpoint)
    fused = tensors | {"module.audio_branch.patch_embed.mel_conv2d.weight": torch.zeros(8, 1, 4, 12)}
    with pytest.raises(CheckpointError, match=r"fused one.*laion-clap-630k-audioset"):
        clap_towers(fused)
