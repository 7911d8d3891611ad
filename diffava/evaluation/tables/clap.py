"""The CLAP of a CLAP score: which models it may be, behind one protocol. Knows samples and texts, no table.

A score is only to be set beside one of the same CLAP. The papers take LAION's; ours, which ships with `mini`, needs no
download, knows few sounds, and has taught `mini` itself, so that it may say of other systems but not of that one.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.checkpoints.embedded import embedded_folder
from diffava.checkpoints.folder import read_part
from diffava.checkpoints.manifest import CONFIG, MANIFEST, read_manifest, weights_sha256_of
from diffava.checkpoints.published_files import published_folder
from diffava.config import config_from_dict
from diffava.errors import CheckpointError
from diffava.features.clap import ClapAudioEncoder, ClapTextEncoder
from diffava.features.mel_audio import MelAudioEncoder, MelAudioTower
from diffava.features.tokenizer import load_tokenizer
from diffava.model_parts import clap_text
from diffava.spec import Spec
from diffava.waveform.mel import MelAnalysis

LAION = "laion"
LAION_CHECKPOINT = "laion-clap-htsat-unfused"
LONGEST_S = 10  # what CLAP hears of a sound: its beginning
_WEIGHT_ENDINGS = (".safetensors", ".bin")


@runtime_checkable
class Clap(Protocol):
    """Sounds and texts in one space of unit vectors."""

    sample_rate_hz: int

    def sound(self, samples: Float[Tensor, "S"]) -> Float[Tensor, "D"]:
        """A sound of at most `LONGEST_S`."""

    def text(self, caption: str) -> Float[Tensor, "D"]:
        """A caption."""


@dataclass(frozen=True, eq=False)
class TwoTowers:
    """A CLAP of the two encoders that DiffAVA has for it."""

    texts: ClapTextEncoder
    sounds: ClapAudioEncoder | MelAudioEncoder

    @property
    def sample_rate_hz(self) -> int:
        """What its sounds are at."""
        return self.sounds.sample_rate_hz

    def sound(self, samples: Float[Tensor, "S"]) -> Float[Tensor, "D"]:
        """A unit vector."""
        return self.sounds.encode(samples[None])[0]

    def text(self, caption: str) -> Float[Tensor, "D"]:
        """A unit vector."""
        return self.texts.encode([caption])[0]


def clap_folder(name: str) -> Path:
    """Where the CLAP of that name is: `laion`, a model that ships, a saved model's folder or one of transformers.

    Raises:
        CheckpointError: It is not on this machine.
    """
    if name == LAION:
        return published_folder(LAION_CHECKPOINT)
    folder = embedded_folder(name) or Path(name)
    if not (folder / MANIFEST).is_file() and not (folder / CONFIG).is_file():
        raise CheckpointError(f"There is no CLAP '{name}'; give `mini`, `laion` or a model's folder with --clap.")
    return folder


def clap_sha256(folder: Path) -> str:
    """What tells one CLAP from another: the hash of its weights."""
    if (folder / MANIFEST).is_file():
        return weights_sha256_of(folder)
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in _WEIGHT_ENDINGS):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def open_clap(folder: Path, device: torch.device | str = "cpu") -> TwoTowers:
    """The CLAP in a folder as `clap_folder` finds it.

    Raises:
        CheckpointError: It is damaged, or has no tower for sounds.
    """
    return _of_a_saved_model(folder, device) if (folder / MANIFEST).is_file() else _of_transformers(folder, device)


def _of_a_saved_model(folder: Path, device: torch.device | str) -> TwoTowers:
    config = config_from_dict(read_manifest(folder), str(folder / CONFIG))
    if config.clap.mel_audio is None:
        raise CheckpointError(f"{folder} has no CLAP tower for sounds; give `laion` or another model with --clap.")
    text, spec = clap_text(config), Spec.of(config)
    audio = MelAudioTower(config.clap.mel_audio.channels, config.clap.projection_dim)
    read_part(folder, "clap_text", text)
    read_part(folder, "clap_audio", audio)
    tokenizer = load_tokenizer(folder / "tokenizer", config.clap.text.vocab_size)
    sounds = MelAudioEncoder(audio.to(device), MelAnalysis(spec), spec.sample_rate_hz)
    return TwoTowers(ClapTextEncoder(text.to(device), tokenizer), sounds)


def _of_transformers(folder: Path, device: torch.device | str) -> TwoTowers:
    from transformers import ClapAudioModelWithProjection, ClapTextModelWithProjection

    try:
        text = ClapTextModelWithProjection.from_pretrained(folder, local_files_only=True)
        audio = ClapAudioModelWithProjection.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder} cannot be read as a CLAP of transformers ({error}); pull it again.") from error
    tokenizer = load_tokenizer(folder, text.config.vocab_size)
    return TwoTowers(ClapTextEncoder(text.to(device), tokenizer), ClapAudioEncoder(audio.to(device)))
