"""A whole training from a folder of recordings to a model, a stage after another; each goes on where it was stopped.

The order is the data's way backwards: what others are trained against comes first and is frozen. Latent space, vocoder
and CLAP need only sounds; the picture encoder needs CLAP, the alignment both, and the generator all of them.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from diffava.builders import assemble
from diffava.config import ModelConfig, MotionSection
from diffava.errors import ConfigError
from diffava.features.clap import ClapTextEncoder
from diffava.features.mel_audio import MelAudioEncoder
from diffava.features.motion_video import MotionVideoEncoder
from diffava.features.tokenizer import byte_tokenizer, caption_tokenizer
from diffava.model_parts import make_parts
from diffava.pipeline import FoleyPipeline
from diffava.sounds.captions import caption_texts
from diffava.sounds.recordings import Split
from diffava.sounds.takes import RATE_HZ, TakeLibrary
from diffava.spec import Spec
from diffava.training.alignment import AlignmentTask, BankAlignmentData, Objective
from diffava.training.banks import ClipSource, audio_bank, picture_bank, sound_bank, text_bank
from diffava.training.clap import ClapTask, ClapTowers
from diffava.training.clap_data import MelBank
from diffava.training.clip_bank import ClipBank, build_bank
from diffava.training.generator import GeneratorModel, GeneratorTask
from diffava.training.latent_space import composed_mel, fit_latent_space
from diffava.training.loop import TrainingTask, load_weights, train
from diffava.training.motion import MotionModel, MotionTask
from diffava.training.motion_data import scene_of
from diffava.training.recipe import Recipe, Steps
from diffava.training.run_folder import WEIGHTS
from diffava.training.vocoder import VocoderTask
from diffava.waveform.mel import MelAnalysis

SCENE_S = 3  # of the picture encoder's scenes
TRIAL_S = 5
# Seeds of one purpose lie apart from those of every other; a benchmark's begin at 10**9.
CLAP_SEED, CLAP_HELD_SEED, SCENE_SEED, VALID_SEED, UNSEEN_SEED = 0, 10**6, 10**5, 2 * 10**6, 3 * 10**6
HEARD_SEED, HELD_SEED = 10 * 10**6, 50 * 10**6


class Course:
    """One training in one folder; `model` runs what is not done yet and returns the pipeline."""

    def __init__(
        self,
        config: ModelConfig,
        recipe: Recipe,
        library: TakeLibrary,
        folder: Path,
        say: Callable[[str], None] = print,
        device: str = "auto",
    ) -> None:
        """Take a configuration with the classes that can be trained here.

        Raises:
            ConfigError: The model has other classes, whose training this is not.
        """
        if None in (config.motion, config.control, config.stacked_pca, config.istft_vocoder, config.clap.mel_audio):
            raise ConfigError(
                f"The model '{config.name}' has parts that are not trained from recordings; train 'mini', or give a "
                "configuration with all of [motion], [control], [stacked_pca], [istft_vocoder] and clap.mel_audio."
            )
        self._config, self._recipe, self._library, self._folder, self._say = config, recipe, library, folder, say
        self._spec, self._device = Spec.of(config), device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self._parts = make_parts(config)
        sizes = config.clap.text.vocab_size
        captions = config.clap.tokenizer == "captions"
        self._tokenizer = caption_tokenizer(caption_texts(), sizes) if captions else byte_tokenizer()
        self.hours: dict[str, float] = {}

    def model(self) -> FoleyPipeline:
        """Run every stage in its order."""
        for stage in (
            self.latent_space,
            self.clap,
            self.motion,
            self.vocoder,
            self.banks,
            self.alignment,
            self.sound,
            self.foley,
        ):
            started = time.monotonic()
            stage()
            self.hours[stage.__name__] = (time.monotonic() - started) / 3600
        return assemble(self._config, self._parts, self._tokenizer)

    def latent_space(self) -> None:
        """Fit the stacked PCA; no training."""
        pca, file = self._parts["stacked_pca"], self._folder / "latent_space" / WEIGHTS
        if not file.exists():
            seconds = self._recipe.clip_s
            mel = composed_mel(self._library, "generator", self._spec, seconds, range(self._recipe.latent_clips))
            fitted = fit_latent_space(mel, pca.frames, len(pca.scale))
            self._say(f"latent space: {fitted.explained_variance:.4f} of the variance kept")
            file.parent.mkdir(parents=True, exist_ok=True)
            save_file(fitted.pca.state_dict(), file)
        pca.load_state_dict(load_file(file))

    def clap(self) -> None:
        """Both CLAP towers, contrastively; frozen afterwards."""
        towers = ClapTowers(self._parts["clap_text"], self._parts["clap_audio"], self._config.clap.projection_dim)
        folder = self._folder / "clap"
        folder.mkdir(parents=True, exist_ok=True)
        mel = MelAnalysis(self._spec)
        bank, held_out = (
            MelBank(folder / f"{split}.npy", self._library, split, count, mel, first_seed=seed)
            for split, count, seed in (
                (_GENERATOR, self._recipe.clap_clips, CLAP_SEED),
                (_HELD_OUT, self._recipe.held_out_clips, CLAP_HELD_SEED),
            )
        )
        task = ClapTask(towers, self._tokenizer, bank, held_out, self._recipe.clap.batch_size)
        self._train("clap", task, self._recipe.clap)

    def motion(self) -> None:
        """The picture encoder, against CLAP's embeddings and the scores' own times; frozen afterwards."""
        section: MotionSection = self._config.motion  # type: ignore[assignment]  # checked at the start
        scenes = self._scenes("scenes", _GENERATOR, self._recipe.scenes, SCENE_SEED, SCENE_S)
        trials = {
            "valid": self._scenes("valid", _GENERATOR, self._recipe.trial_scenes, VALID_SEED, TRIAL_S),
            "unseen": self._scenes("unseen", _HELD_OUT, self._recipe.trial_scenes, UNSEEN_SEED, TRIAL_S, unseen=True),
        }
        model = MotionModel(self._parts["video"])
        task = MotionTask(
            model,
            (scenes,),
            trials,
            self._text,
            self._audio,
            section.token_frames,
            self._recipe.motion.batch_size,
            float(self._spec.frame_rate),
        )
        self._train("motion", task, self._recipe.motion)

    def vocoder(self) -> None:
        """The vocoder, on the real sounds of mels."""
        vocoder, pca = self._parts["istft_vocoder"], self._parts["stacked_pca"]
        task = VocoderTask(vocoder, pca, self._library, self._spec, self._recipe.vocoder_excerpts)
        self._train("vocoder", task, self._recipe.vocoder)

    def banks(self) -> None:
        """What the frozen parts say of the generator's clips."""
        for name, source in self._sources().items():
            sound_bank(self._bank("sound", name), source, self._spec, self._parts["stacked_pca"])
            text_bank(self._bank("text", name), source, self._text)
            if name != "heard":
                audio_bank(self._bank("audio", name), source, self._audio)
                picture_bank(self._bank("picture", name), source, self._spec, self._video, unseen=name == "held")

    def alignment(self) -> None:
        """DiffAVA's own part, by eq. 2; frozen afterwards."""
        data = BankAlignmentData(self._read("seen"), self._read("held"), self._recipe.alignment.batch_size)
        task = AlignmentTask(self._parts["alignment"], data, Objective(mean_over_time=True))
        self._train("alignment", task, self._recipe.alignment)
        self._parts["alignment"].eval().requires_grad_(False)

    def sound(self) -> None:
        """Denoiser and control branch together, from prompts, true energy and true onsets."""
        self._train("sound", self._generator_task(self._recipe.sound), self._recipe.sound)

    def foley(self) -> None:
        """The same two further, with pictures: aligned conditions, fused sequences, the picture's own timing."""
        steps = self._recipe.foley
        task = self._generator_task(steps, seen=self._read("seen"), alignment=self._parts["alignment"])
        self._train("foley", task, steps)

    def _generator_task(self, steps: Steps, **seen: Any) -> GeneratorTask:
        parts = self._parts
        model = GeneratorModel(parts["transformer"], parts["control_branch"], parts["control_sequence"])
        empty = self._text.encode([""])[0]
        return GeneratorTask(model, self._read("heard"), self._read("held"), empty, steps.batch_size, **seen)

    def _train(self, name: str, task: TrainingTask, steps: Steps) -> None:
        """Run the loop, which ends at once where the last step was already done."""
        file = train(task, self._folder / name, steps.plan(), self._say, device=self._device)
        load_weights(task.module, file)
        task.module.eval()

    def _scenes(
        self, name: str, split: Split, count: int, first_seed: int, seconds: int, *, unseen: bool = False
    ) -> ClipBank:
        spec = self._spec

        def entry(number: int) -> Any:
            return scene_of(
                self._library,
                split,
                first_seed + number,
                seconds=seconds,
                frame_rate=spec.frame_rate,
                size_pixels=spec.frame_size_pixels,
                steps=spec.vae_factor,
                unseen=unseen,
            )

        info = {"split": split, "first_seed": first_seed, "seconds": seconds, "unseen": unseen}
        return build_bank(self._folder / "scenes" / name, count, entry, info, self._say)

    def _sources(self) -> dict[str, ClipSource]:
        counts = {
            "heard": self._recipe.heard_clips,
            "seen": self._recipe.seen_clips,
            "held": self._recipe.held_out_clips,
        }
        seeds = {"heard": HEARD_SEED, "seen": HEARD_SEED, "held": HELD_SEED}  # the first of the heard are drawn too
        return {
            name: ClipSource(
                self._library,
                _HELD_OUT if name == "held" else _GENERATOR,
                seeds[name],
                count,
                self._recipe.clip_s,
            )
            for name, count in counts.items()
        }

    def _bank(self, what: str, name: str) -> Path:
        return self._folder / "banks" / f"{what}-{name}"

    def _read(self, name: str) -> ClipBank:
        kinds = ("sound", "text") if name == "heard" else ("sound", "text", "audio", "picture")
        return ClipBank(*(self._bank(kind, name) for kind in kinds))

    @property
    def _text(self) -> ClapTextEncoder:
        return ClapTextEncoder(self._parts["clap_text"], self._tokenizer)

    @property
    def _audio(self) -> MelAudioEncoder:
        return MelAudioEncoder(self._parts["clap_audio"], MelAnalysis(self._spec), RATE_HZ)

    @property
    def _video(self) -> MotionVideoEncoder:
        section: MotionSection = self._config.motion  # type: ignore[assignment]  # checked at the start
        return MotionVideoEncoder(self._parts["video"], section.token_frames)


_GENERATOR: Split = "generator"
_HELD_OUT: Split = "held_out"
