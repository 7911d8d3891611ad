"""The pictures of a job on their way to the server: exactly as many as it needs, hashed, and remembered by their hash.

Holds one block at a time, or what was decoded ahead. Knows neither timelines nor where takes are kept.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from diffava_resolve.client.protocol import PictureMemory, Rgb
from diffava_resolve.frames.ahead import FramesAhead, close_if_it_can
from diffava_resolve.frames.aside import FramesAside
from diffava_resolve.frames.foreign import frames_of, views_of
from diffava_resolve.frames.identity import identity_of
from diffava_resolve.spec import FoleyJob, FrameFormat, Picture
from diffava_resolve.timeline.receipts import PictureSource


class CountedFrames:
    """Pictures on their way to the server, counted and hashed, so that the receipt can say what was seen.

    Args of note: `at_end` is told when all pictures were given, and may raise to call the job off before the
    costly part of it begins.
    """

    def __init__(
        self, blocks: Iterator[Rgb], frame_format: FrameFormat, at_end: Callable[[PictureSource], None] | None = None
    ) -> None:
        self._blocks = blocks
        self._format = frame_format
        self._at_end = at_end
        self._digest = sha256()
        self._count = 0

    def __iter__(self) -> Iterator[Rgb]:
        return self

    def __next__(self) -> Rgb:
        try:
            block = next(self._blocks)
        except StopIteration:
            if self._at_end is not None:
                self._at_end(self.source)
            raise
        self._digest.update(block.tobytes())
        self._count += len(block)
        return block

    def close(self) -> None:
        """Let the decoder go."""
        close_if_it_can(self._blocks)

    @property
    def source(self) -> PictureSource:
        """What has been given so far."""
        return PictureSource(self._format, self._count, self._digest.hexdigest())


class JobFrames(Iterable[Rgb]):
    """The pictures of one job, exactly as many as it needs, decoded anew each time they are asked for.

    `sha256` is that of all of them, where `memory` knows it: then they need not be decoded where the server knows them
    too. Whatever is decoded to its end is remembered. `at_end` is `CountedFrames`'.

    `begin` decodes ahead of the first who asks; `close` gives up what was decoded so and not asked for. What is to lie
    `aside` comes from the first decoding.
    """

    def __init__(
        self,
        picture: Picture,
        job: FoleyJob,
        frame_format: FrameFormat,
        memory: PictureMemory,
        at_end: Callable[[PictureSource], None] | None = None,
        aside: FramesAside | None = None,
    ) -> None:
        self._picture, self._format, self._memory, self._at_end = picture, frame_format, memory, at_end
        self._aside = aside
        self._count = frame_format.frame_count(job.sample_count)
        self._identity = name_in_memory(picture, frame_format, self._count)
        known = memory.recall(self._identity) if self._identity else None
        self.sha256 = str(known.get("frames_sha256", "")) if known else ""
        self._latest: CountedFrames | None = None
        self._begun: FramesAhead | None = None

    def __iter__(self) -> CountedFrames:
        begun, self._begun = self._begun, None
        blocks = _exactly(begun or self._decoded(), self._count)
        self._latest = CountedFrames(blocks, self._format, self._ended)
        return self._latest

    def begin(self) -> None:
        """Decode from now on, as far as there is room; not where the server may know these pictures."""
        if not self.sha256 and self._begun is None:
            self._begun = FramesAhead(lambda: self._decoded(in_background=True))

    def close(self) -> None:
        """Stop what was begun."""
        if self._begun is not None:
            self._begun.close()
            self._begun = None

    @property
    def source(self) -> PictureSource:
        """What the server has seen: what was given to it last, or what it knew already."""
        given = None if self._latest is None else self._latest.source
        if self.sha256 and (given is None or not given.frame_count):
            return PictureSource(self._format, self._count, self.sha256)
        return given or PictureSource(self._format, 0, sha256().hexdigest())

    def _decoded(self, *, in_background: bool = False) -> Iterator[Rgb]:
        if self._aside is None or self._aside.has_begun:
            return frames_of(self._picture, self._format, in_background=in_background)
        formats = (self._format, self._aside.frame_format)
        return self._aside.sorted_out(views_of(self._picture, formats, in_background=in_background))

    def _ended(self, source: PictureSource) -> None:
        if self._identity and source.frame_count == self._count:
            self._memory.remember(self._identity, {"frames_sha256": source.frames_sha256})
        if self._at_end is not None:
            self._at_end(source)


def name_in_memory(picture: Picture, frame_format: FrameFormat, variant: int) -> str:
    """Under which name a memory knows what was found in a region's pictures; empty where it cannot know them.

    Args of note: `variant` is how many pictures there were, or by which method they were looked at.
    """
    identity = identity_of(picture, frame_format)
    return f"{identity}-{variant}" if identity else ""


def _exactly(blocks: Iterator[Rgb], frame_count: int) -> Iterator[Rgb]:
    """`blocks`, one picture less or its last one twice where needed.

    A clip that was moved at 29.97 may lie one sample longer or shorter than where it was made, and so, seldom, need
    another number of pictures than its place has.
    """
    missing = frame_count
    last: Rgb | None = None
    try:
        for block in blocks:  # to its end in any case: there it is seen whether a source changed
            part = block[:missing]
            missing -= len(part)
            if len(part):
                last = part[-1:]
                yield part
        if missing == 1 and last is not None:
            yield last
    finally:
        close_if_it_can(blocks)
