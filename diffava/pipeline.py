"""The data's way on one screen: frames and a prompt become features, a condition, latents, and samples.

The stages meet here and nowhere else; none of them knows another.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor, nn

from diffava.condition.alignment import Alignment
from diffava.condition.conditioner import Conditioner
from diffava.config import ModelConfig
from diffava.errors import DiffavaError
from diffava.features.encoder import FeatureEncoder
from diffava.latent.diffusion import LatentDiffusion, LatentJob
from diffava.spec import Cue, Features, FoleyRequest, Frames, Latent, Progress, Spec, Stage, Waveform
from diffava.survivors import Ended, survivors_of, until_ended
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
        self.rests, self._awake = awake is not None, awake or (lambda stage: nullcontext())

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
        """Make every take of one request; the arguments are the fields of `Cue`.

        Yields:
            Consecutive samples, take by take, without gaps, `request.sample_count` a take.

        Raises:
            RequestError: The request does not suit this model, or its frames do not suit the request.
            CancelledError: `is_cancelled` said so.
            MemoryRanOutError: It did not fit, not even window by window.
        """
        for _, made in self.generate_together([Cue(request, frames, on_progress, is_cancelled)]):
            if isinstance(made, Waveform):
                yield made
            elif made.error is not None:
                raise made.error

    def generate_together(self, cues: Sequence[Cue]) -> Iterator[tuple[int, Waveform | Ended]]:
        """Make every take of several requests, whose windows share the denoiser's forwards where they can.

        Yields:
            With a cue's number, to the bit what `generate` would yield for it, and `Ended` with what it would raise.
        """
        lost: dict[int, DiffavaError] = {}
        is_remembered = all(self.features.is_remembered(cue.request) for cue in cues)
        with nullcontext() if is_remembered else self._awake("features"):
            features = survivors_of(range(len(cues)), lambda number: self._features(cues[number]), lost)
        conditions = survivors_of(features, lambda n: self.conditioner(cues[n].request, features[n]), lost)
        with self._awake("waveform") if any(cue.request.kept for cue in cues) else nullcontext():
            kept = survivors_of(conditions, lambda n: self._kept_latent(cues[n]), lost)
        yield from ((number, Ended(error)) for number, error in lost.items())
        if not kept:
            return
        with self._awake("latent"):
            jobs = [LatentJob(cues[number], conditions[number], kept[number]) for number in kept]
            latents = dict(zip(kept, self.diffusion.sample_together(jobs), strict=True))
        with self._awake("waveform"):
            for number, latent in latents.items():
                yield from ((number, made) for made in until_ended(self._waveforms(cues[number], latent)))

    def _features(self, cue: Cue) -> Features:
        return self.features.encode(cue.request, cue.frames, cue.on_progress, cue.is_cancelled)

    def _kept_latent(self, cue: Cue) -> Tensor | None:
        part = cue.request.kept
        return None if part is None else self.synthesis.encode(part.waveform, cue.is_cancelled)

    def _waveforms(self, cue: Cue, latent: Latent | DiffavaError) -> Iterator[Waveform]:
        if isinstance(latent, DiffavaError):
            raise latent
        yield from self.synthesis.waveforms(latent, cue.request.sample_count, cue.on_progress, cue.is_cancelled)
