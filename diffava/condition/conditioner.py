"""The condition stage: a request and its features in, `Condition` out. Knows no encoder and no denoiser.

DiffAVA's alignment says what each shot sounds like; T2AV's sequence, where a model has it, says what happens when.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from diffava.condition.alignment import Alignment, clips_of, tokens_by_shot
from diffava.condition.control_sequence import ControlSequence
from diffava.condition.hits import pick_hits
from diffava.condition.timing_guide import TimingGuide, energy_curve, onset_curve
from diffava.errors import RequestError
from diffava.spec import Condition, Features, FoleyRequest, Spec


class Conditioner:
    """Alignment for meaning, control for time."""

    def __init__(self, name: str, spec: Spec, alignment: Alignment, sequence: ControlSequence | None) -> None:
        """Take the modules of the model called `name`; without a `sequence` it has no timing guide."""
        self._name, self._spec = name, spec
        self.alignment, self.sequence = alignment, sequence

    @torch.inference_mode()
    def __call__(self, request: FoleyRequest, features: Features) -> Condition:
        """The condition of every shot, and the control of every latent frame if anything tells the time.

        Raises:
            RequestError: Hits or a performance were given to a model that has no timing guide.
        """
        condition: Condition = self.alignment(features)
        if self.sequence is None:
            if request.hit_samples or request.performance is not None:
                raise RequestError(
                    f"The model '{self._name}' has no timing guide; leave out the hits and the performance, "
                    "or choose a model that has one."
                )
            return condition
        guide = self._guide(request, features)
        if guide is None or request.guide_strength == 0:
            return condition
        control = self._control(self.sequence, request, features, guide)
        return Condition(condition.shots, condition.unconditional, control, request.guide_strength)

    def _guide(self, request: FoleyRequest, features: Features) -> TimingGuide | None:
        """The wish that is most exact: a performance, else hits, else the picture, else none.

        Hits come without the picture's energy, which would speak of other moments. A picture whose encoder tells no
        time (X-CLIP) gives a guide in which all is unknown: then the fused sequence alone says what is seen when, a
        token a second, as in T2AV.
        """
        spec = self._spec
        frames, steps, hop = spec.latent_frames(request.sample_count), spec.vae_factor, spec.output_hop_samples
        hits = onset_curve(request.hit_samples, hop, frames, steps) if request.hit_samples else None
        if request.performance is not None:
            return TimingGuide(energy_curve(request.performance, hop, frames, steps), hits)
        if hits is not None:
            return TimingGuide(None, hits)
        if request.guide == "picture" and features.guide is not None:
            found = pick_hits(features.guide.onsets, float(spec.frame_rate))
            onsets = onset_curve([time_s * spec.output_rate_hz for time_s in found], hop, frames, steps)
            return TimingGuide(_padded(features.guide.energy, frames), onsets)
        if request.guide == "picture" and len(features.video):
            return TimingGuide(None, None)
        return None

    def _control(
        self, sequence: ControlSequence, request: FoleyRequest, features: Features, guide: TimingGuide
    ) -> Float[Tensor, "L G"]:
        """One row a latent frame, shot by shot: neither tokens nor the guide are smoothed across a cut."""
        spec, device = self._spec, features.text.device
        frames = spec.latent_frames(request.sample_count)
        channels = guide.channels(frames, spec.vae_factor).to(device)
        tokens = dict(tokens_by_shot(features))
        first_token = 0
        rows = []
        edges = [0, *(min(frames, spec.latent_frame_of(cut)) for cut in request.cut_samples), frames]
        for shot, (start, stop) in enumerate(pairwise(edges)):
            of_shot = tokens.get(shot)
            fused = self._fused(sequence, features.text, of_shot)
            if start < stop:
                centres_s = (torch.arange(start, stop) + 0.5) / float(spec.latent_rate_hz)
                token_count = 1 if of_shot is None else len(of_shot)
                stops_s = features.token_stop_s[first_token : first_token + token_count - 1]
                place = torch.bucketize(centres_s, stops_s.cpu(), right=True).clamp(max=token_count - 1)
                curve = sequence.curve(channels[None, start:stop])[0]
                rows.append(torch.cat([fused[place.to(device)], curve], dim=-1))
            first_token += 0 if of_shot is None else len(of_shot)
        return torch.cat(rows)

    def _fused(
        self, sequence: ControlSequence, text: Float[Tensor, "D"], tokens: Float[Tensor, "T V"] | None
    ) -> Float[Tensor, "T D"]:
        if tokens is None:
            return sequence.fused(None, text[None])[0]
        seen = [
            self.alignment.temporal_transformer(clip[None]) for clip in clips_of(tokens, self.alignment.clip_tokens)
        ]
        return torch.cat([sequence.fused(clip, text[None])[0] for clip in seen])


def _padded(curve: Float[Tensor, "F K"], frames: int) -> Float[Tensor, "L K"]:
    """The picture's frames are the latent's; at most the last is missing, where both were rounded up."""
    missing = frames - len(curve)
    return torch.cat([curve, curve[-1:].expand(missing, -1)]) if missing > 0 else curve[:frames]
