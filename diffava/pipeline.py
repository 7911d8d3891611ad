"""The data's way on one screen: frames and a prompt become features, a condition, latents, and samples.

The stages meet here and nowhere else; none of them knows another.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext

from torch import nn

from diffava.condition.alignment import Alignment
from diffava.condition.conditioner import Conditioner
from diffava.config import ModelConfig
from diffava.features.encoder import FeatureEncoder
from diffava.latent.diffusion import LatentDiffusion
from diffava.spec import FoleyRequest, Frames, Progress, Spec, Stage, Waveform
from diffava.waveform.synthesis import WaveformSynthesis


class FoleyPipeline:
    """A whole model. `generate` is a pure function of the request, the weights and the machine."""

    def __init__(
        self,
        config: ModelConfig,
        spec: Spec,
        features: FeatureEncoder,
        conditioner: Conditioner,
        diffusion: LatentDiffusion,
        synthesis: WaveformSynthesis,
        parts: Mapping[str, nn.Module],
        weights_sha256: str,
        awake: Callable[[Stage], AbstractContextManager[None]] | None = None,
    ) -> None:
        """Take the stages as `diffava.builders` made them, and the modules in them by the names of their folders.

        With `awake`, the weights of a stage are in memory only inside the context that it returns.
        """
        self.config, self.spec, self.name, self.weights_sha256 = config, spec, config.name, weights_sha256
        self.features, self.conditioner, self.diffusion, self.synthesis = features, conditioner, diffusion, synthesis
        self.parts = parts
        self._awake = awake or (lambda stage: nullcontext())

    def notes(self, request: FoleyRequest) -> tuple[str, ...]:
        """What a person should know about this request before they hear it, a sentence each."""
        notes = self.features.notes(request, self.name)
        alignment = self.parts.get("alignment")
        is_learned = not isinstance(alignment, Alignment) or alignment.is_trained or self.config.has_random_weights
        if request.frame_count and not is_learned:
            notes += (f"{self.name}'s alignment is not trained: what the picture shows bends the sound at random.",)
        return notes

    def generate(
        self,
        request: FoleyRequest,
        frames: Iterable[Frames],
        *,
        on_progress: Callable[[Progress], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Waveform]:
        """Make every take of a request.

        Args:
            request: What to make. One latent, and so one sound, for each of its seeds.
            frames: The pictures of the range in order, pulled as they are needed; nothing for sound from the prompt.
            on_progress: Called with each group of frames, each step and each piece of sound.
            is_cancelled: Asked between two steps and between two pieces.

        Yields:
            Consecutive samples, take by take, without gaps, `request.sample_count` a take.

        Raises:
            RequestError: The request does not suit this model, or its frames do not suit the request.
            CancelledError: `is_cancelled` said so.
        """
        with self._awake("features"):
            features = self.features.encode(request, frames, on_progress, is_cancelled)
        condition = self.conditioner(request, features)
        kept_latent = None
        if request.kept is not None:
            with self._awake("waveform"):
                kept_latent = self.synthesis.encode(request.kept.waveform, is_cancelled)
        with self._awake("latent"):
            latent = self.diffusion.sample(request, condition, kept_latent, on_progress, is_cancelled)
        with self._awake("waveform"):
            yield from self.synthesis.waveforms(latent, request.sample_count, on_progress, is_cancelled)
