"""The data's way on one screen: frames and a prompt become features, a condition, latents, and samples.

The stages meet here and nowhere else; none of them knows another.
"""

from collections.abc import Callable, Iterable, Iterator

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import SpeechT5HifiGan

from diffava.condition.alignment import Alignment
from diffava.config import ModelConfig
from diffava.features.encoder import FeatureEncoder
from diffava.latent.diffusion import LatentDiffusion
from diffava.spec import FoleyRequest, Frames, Progress, Spec, Waveform
from diffava.waveform.synthesis import WaveformSynthesis


class FoleyPipeline:
    """A whole model. `generate` is a pure function of the request, the weights and the machine."""

    def __init__(
        self,
        config: ModelConfig,
        spec: Spec,
        features: FeatureEncoder,
        alignment: Alignment,
        denoiser: UNet2DConditionModel,
        vae: AutoencoderKL,
        vocoder: SpeechT5HifiGan,
        weights_sha256: str,
    ) -> None:
        """Take the parts as `diffava.builders` made them."""
        self.config, self.spec, self.name, self.weights_sha256 = config, spec, config.name, weights_sha256
        self.features, self.alignment = features, alignment
        self.denoiser, self.vae, self.vocoder = denoiser, vae, vocoder
        self._diffusion = LatentDiffusion(denoiser, spec, config.scheduler)
        self._synthesis = WaveformSynthesis(vae, vocoder, spec)

    def notes(self, request: FoleyRequest) -> tuple[str, ...]:
        """What a person should know about this request before they hear it, a sentence each."""
        return ()

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
        features = self.features.encode(request, frames, on_progress, is_cancelled)
        condition = self.alignment(features)
        kept = request.kept
        kept_latent = None if kept is None else self._synthesis.encode(kept.waveform, is_cancelled)
        latent = self._diffusion.sample(request, condition, kept_latent, on_progress, is_cancelled)
        yield from self._synthesis.waveforms(latent, request.sample_count, on_progress, is_cancelled)
