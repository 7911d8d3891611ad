"""What the played editors ask for: a mix of lengths, takes, pictures and cancellations. Knows no network.

A client's requests follow from the seed and its number alone, so that two runs of one plan ask for the same.
"""

import functools
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

from diffava_proto.v1 import foley_pb2 as pb

CHUNK_BYTES = 1 << 20  # as the plugin sends its pictures
CANCEL_MOMENTS = ("header", "started", "progress", "audio")


@dataclass(frozen=True)
class LoadPlan:
    """How many clients ask for what, for how long.

    `requests_per_client` ends a client sooner than `duration_s`; what was begun by then is tried
    again for `last_try_s` more. A share is from 0 to 1; `pause_s` is the mean
    time in which an editor listens before the next request. Clients with pictures share
    `film_count` films, so that a server that remembers pictures meets some again.
    """

    client_count: int = 8
    duration_s: float = 60.0
    last_try_s: float = 60.0
    ramp_s: float = 0.0
    lengths_s: tuple[float, ...] = (1.0, 4.0, 8.0)
    take_counts: tuple[int, ...] = (1, 1, 2)
    pictures_share: float = 0.5
    cancel_share: float = 0.0
    pause_s: float = 0.0
    film_count: int = 4
    model: str = ""
    step_count: int = 0
    seed: int = 0
    requests_per_client: int | None = None
    attempt_count: int = 1_000_000
    hung_after_s: float = 300.0


@dataclass(frozen=True)
class Ask:
    """One request: its header, and which film it shows (None: none).

    Its client loses interest when the first event of the kind `cancel_at` comes ("": never), and does nothing for
    `pause_s` afterwards.
    """

    header: pb.GenerateHeader
    film: int | None
    frame_bytes: int
    cancel_at: str = ""
    pause_s: float = 0.0

    def frames(self) -> Iterator[pb.GenerateRequest]:
        """The pictures, in messages of about 1 MiB."""
        if self.film is None:
            return
        chunk_frames = max(1, CHUNK_BYTES // self.frame_bytes)
        for first in range(0, self.header.frame_count, chunk_frames):
            count = min(chunk_frames, self.header.frame_count - first)
            rgb24 = b"".join(_picture(self.film, number, self.frame_bytes) for number in range(first, first + count))
            yield pb.GenerateRequest(frames=pb.FrameChunk(first_frame=first, frame_count=count, rgb24=rgb24))


def asks_of(plan: LoadPlan, client_number: int, model: pb.ModelInfo) -> Iterator[Ask]:
    """What one client asks for, one after the other, without end."""
    chance = random.Random(f"{plan.seed}/{client_number}")
    leisure = random.Random(f"{plan.seed}/{client_number}/pause")
    frame_bytes = model.frame_width_pixels * model.frame_height_pixels * 3
    while True:
        sample_count = max(1, round(chance.choice(plan.lengths_s) * model.sample_rate_hz))
        film = chance.randrange(plan.film_count) if chance.random() < plan.pictures_share else None
        frame_count = 0 if film is None else _frame_count(model, sample_count)
        header = pb.GenerateHeader(
            client_id=f"load-{client_number}",
            model=model.name,
            prompt=chance.choice(("footsteps on gravel", "a door slams", "rain on a tin roof", "a dog barks")),
            seeds=[chance.getrandbits(32) for _ in range(chance.choice(plan.take_counts))],
            sample_count=sample_count,
            sample_rate_hz=model.sample_rate_hz,
            frame_count=frame_count,
            step_count=plan.step_count,
            frames_sha256=b"" if film is None else _sha256(film, frame_count, frame_bytes),
        )
        cancel_at = chance.choice(CANCEL_MOMENTS) if chance.random() < plan.cancel_share else ""
        pause_s = plan.pause_s * leisure.expovariate(1)
        yield Ask(header, film, frame_bytes, cancel_at, pause_s)


def _frame_count(model: pb.ModelInfo, sample_count: int) -> int:
    rate = model.frame_rate
    return -(-sample_count * rate.numerator // (model.sample_rate_hz * rate.denominator))


def _picture(film: int, number: int, frame_bytes: int) -> bytes:
    """Grey that drifts, with a white picture now and then: something happens in every film, at its own pace."""
    level = 255 if number % (5 + film) == 4 else (60 + 17 * film + 3 * number) % 180
    return bytes([level]) * frame_bytes


@functools.lru_cache(maxsize=256)
def _sha256(film: int, frame_count: int, frame_bytes: int) -> bytes:
    whole = hashlib.sha256()
    for number in range(frame_count):
        whole.update(_picture(film, number, frame_bytes))
    return whole.digest()
