"""The features stage: a request and its frames in, `Features` out. Knows the encoders, not what follows them.

What an encoder has said is remembered: texts by their words, pictures by the hash of their bytes. So a second take of
the same shot asks no encoder, and needs no frames.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from diffava.errors import CancelledError, RequestError
from diffava.features.clap import ClapTextEncoder
from diffava.features.memory import Memory
from diffava.features.video import FrameGroup, VideoEncoder, frame_groups, pictures_of
from diffava.features.vocabulary import Vocabulary
from diffava.spec import Features, FoleyRequest, Frames, PictureGuide, Progress, Spec

PICTURES_BYTES = 64 << 20  # of what pictures say: some thousand shots of 8 s
TEXTS_BYTES = 4 << 20


class PictureKey(NamedTuple):
    """All that what the encoders say of pictures hangs on, beside the model."""

    frames_sha256: bytes
    sample_count: int
    frame_count: int
    cut_samples: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class SeenPictures:
    """What the video encoder says of all pictures of a range."""

    tokens: Float[Tensor, "N V"]
    guide: PictureGuide | None

    @property
    def size_bytes(self) -> int:
        """What it takes in memory."""
        guide = () if self.guide is None else (self.guide.onsets, self.guide.energy)
        return sum(tensor.nbytes for tensor in (self.tokens, *guide))


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

    def notes(self, request: FoleyRequest, model: str) -> tuple[str, ...]:
        """What the model of that name does not understand of the prompts, a sentence each."""
        ...

    def is_remembered(self, request: FoleyRequest) -> bool:
        """Whether `encode` would neither pull frames nor ask an encoder."""
        ...

    def remembered(self) -> frozenset[PictureKey]:
        """The pictures of which is still known what they say."""
        ...


class PromptAndPictureEncoder:
    """CLAP for the prompts, a video encoder for the picture. Only tokens and guides are kept, a few numbers a frame.

    A model that was trained on few words brings its `vocabulary`: a prompt outside it is read as the nearest sounds,
    a negative prompt outside it as none.
    """

    def __init__(
        self, spec: Spec, text: ClapTextEncoder, video: VideoEncoder, vocabulary: Vocabulary | None = None
    ) -> None:
        self.spec = spec
        self.text = text
        self.video = video
        self.vocabulary = vocabulary
        self._pictures: Memory[PictureKey, SeenPictures] = Memory(PICTURES_BYTES)
        self._texts: Memory[tuple[str, str], tuple[Tensor, Tensor]] = Memory(TEXTS_BYTES)

    def is_remembered(self, request: FoleyRequest) -> bool:
        """As `FeatureEncoder.is_remembered`."""
        is_seen = not request.frame_count or _key(request, request.frames_sha256) in self._pictures
        return is_seen and (request.prompt, request.negative_prompt) in self._texts

    def remembered(self) -> frozenset[PictureKey]:
        """As `FeatureEncoder.remembered`."""
        return self._pictures.keys()

    def notes(self, request: FoleyRequest, model: str) -> tuple[str, ...]:
        """Which words are unknown, and what is heard in their place."""
        if self.vocabulary is None:
            return ()
        found = self.vocabulary.reading(request.prompt).notes(model)
        negative = self.vocabulary.reading(request.negative_prompt)
        if negative.is_outside:
            found += (f"{model} does not know {', '.join(negative.unknown)}; it cannot keep away from that.",)
        return found

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
        text, negative_text = self._said(request)
        groups = frame_groups(request, self.spec, self.video.group_frames)
        seen = self._pictures.get(_key(request, request.frames_sha256))
        if seen is None:
            seen = self._seen(request, groups, frames, on_progress, is_cancelled)
        elif request.frame_count:
            on_progress(Progress("features", request.frame_count, request.frame_count))
        return Features(
            text=text,
            negative_text=negative_text,
            video=seen.tokens.to(text.device),
            token_start_s=torch.tensor([float(group.start_s) for group in groups]),
            token_stop_s=torch.tensor([float(group.stop_s) for group in groups]),
            shot=tuple(group.shot for group in groups),
            shot_count=len(request.cut_samples) + 1,
            guide=seen.guide,
        )

    def _seen(
        self,
        request: FoleyRequest,
        groups: list[FrameGroup],
        frames: Iterable[Frames],
        on_progress: Callable[[Progress], None],
        is_cancelled: Callable[[], bool],
    ) -> SeenPictures:
        """Read all frames, and remember what they say under the hash of what came, whatever the request calls it."""
        hasher = hashlib.sha256()
        pictures = pictures_of(frames, request, self.spec, hasher)
        # Room for all tokens and curves at once: small tensors kept one by one between large passing ones would
        # fragment the heap, by the bytes of all pictures (`tests/benchmarks/memory_need.py`).
        tokens = torch.zeros(len(groups), self.video.token_dim)
        guide: PictureGuide | None = None
        row = 0
        for _, of_shot in groupby(groups, key=lambda group: group.shot):
            shot = list(of_shot)
            seen = self.video.encode_shot(_pulled(shot, pictures, is_cancelled))
            for group, found in zip(shot, seen, strict=True):
                tokens[row].copy_(found.token)
                if found.guide is not None:
                    guide = guide or _room_for(found.guide, request.frame_count)
                    _write(guide, group, found.guide)
                row += 1
                on_progress(Progress("features", group.stop_frame, request.frame_count))
        for _ in pictures:  # nothing is left; asking finds frames that were not announced
            pass
        whole = SeenPictures(tokens, guide)
        if request.frame_count:
            self._pictures.put(_key(request, hasher.digest()), whole, whole.size_bytes)
        return whole

    def _said(self, request: FoleyRequest) -> tuple[Float[Tensor, "D"], Float[Tensor, "D"]]:
        """The prompt and the negative prompt, one by one: in a padded batch each would hang on the other's length."""
        prompt, negative = request.prompt, request.negative_prompt
        said = self._texts.get((prompt, negative))
        if said is None:
            said = self._embedded(prompt, negative)
            self._texts.put((prompt, negative), said, sum(text.nbytes for text in said))
        return said

    def _embedded(self, prompt: str, negative: str) -> tuple[Float[Tensor, "D"], Float[Tensor, "D"]]:
        if self.vocabulary is None:
            return self.text.encode([prompt])[0], self.text.encode([negative])[0]
        if self.vocabulary.reading(negative).is_outside:
            negative = ""
        return self.vocabulary.embedding(self.vocabulary.reading(prompt)), self.text.encode([negative])[0]


def _key(request: FoleyRequest, frames_sha256: bytes) -> PictureKey:
    return PictureKey(frames_sha256, request.sample_count, request.frame_count, request.cut_samples)


def _pulled(
    groups: list[FrameGroup], pictures: Iterator[UInt8[Tensor, "height width 3"]], is_cancelled: Callable[[], bool]
) -> Iterator[UInt8[Tensor, "F height width 3"]]:
    for group in groups:
        if is_cancelled():
            raise CancelledError("The job was cancelled while its frames were read.")
        yield torch.stack(list(islice(pictures, group.stop_frame - group.first_frame)))


def _room_for(part: PictureGuide, frame_count: int) -> PictureGuide:
    """Curves for so many frames, at as many steps a frame as `part` has."""
    return PictureGuide(*(torch.zeros(frame_count, curve.shape[1]) for curve in (part.onsets, part.energy)))


def _write(guide: PictureGuide, group: FrameGroup, part: PictureGuide) -> None:
    guide.onsets[group.first_frame : group.stop_frame] = part.onsets
    guide.energy[group.first_frame : group.stop_frame] = part.energy
