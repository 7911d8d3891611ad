"""The only place that chooses classes: from a configuration to a pipeline, with random weights or saved ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights

from diffava.checkpoints.embedded import embedded_folder
from diffava.checkpoints.folder import parameter_counts, read_part, weights_sha256, write_folder
from diffava.checkpoints.manifest import CONFIG, read_manifest, weights_sha256_of
from diffava.checkpoints.resting import RestingWeights
from diffava.compute import Compute
from diffava.condition.conditioner import Conditioner
from diffava.config import ModelConfig, config_from_dict, load_config, preset_names
from diffava.cores import Cores
from diffava.errors import CheckpointError, ConfigError
from diffava.features.clap import ClapTextEncoder
from diffava.features.clip_video import ClipVideoEncoder
from diffava.features.encoder import PromptAndPictureEncoder
from diffava.features.motion_video import MotionVideoEncoder
from diffava.features.tokenizer import byte_tokenizer, load_tokenizer
from diffava.features.video import VideoEncoder, XClipVideoEncoder
from diffava.features.vocabulary import Vocabulary
from diffava.latent.compiled import cuda_graphs
from diffava.latent.denoiser import Denoiser, TransformerDenoiser, UNetDenoiser
from diffava.latent.diffusion import LatentDiffusion
from diffava.latent.guided import Forwards
from diffava.model_parts import make_parts, set_moderate_level
from diffava.pipeline import FoleyPipeline
from diffava.published_models import converted_folder
from diffava.sounds.kinds import kinds
from diffava.spec import Spec
from diffava.waveform.autoencoder import MelAutoencoder
from diffava.waveform.parts import MelCodec, MelVocoder
from diffava.waveform.stacked_pca import StackedPcaCodec
from diffava.waveform.synthesis import WaveformSynthesis
from diffava.waveform.vocoder import Vocoder

TOKENIZER = "tokenizer"
# What computes in the precision that is asked for, and may rest between uses: the large parts of each `Stage`.
PARTS_OF_STAGE: dict[str, tuple[str, ...]] = {
    "features": ("clap_text", "video"),
    "latent": ("unet", "control_branch"),
    "waveform": ("vae", "vocoder"),
}
AS_TRAINED = Compute()
WINDOWS_ON_GPU = 4  # of a forward; a short request pays for all of them. Not measured on a GPU
WINDOWS_ON_A_CORE = 2  # one window of `mini` takes 1.15 times as long by itself (`diffava/latent/README.md`)
IN_FLOAT32 = ("clap_text",)  # bfloat16 moves its embedding, and is slower for so few tokens


def build(preset: str | Path | ModelConfig, seed: int = 0, device: torch.device | str = "cpu") -> FoleyPipeline:
    """A model with random weights; the same seed gives the same weights, and torch's own generator is not moved.

    Args:
        preset: A preset's name, the path of a `.toml` file, or what was read from one.
        seed: Where the weights come from. They are drawn on the CPU, so that no device changes them.
        device: Where the model computes.

    Raises:
        ConfigError: The preset is unknown, or its prompts need a tokenizer that only published weights bring.
    """
    config = preset if isinstance(preset, ModelConfig) else load_config(preset)
    if config.needs_published_weights:
        raise ConfigError(
            f"The model '{config.name}' cannot start from random weights: its tokenizer comes with the published ones. "
            "Load a saved folder, or build 'nano' or 'mini'."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = make_parts(config)
        if "vocoder" in parts:
            set_moderate_level(parts["vae"], parts["vocoder"])
    return assemble(config, parts, byte_tokenizer(), device)


def open_model(
    name_or_folder: str | Path, device: torch.device | str = "cpu", compute: Compute = AS_TRAINED
) -> FoleyPipeline:
    """The model that a command names: a preset with the weights that ship for it, or what is in a saved folder.

    A preset of published weights is opened with what `diffava models pull` brought, its alignment untrained.
    Only a preset that is meant to have random weights is given some, in float32; any other without weights is refused.

    Raises:
        ConfigError: There is no such model, no weights of it are here, or it cannot compute as `compute` says.
        CheckpointError: As `load`.
    """
    folder = saved_folder(name_or_folder)
    if folder is not None:
        return load(folder, device, compute)
    config = load_config(str(name_or_folder))
    if compute.precision == "bfloat16" or compute.is_compiled:
        raise ConfigError(
            f"'{config.name}' has random weights, which compute in float32 and step by step; leave out --precision and "
            "--compile, or give the folder of a saved model."
        )
    return build(config, device=device)


def saved_folder(name_or_folder: str | Path) -> Path | None:
    """Where the weights are of the model that a command names; None for one that is meant to have random weights.

    Raises:
        ConfigError: There is no such model, or no weights of it are here.
    """
    name = str(name_or_folder)
    if name not in preset_names() and Path(name_or_folder).is_dir():
        return Path(name_or_folder)
    config = load_config(name)
    folder = embedded_folder(name)
    if folder is not None or config.has_random_weights:
        return folder
    if config.needs_published_weights and config.control is None:
        return converted_folder(config)
    if config.needs_published_weights:
        raise ConfigError(
            f"The control branch of '{name}' is not trained, and nobody publishes one; train it with `diffava train "
            "control`, and give the folder that it makes."
        )
    raise ConfigError(
        f"The model '{name}' has no weights here; train it with `diffava train {name}`, or give the folder of a saved "
        "model. To try the commands alone, 'nano' has random weights."
    )


@dataclass(frozen=True)
class Description:
    """What is known of a saved model without reading its weights: they are verified, and counted by its parts."""

    config: ModelConfig
    weights_sha256: str
    parameter_counts: Mapping[str, int]

    def weights_bytes(self, device: torch.device | str, compute: Compute) -> int:
        """What its weights take in memory at most at a time."""
        config, device = self.config, torch.device(device)
        dtypes = _dtypes(config, compute.dtype(config, device))
        sizes = {
            name: count * dtypes.get(name, torch.float32).itemsize for name, count in self.parameter_counts.items()
        }
        if not compute.rests(config, device):
            return sum(sizes.values())
        of_stages = [sum(sizes.pop(name, 0) for name in names) for names in PARTS_OF_STAGE.values()]
        return max(of_stages) + sum(sizes.values())


def describe(folder: Path) -> Description:
    """Say what is in a folder that `save` wrote, after every file's hash has been checked.

    Raises:
        CheckpointError: A file is missing, changed or does not fit.
        ConfigError: The configuration is of another version of this software.
    """
    config = config_from_dict(read_manifest(folder), f"{folder / CONFIG}")
    return Description(config, weights_sha256_of(folder), parameter_counts(folder))


def save(
    pipeline: FoleyPipeline,
    folder: Path,
    dtype: torch.dtype = torch.float32,
    documents: Mapping[str, str] | None = None,
) -> None:
    """Write a pipeline's configuration, weights and tokenizer; the folder appears complete or not at all.

    Args:
        pipeline: What is saved.
        folder: Where to; must not exist or be empty.
        dtype: What parameters are rounded to on the disk; they are float32 again when loaded.
        documents: Texts that belong to the model (a card, credits), by the names of their files.

    Raises:
        CheckpointError: Something is there already, a weight is too large for `dtype`, the disk refuses, or the
            pipeline was opened for sound alone and no longer has its weights as they were.
    """
    features = pipeline.features
    weights = [weight for part in pipeline.parts.values() for weight in part.parameters()]
    if any(weight.is_meta or weight.dtype != torch.float32 for weight in weights):
        raise CheckpointError(f"'{pipeline.name}' was opened to make sound alone; open it in float32 to save it.")
    if not isinstance(features, PromptAndPictureEncoder):
        raise CheckpointError(f"A pipeline with the encoder {type(features).__name__} cannot be saved as a folder.")

    def write_extras(unfinished: Path) -> None:
        features.text.tokenizer.save_pretrained(unfinished / TOKENIZER)
        for name, text in (documents or {}).items():
            (unfinished / name).write_text(text, "utf-8")

    write_folder(Path(folder), pipeline.config.model_dump(mode="json"), pipeline.parts, write_extras, dtype)


def load(folder: Path, device: torch.device | str = "cpu", compute: Compute = AS_TRAINED) -> FoleyPipeline:
    """Read what `save` wrote, after every file's hash has been checked, and compute on `device`.

    Raises:
        CheckpointError: A file is missing, changed or does not fit.
        ConfigError: The configuration is of another version of this software, or cannot compute as `compute` says.
    """
    folder, device = Path(folder), torch.device(device)
    config = config_from_dict(read_manifest(folder), f"{folder / CONFIG}")
    compute.check_compilable(config, device)
    dtypes = _dtypes(config, compute.dtype(config, device))
    # Empty, since drawing random weights first would take longer than reading; some buffers are drawn all the same.
    with torch.random.fork_rng(devices=[]), init_empty_weights(include_buffers=False):
        parts = make_parts(config)
    resting = RestingWeights(folder, parts, PARTS_OF_STAGE, dtypes) if compute.rests(config, device) else None
    for name, part in parts.items():
        if resting is None or name not in resting:
            read_part(folder, name, part, dtypes.get(name, torch.float32))
    tokenizer = load_tokenizer(folder / TOKENIZER, config.clap.text.vocab_size)
    # Of weights as the file has them: rounded for the machine they are no other weights.
    sha256 = weights_sha256_of(folder) if resting is not None or dtypes else ""
    return assemble(config, parts, tokenizer, device, sha256, resting, compute.is_compiled)


def described_by(pipeline: FoleyPipeline) -> Description:
    """The same of a pipeline whose weights are all in memory."""
    counts = {
        name: sum(tensor.numel() for tensor in part.state_dict().values()) for name, part in pipeline.parts.items()
    }
    return Description(pipeline.config, pipeline.weights_sha256, counts)


def assemble(
    config: ModelConfig,
    parts: dict[str, Any],
    tokenizer: Any,
    device: torch.device | str = "cpu",
    sha256: str = "",
    resting: RestingWeights | None = None,
    is_compiled: bool = False,
) -> FoleyPipeline:
    """A pipeline of parts as `make_parts` names them, wherever their weights come from; it freezes them.

    Args:
        config: What they were made from.
        parts: By the names of their folders.
        tokenizer: Of the text tower.
        device: Where they compute.
        sha256: The hash of the weights, where it is known; else it is computed.
        resting: What wakes those parts whose weights are not in memory all the time.
        is_compiled: Whether the denoiser's steps become CUDA graphs.
    """
    sha256 = sha256 or weights_sha256(parts)
    for name, part in parts.items():
        part.eval().requires_grad_(False)
        if resting is None or name not in resting:
            part.to(device)
    spec, text = Spec.of(config), ClapTextEncoder(parts["clap_text"], tokenizer)
    vocabulary = Vocabulary(kinds(), text) if config.clap.tokenizer == "captions" else None
    return FoleyPipeline(
        config=config,
        spec=spec,
        features=PromptAndPictureEncoder(spec, text, _video(config, parts), vocabulary),
        conditioner=Conditioner(config.name, spec, parts["alignment"], parts.get("control_sequence")),
        diffusion=LatentDiffusion(
            _denoiser(parts, is_compiled), spec, config.flow or config.scheduler, _forwards(parts, device)
        ),
        synthesis=WaveformSynthesis(_codec(parts, spec), _vocoder(parts), spec),
        parts=parts,
        weights_sha256=sha256,
        awake=None if resting is None else resting.awake,
    )


def _dtypes(config: ModelConfig, dtype: torch.dtype) -> dict[str, torch.dtype]:
    """The parts that do not compute in float32, and in what."""
    if dtype == torch.float32:
        return {}
    skipped = IN_FLOAT32 if config.motion is None else (*IN_FLOAT32, "video")
    return {name: dtype for names in PARTS_OF_STAGE.values() for name in names if name not in skipped}


def _video(config: ModelConfig, parts: dict[str, Any]) -> VideoEncoder:
    if config.clip_video is not None:
        return ClipVideoEncoder(parts["video"], math.ceil(config.spec.frame_rate))
    if config.motion is None:
        return XClipVideoEncoder(parts["video"])
    return MotionVideoEncoder(parts["video"], config.motion.token_frames)


def _denoiser(parts: dict[str, Any], is_compiled: bool) -> Denoiser:
    if "unet" in parts:
        return UNetDenoiser(parts["unet"], parts.get("control_branch"), cuda_graphs if is_compiled else None)
    return TransformerDenoiser(parts["transformer"], parts.get("control_branch"))


def _forwards(parts: dict[str, Any], device: torch.device | str) -> Forwards:
    """A U-Net keeps all cores of a CPU busy with one window; a small transformer does not, and a GPU even less."""
    if torch.device(device).type != "cpu":
        return Forwards(WINDOWS_ON_GPU)
    return Forwards(1) if "unet" in parts else Forwards(WINDOWS_ON_A_CORE, Cores())


def _codec(parts: dict[str, Any], spec: Spec) -> MelCodec:
    return MelAutoencoder(parts["vae"], spec) if "vae" in parts else StackedPcaCodec(parts["stacked_pca"], spec)


def _vocoder(parts: dict[str, Any]) -> MelVocoder:
    return Vocoder(parts["vocoder"]) if "vocoder" in parts else parts["istft_vocoder"]
