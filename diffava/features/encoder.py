"""The features stage: a request and its frames in, `Features` out. Knows the encoders, not what follows them."""

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import torch

from diffava.errors import CancelledError, RequestError
from diffava.features.clap import ClapTextEncoder
from diffava.features.video import XClipVideoEncoder, groups_of
from diffava.spec import Features, FoleyRequest, Frames, Progress, Spec


@runtime_checkable  # so that tests can check arguments against it
class FeatureEncoder(Protocol):
    """What the pipeline needs of this stage."""

    def encode(
        self,
        request: FoleyRequest,
        frames: Iterable[Frames],
        on_progress: Callable[[Progress], None],
        is_cancelled: Callable[[], bool],
    ) -> Features:
        """Read the frames as they come and say what they and the prompts mean."""
        ...


class ClapXClipEncoder:
    """CLAP for the prompts, X-CLIP for the picture. Only tokens are kept, so memory hardly grows with the range."""

    def __init__(self, spec: Spec, text: ClapTextEncoder, video: XClipVideoEncoder) -> None:
        self.spec = spec
        self.text = text
        self.video = video

    def encode(
        self,
        request: FoleyRequest,
        frames: Iterable[Frames],
        on_progress: Callable[[Progress], None],
        is_cancelled: Callable[[], bool],
    ) -> Features:
        """Encode the prompts and every group of frames; without frames, the prompts alone.

        Raises:
            RequestError: The frames are not those that the request announces, or a prompt is too long.
            CancelledError: `is_cancelled` said so, asked before each group.
        """
        expected = self.spec.video_frames(request.sample_count)
        if request.frame_count not in (0, expected):
            raise RequestError(
                f"The request announces {request.frame_count} frames, its range has {expected} at "
                f"{self.spec.frame_rate} a second; send {expected}, or none for sound from the prompt alone."
            )
        # One by one: a batch would be padded, and the prompt's last bits would hang on the negative prompt's length.
        text, negative_text = (self.text.encode([prompt])[0] for prompt in (request.prompt, request.negative_prompt))
        tokens, starts_s, stops_s, shots = [], [], [], []
        completed = 0
        for group in groups_of(frames, request, self.spec, self.video.group_frames):
            if is_cancelled():
                raise CancelledError("The job was cancelled while its frames were read.")
            tokens.append(self.video.encode(group.rgb))
            starts_s.append(float(group.start_s))
            stops_s.append(float(group.stop_s))
            shots.append(group.shot)
            completed += len(group.rgb)
            on_progress(Progress("features", completed, request.frame_count))
        return Features(
            text=text,
            negative_text=negative_text,
            video=torch.stack(tokens) if tokens else torch.zeros(0, self.video.model.config.hidden_size),
            token_start_s=torch.tensor(starts_s),
            token_stop_s=torch.tensor(stops_s),
            shot=tuple(shots),
            shot_count=len(request.cut_samples) + 1,
        )
