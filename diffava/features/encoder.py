"""The features stage: a request and its frames in, `Features` out. Knows the encoders, not what follows them."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol, runtime_checkable

import torch

from diffava.errors import CancelledError, RequestError
from diffava.features.clap import ClapTextEncoder
from diffava.features.video import XClipVideoEncoder, frame_groups, pictures_of
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
        groups = frame_groups(request, self.spec, self.video.group_frames)
        pictures = pictures_of(frames, request, self.spec)
        # Room for all tokens at once: small tensors kept one by one between large passing ones would fragment the heap.
        tokens = torch.zeros(len(groups), self.video.token_dim)
        for token, group in zip(tokens, groups, strict=True):
            if is_cancelled():
                raise CancelledError("The job was cancelled while its frames were read.")
            token.copy_(self.video.encode(torch.stack(list(islice(pictures, group.stop_frame - group.first_frame)))))
            on_progress(Progress("features", group.stop_frame, request.frame_count))
        for _ in pictures:  # nothing is left; asking finds frames that were not announced
            pass
        return Features(
            text=text,
            negative_text=negative_text,
            video=tokens.to(text.device),
            token_start_s=torch.tensor([float(group.start_s) for group in groups]),
            token_stop_s=torch.tensor([float(group.stop_s) for group in groups]),
            shot=tuple(group.shot for group in groups),
            shot_count=len(request.cut_samples) + 1,
        )
