"""Names of a LAION-CLAP checkpoint's tensors, as transformers' CLAP towers call them. Knows names, no modules.

Source: the renaming of transformers' own conversion script (which is no longer shipped), checked against laion_clap
1.1.7 on random weights (`tests/golden`). The towers' layer norms have RoBERTa's epsilon, 1e-5, in the original.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from diffava.checkpoints.foreign import part_of
from diffava.errors import CheckpointError

TEXT_LAYER_NORM_EPS = 1e-5  # RoBERTa's; transformers' ClapTextConfig has 1e-12, which differs by 2e-5 in the result

# In this order, each on the result of the one before.
_RENAMES = (
    ("text_branch", "text_model"),
    ("audio_branch", "audio_model.audio_encoder"),
    ("attn", "attention.self"),
    ("self.proj", "output.dense"),
    ("attention.self_mask", "attn_mask"),
    ("mlp.fc1", "intermediate.dense"),
    ("mlp.fc2", "output.dense"),
    ("norm1", "layernorm_before"),
    ("norm2", "layernorm_after"),
    ("bn0", "batch_norm"),
)
# What only training or the original's own feature extractor uses.
_UNUSED = re.compile(
    r"^(text_transform|audio_transform|logit_scale|audio_branch\.(spectrogram_extractor|logmel_extractor|spec_augmenter"
    r"|tscam_conv|head))"
)


def clap_towers(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The tensors of `ClapTextModelWithProjection` and of `ClapAudioModelWithProjection`.

    Args:
        tensors: As LAION-CLAP or transformers' own ClapModel names them; "module." before every name is dropped.

    Raises:
        CheckpointError: A tower is missing, or it is a fused model, which hears four channels and not one.
    """
    named = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    if any(name.startswith(("text_branch.", "audio_branch.")) for name in named):
        named = _renamed(named)
    else:
        named = {name: tensor for name, tensor in named.items() if not _UNUSED.search(name)}
    if any("mel_conv2d" in name or "fusion_model" in name for name in named):
        raise CheckpointError(
            "This CLAP is a fused one (it mixes four views of a long sound); DiffAVA uses the unfused, for example "
            "laion-clap-630k-audioset."
        )
    towers = []
    for tower in ("text", "audio"):
        prefixes = (f"{tower}_model.", f"{tower}_projection.")
        found = {name: tensor for name, tensor in named.items() if name.startswith(prefixes)}
        if not part_of(found, prefixes[0]) or not part_of(found, prefixes[1]):
            raise CheckpointError(f"The checkpoint lacks CLAP's {tower} tower, both of which its target needs.")
        towers.append(found)
    return towers[0], towers[1]


def _renamed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for original, tensor in tensors.items():
        if _UNUSED.search(original):
            continue
        name = original
        for old, new in _RENAMES:
            name = name.replace(old, new)
        name = re.sub(r"sequential\.(\d+)\.", lambda found: f"layers.{int(found[1]) // 3}.linear.", name)
        name = re.sub(r"_projection\.([02])\.", lambda found: f"_projection.linear{int(found[1]) // 2 + 1}.", name)
        if "qkv" in name:
            thirds = torch.chunk(tensor, 3, dim=0)
            for part, third in zip(("query", "key", "value"), thirds, strict=True):
                renamed[name.replace("qkv", part)] = third
        else:
            renamed[name] = tensor
    return renamed
