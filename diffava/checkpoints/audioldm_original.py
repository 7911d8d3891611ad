"""Names of the original AudioLDM checkpoint's tensors, as diffusers and transformers call them. Knows no modules.

The one file holds the U-Net with its moving average, the VAE, the vocoder and a whole CLAP. Source: the state
dictionary of github.com/haoheliu/AudioLDM at 4054cb4, read on random weights (`tests/golden`).
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diffava.checkpoints.foreign import part_of
from diffava.errors import CheckpointError

UNET, AVERAGED, VAE = "model.diffusion_model.", "model_ema.", "first_stage_model."
VOCODER, CLAP = "first_stage_model.vocoder.", "cond_stage_model.model."

_TOP = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "film_emb": "class_embedding",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
    "middle_block.0": "mid_block.resnets.0",
    "middle_block.1": "mid_block.attentions.0",
    "middle_block.2": "mid_block.resnets.1",
}
_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
    "nin_shortcut": "conv_shortcut",
}
# The VAE's attention in the original, and in diffusers before version 0.15, whose names published folders still have.
_VAE_ATTENTION = {
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "query": "to_q",
    "key": "to_k",
    "value": "to_v",
    "proj_out": "to_out.0",
    "proj_attn": "to_out.0",
    "norm": "group_norm",
}


def is_original(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file is the original checkpoint."""
    return any(name.startswith(UNET) for name in tensors)


def scale_factor(tensors: Mapping[str, Tensor]) -> float | None:
    """What the VAE's latents were divided by in training: one over their deviation; None if the file does not say."""
    found = tensors.get("scale_factor")
    return None if found is None else float(found)


def unet_tensors(tensors: Mapping[str, Tensor], layers_per_block: int, *, averaged: bool = True) -> dict[str, Tensor]:
    """The U-Net's tensors by the names of `UNet2DConditionModel`.

    Args:
        tensors: The whole file's.
        layers_per_block: Residual blocks of each level.
        averaged: Take the moving average of training, as the original's own inference does, if the file has one.
    """
    found = part_of(tensors, UNET)
    average = part_of(tensors, AVERAGED)
    if averaged and average:
        # Its names are those of the parameters without their dots, "model." included.
        found = {
            name: average.get(f"diffusion_model.{name}".replace(".", ""), tensor) for name, tensor in found.items()
        }
    upsamplers = {name.split(".conv.")[0] for name in found if re.match(r"output_blocks\.\d+\.\d\.conv\.", name)}
    return {_unet_name(name, layers_per_block, upsamplers): tensor for name, tensor in found.items()}


def vae_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The VAE's tensors by the names of `AutoencoderKL`."""
    found = {
        name: tensor
        for name, tensor in part_of(tensors, VAE).items()
        if name.startswith(("encoder.", "decoder.", "quant_conv.", "post_quant_conv."))
    }
    ups = [int(match[1]) for name in found if (match := re.match(r"decoder\.up\.(\d+)\.", name))]
    return todays_vae_attention({_vae_name(name, max(ups, default=0)): tensor for name, tensor in found.items()})


def todays_vae_attention(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The VAE's tensors with its attention's names and shapes of today, from those of any time."""
    renamed = {}
    for name, tensor in tensors.items():
        match = re.match(r"(.*mid_block\.attentions\.0\.)(\w+)(\.(?:weight|bias))$", name)
        if match is None or match[2] not in _VAE_ATTENTION:
            renamed[name] = tensor
            continue
        is_convolution = tensor.ndim == 4  # over one point: the same numbers as a linear layer
        renamed[match[1] + _VAE_ATTENTION[match[2]] + match[3]] = tensor[:, :, 0, 0] if is_convolution else tensor
    return renamed


def vocoder_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The vocoder's tensors by the names of `SpeechT5HifiGan`, whose normalisation of the mel is set to none."""
    found = {name.replace("ups.", "upsampler.", 1): tensor for name, tensor in part_of(tensors, VOCODER).items()}
    found = without_weight_norm(found)
    if "conv_pre.weight" not in found:
        raise CheckpointError(f"The checkpoint holds no vocoder: {VOCODER}conv_pre.weight is missing.")
    mel_bins = found["conv_pre.weight"].shape[1]
    return {"mean": torch.zeros(mel_bins), "scale": torch.ones(mel_bins), **found}


def without_weight_norm(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Direction and length of a normalised weight as the weight that they stand for."""
    folded: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if name.endswith(".weight_v"):
            length = tensors[f"{name[:-1]}g"]
            axes = tuple(range(1, tensor.ndim))
            folded[name[:-2]] = tensor * (length / tensor.norm(dim=axes, keepdim=True))
        elif not name.endswith(".weight_g"):
            folded[name] = tensor
    return folded


def _unet_name(name: str, layers: int, upsamplers: set[str]) -> str:
    for old, new in _TOP.items():
        if name.startswith(f"{old}."):
            return new + _block_name(name.removeprefix(old))
    match = re.match(r"(input|output)_blocks\.(\d+)\.(\d)(\..*)$", name)
    if match is None:
        return name  # `fit` says that nobody wants it
    kind, index, child, rest = match[1], int(match[2]), int(match[3]), match[4]
    if kind == "input":
        level, layer = divmod(index - 1, layers + 1)
        if layer == layers:
            return f"down_blocks.{level}.downsamplers.0{rest.replace('.op.', '.conv.')}"
        side = "down_blocks"
    else:
        level, layer = divmod(index, layers + 1)
        if f"output_blocks.{index}.{child}" in upsamplers:
            return f"up_blocks.{level}.upsamplers.0{rest}"
        side = "up_blocks"
    return f"{side}.{level}.{'attentions' if child else 'resnets'}.{layer}{_block_name(rest)}"


def _block_name(rest: str) -> str:
    for old, new in _RESNET.items():
        if rest.startswith(f".{old}."):
            return f".{new}{rest.removeprefix(f'.{old}')}"
    return rest


def _vae_name(name: str, highest: int) -> str:
    name = re.sub(r"\.mid\.block_(\d)\.", lambda found: f".mid_block.resnets.{int(found[1]) - 1}.", name)
    name = re.sub(r"\.mid\.attn_1\.", ".mid_block.attentions.0.", name)
    name = re.sub(r"\.down\.(\d+)\.block\.(\d+)\.", r".down_blocks.\1.resnets.\2.", name)
    name = re.sub(r"\.down\.(\d+)\.downsample\.", r".down_blocks.\1.downsamplers.0.", name)
    name = re.sub(
        r"\.up\.(\d+)\.block\.(\d+)\.", lambda found: f".up_blocks.{highest - int(found[1])}.resnets.{found[2]}.", name
    )
    name = re.sub(r"\.up\.(\d+)\.upsample\.", lambda found: f".up_blocks.{highest - int(found[1])}.upsamplers.0.", name)
    return name.replace(".nin_shortcut.", ".conv_shortcut.").replace(".norm_out.", ".conv_norm_out.")
