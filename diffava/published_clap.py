"""CLAP's two towers from a pulled checkpoint, and the audio tower that belongs to a model. Knows no pipeline.

LAION's own files, transformers' folders and the CLAP inside an original AudioLDM checkpoint are all read; sizes are
those of the tensors.
"""

from collections.abc import Mapping

import torch
from accelerate import init_empty_weights
from torch import Tensor
from transformers import (
    ClapAudioConfig,
    ClapAudioModelWithProjection,
    ClapTextConfig,
    ClapTextModelWithProjection,
)

from diffava.checkpoints import audioldm_original as original
from diffava.checkpoints.foreign import fit, part_of, read_tensors
from diffava.checkpoints.laion_clap import TEXT_LAYER_NORM_EPS, clap_towers
from diffava.checkpoints.published_files import is_here, published_file, published_folder, weights_file
from diffava.checkpoints.registry import published, published_names
from diffava.errors import CheckpointError
from diffava.features.clap import ClapAudioEncoder, ClapTextEncoder, check_text_towers_agree
from diffava.features.tokenizer import load_tokenizer

TEXT_HEAD_WIDTH = 64  # RoBERTa's; no weight's shape shows it
# Which CLAP a base model was trained with: the first that is here and agrees is taken. AudioLDM's training
# configurations name HTSAT-tiny for s and l and the last one for m; that either tiny one is theirs, the guard says.
CLAP_OF_MODEL = {
    "audioldm-s": ("laion-clap-htsat-unfused", "laion-clap-630k-audioset"),
    "audioldm-m": ("laion-clap-music-speech",),
    "audioldm-l": ("laion-clap-htsat-unfused", "laion-clap-630k-audioset"),
}


def published_clap(name: str, device: torch.device | str = "cpu") -> tuple[ClapTextEncoder, ClapAudioEncoder]:
    """Both towers of a published CLAP (`laion-clap-...`, or `audioldm-...-original`), in one space of unit vectors.

    Raises:
        CheckpointError: It was not pulled, or lacks a tower.
        RequestError: There is no such checkpoint.
    """
    entry = published(name)
    path = published_file(name, weights_file(entry))
    tensors = read_tensors(path)
    if original.is_original(tensors):
        tensors = part_of(tensors, original.CLAP)
    is_laions = any(key.removeprefix("module.").startswith("text_branch.") for key in tensors)
    text, audio = clap_towers(tensors)
    tower = empty_text_tower(text, TEXT_LAYER_NORM_EPS if is_laions else 1e-12)
    fit(tower, text, str(path))
    ears = empty_audio_tower(audio)
    fit(ears, audio, str(path))
    folder = published_folder(
        name if any(file.path == "tokenizer.json" for file in entry.files) else "roberta-tokenizer"
    )
    tokenizer = load_tokenizer(folder, tower.config.vocab_size)
    return ClapTextEncoder(tower.to(device), tokenizer), ClapAudioEncoder(ears.to(device))


def published_audio_tower(text: ClapTextEncoder, model: str, device: torch.device | str = "cpu") -> ClapAudioEncoder:
    """The audio tower that belongs to a model's text tower: AudioLDM's folders hold only the latter.

    Args:
        text: The model's own.
        model: The preset's name; audioldm-s-t2av and the like have the text tower of audioldm-s.
        device: Where it computes.

    Raises:
        CheckpointError: None of those that may be it is here and agrees with the text tower (cosine 0.99).
    """
    base = next((base for base in CLAP_OF_MODEL if model == base or model.startswith(f"{base}-")), model)
    wanted = (f"{base}-original", *CLAP_OF_MODEL.get(base, ()))
    complaints = []
    for name in wanted:
        if name in published_names() and is_here(published(name)):
            try:
                own_text, audio = published_clap(name, device)
                check_text_towers_agree(text, own_text)
            except CheckpointError as error:
                complaints.append(f"{name}: {error}")
            else:
                return audio
    found = f" ({' '.join(complaints)})" if complaints else ""
    raise CheckpointError(
        f"'{model}' needs CLAP's audio tower that its text tower was trained with, and none is here{found}. Run "
        f"`diffava models pull {wanted[-1]}`, or {wanted[0]}, which is certain to have it."
    )


def empty_text_tower(tensors: Mapping[str, Tensor], layer_norm_eps: float) -> ClapTextModelWithProjection:
    """Empty, of the sizes that the tensors have."""
    words, width = tensors["text_model.embeddings.word_embeddings.weight"].shape
    layers = {name.split(".")[3] for name in tensors if name.startswith("text_model.encoder.layer.")}
    config = ClapTextConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=max(1, width // TEXT_HEAD_WIDTH),
        intermediate_size=tensors["text_model.encoder.layer.0.intermediate.dense.weight"].shape[0],
        max_position_embeddings=tensors["text_model.embeddings.position_embeddings.weight"].shape[0],
        projection_dim=tensors["text_projection.linear2.weight"].shape[0],
        layer_norm_eps=layer_norm_eps,
    )
    with torch.random.fork_rng(devices=[]), init_empty_weights(include_buffers=False):
        return ClapTextModelWithProjection(config)


def empty_audio_tower(tensors: Mapping[str, Tensor]) -> ClapAudioModelWithProjection:
    """Empty, of the sizes that the tensors have: HTSAT-tiny or -base."""
    prefix, table = "audio_model.audio_encoder.layers.", ".attention.self.relative_position_bias_table"
    # One table a block, with a column for each of its heads.
    heads_of_stage: dict[int, list[int]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix) and name.endswith(table):
            heads_of_stage.setdefault(int(name.removeprefix(prefix).split(".")[0]), []).append(tensor.shape[1])
    stages = [heads_of_stage[number] for number in sorted(heads_of_stage)]
    width = tensors["audio_model.audio_encoder.patch_embed.proj.weight"].shape[0]
    config = ClapAudioConfig(
        patch_embeds_hidden_size=width,
        depths=[len(blocks) for blocks in stages],
        num_attention_heads=[blocks[0] for blocks in stages],
        hidden_size=width * 2 ** (len(stages) - 1),
        projection_dim=tensors["audio_projection.linear2.weight"].shape[0],
    )
    with torch.random.fork_rng(devices=[]), init_empty_weights(include_buffers=False):
        return ClapAudioModelWithProjection(config)
