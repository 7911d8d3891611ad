"""AudioLDM as diffusers publishes it: a folder for each part, with its configuration. Knows names, no modules.

Every number of the configurations that no weight's shape shows is compared with ours, but one on purpose: the U-Net's
`attention_head_dim`. The published files say 8, which diffusers reads as 8 heads at every level; the original code has
one head for every 32 channels (64 for l). The switch `heads` of our own configuration decides
(`diffava.config.UNetSection`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from diffava.checkpoints.audioldm_original import todays_vae_attention, without_weight_norm
from diffava.checkpoints.foreign import read_tensors
from diffava.config import ModelConfig, UNetSection
from diffava.errors import CheckpointError

FOLDERS = {"clap_text": "text_encoder", "unet": "unet", "vae": "vae", "vocoder": "vocoder"}
TOKENIZER = "tokenizer"
_WEIGHTS = (
    "model.safetensors",
    "diffusion_pytorch_model.safetensors",
    "pytorch_model.bin",
    "diffusion_pytorch_model.bin",
)


def folder_tensors(folder: Path, part: str) -> dict[str, Tensor]:
    """One part's tensors by today's names.

    Raises:
        CheckpointError: There is no weights file, or it cannot be read safely.
    """
    inside = folder / FOLDERS[part]
    found = [inside / name for name in _WEIGHTS if (inside / name).is_file()]
    if not found:
        raise CheckpointError(f"{inside} has no weights file (looked for {', '.join(_WEIGHTS)}).")
    tensors = read_tensors(found[0])
    if part == "vae":
        return todays_vae_attention(tensors)
    if part == "vocoder":
        return without_weight_norm(tensors)
    return tensors


def check_configurations(folder: Path, config: ModelConfig) -> None:
    """Compare a folder's configurations with ours.

    Raises:
        CheckpointError: One cannot be read or says something else; names each with both values.
    """
    if config.unet is None:
        raise CheckpointError(f"'{config.name}' has no U-Net; AudioLDM's weights do not fit it.")
    complaints = []
    for name, expected in _expected(config, config.unet).items():
        path = folder / name / "config.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}); pull the model again.") from error
        complaints += [
            f"{name}: {key} is {found.get(key)} and should be {value}"
            for key, value in expected.items()
            if found.get(key) != value
        ]
    if complaints:
        raise CheckpointError(f"{folder} is another model than '{config.name}': {'; '.join(complaints)}.")


def _expected(config: ModelConfig, unet: UNetSection) -> Mapping[str, Mapping[str, Any]]:
    """What each configuration has to say, in JSON's values."""
    channels = list(unet.block_out_channels)
    return {
        "unet": {
            "block_out_channels": channels,
            "cross_attention_dim": channels,
            "layers_per_block": unet.layers_per_block,
            "norm_num_groups": unet.norm_num_groups,
            "in_channels": config.vae.latent_channels,
            "out_channels": config.vae.latent_channels,
            "class_embed_type": "simple_projection",
            "class_embeddings_concat": True,
            "projection_class_embeddings_input_dim": config.clap.projection_dim,
        },
        "vae": config.vae.model_dump(mode="json"),
        "vocoder": config.vocoder.model_dump(mode="json") | {"sampling_rate": config.spec.sample_rate_hz},
        "text_encoder": config.clap.text.model_dump(mode="json") | {"projection_dim": config.clap.projection_dim},
    }
