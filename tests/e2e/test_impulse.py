"""A flash in the picture is heard, within one sample, where it is seen: through the whole way, at every rate.

The media are black but for one white frame. The server's engine is the shipped fake at one picture a timeline frame,
which clicks where the picture turns white; everything else is what an editor uses. The output is read with
OpenTimelineIO and soundfile alone, and the expected frame of each situation is counted by hand.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import opentimelineio as otio
import pytest
import soundfile

from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.session import FoleySettings, Wanted, generate_foley
from diffava_resolve.timeline.read import read_timeline
from diffava_resolve.timeline.regions import region_of_range
from support.clips import write_flash_clip
from support.server import server_process

MEDIA_FRAMES = 40
FLASH_FRAME = 20  # of the media
SIZE = {"width": 96, "height": 54}  # of the fake engine's shape, so that a flash fills its pictures
RANGE_START, RANGE_STOP = 3, 28  # of the timeline: the range does not begin where the timeline does

TimeRange, RationalTime = otio.opentime.TimeRange, otio.opentime.RationalTime
RATES = {
    "23.976": (Fraction(24000, 1001), False),
    "24": (Fraction(24), False),
    "25": (Fraction(25), False),
    "29.97 DF": (Fraction(30000, 1001), True),
    "29.97 NDF": (Fraction(30000, 1001), False),
    "30": (Fraction(30), False),
    "50": (Fraction(50), False),
    "59.94": (Fraction(60000, 1001), False),
    "60": (Fraction(60), False),
}


@dataclass(frozen=True)
class Workshop:
    """A rate, its server, and the media at that rate."""

    folder: object
    client: GrpcClient
    rate: Fraction
    drop_frame: bool

    @property
    def label_frame(self) -> int:
        """01:00:00:00, or 01:00:00;00 with the 108 labels that an hour drops."""
        return 3600 * round(self.rate) - (108 if self.drop_frame else 0)

    def time(self, frames: float) -> RationalTime:
        return RationalTime(frames, float(self.rate))

    def clip(self, name: str, first_frame: int, frame_count: int, *, media_label_frame: int = 0, effects=()):
        """A clip that starts `first_frame` into the media `name`.mp4, which carries its own timecode."""
        media = otio.schema.ExternalReference(
            target_url=f"{name}.mp4", available_range=TimeRange(self.time(media_label_frame), self.time(MEDIA_FRAMES))
        )
        used = TimeRange(self.time(media_label_frame + first_frame), self.time(frame_count))
        return otio.schema.Clip(name, media_reference=media, source_range=used, effects=list(effects))

    def timeline(self, *children) -> otio.schema.Timeline:
        timeline = otio.schema.Timeline("cut", global_start_time=self.time(self.label_frame))
        track = otio.schema.Track("Video 1", kind=otio.schema.TrackKind.Video)
        track.extend(children)
        timeline.tracks.append(track)
        return timeline

    def position(self, frame: int) -> str:
        if not self.drop_frame:
            return f"f{frame}"
        return self.time(self.label_frame + frame).to_timecode(self.time(0).rate, drop_frame=True)


def media_timecode(shop: Workshop):
    """Media labelled 10:00:00:00; the clip starts 5 frames in: the flash is at 20 - 5."""
    label = 36_000 * round(shop.rate)
    return shop.timeline(shop.clip("flash", 5, 35, media_label_frame=label)), 15


def retime(shop: Workshop):
    """200 % from frame 4: the flash is at (20 - 4) / 2."""
    fast = otio.schema.LinearTimeWarp(time_scalar=2.0)
    return shop.timeline(shop.clip("flash", 4, 18, effects=[fast]), shop.clip("black", 0, 20)), 8


def across_a_cut(shop: Workshop):
    """11 black frames, then a clip from frame 14: the flash is at 11 + 20 - 14."""
    return shop.timeline(shop.clip("black", 2, 11), shop.clip("flash", 14, 20)), 17


def behind_a_transition(shop: Workshop):
    """A dissolve of 3 + 3 frames at the cut after 10 frames; past it the flash is at 10 + 20 - 12."""
    dissolve = otio.schema.Transition("dissolve", "SMPTE_Dissolve", shop.time(3), shop.time(3))
    return shop.timeline(shop.clip("black", 4, 10), dissolve, shop.clip("flash", 12, 20)), 18


def nested(shop: Workshop):
    """A gap of 6, then a stack that is entered 3 frames in, whose track has 4 black frames: 6 - 3 + 4 + 20 - 8."""
    inner = otio.schema.Track("inner", kind=otio.schema.TrackKind.Video)
    inner.extend([shop.clip("black", 0, 4), shop.clip("flash", 8, 30)])
    stack = otio.schema.Stack("nest", [inner], source_range=TimeRange(shop.time(3), shop.time(26)))
    gap = otio.schema.Gap(source_range=TimeRange(shop.time(0), shop.time(6)))
    return shop.timeline(gap, stack), 19


SITUATIONS = [media_timecode, retime, across_a_cut, behind_a_transition, nested]


@pytest.fixture(scope="module", params=RATES, ids=str)
def shop(request, tmp_path_factory):
    rate, drop_frame = RATES[request.param]
    folder = tmp_path_factory.mktemp("impulse")
    write_flash_clip(folder / "flash.mp4", MEDIA_FRAMES, rate, [FLASH_FRAME], **SIZE)
    write_flash_clip(folder / "black.mp4", MEDIA_FRAMES, rate, [], **SIZE)
    with (
        server_process(folder / "server", rate) as server,
        GrpcClient(server.address, server.token) as client,
    ):
        yield Workshop(folder, client, rate, drop_frame)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_a_flash_is_heard_within_one_sample_of_where_it_is_seen(shop, situation):
    timeline, flash_frame = situation(shop)
    source, output = shop.folder / f"{situation.__name__}.otio", shop.folder / f"{situation.__name__}-out.otio"
    otio.adapters.write_to_file(timeline, str(source))
    cut = read_timeline(source)
    region = region_of_range(cut, shop.position(RANGE_START), shop.position(RANGE_STOP))
    wanted = Wanted(region, FoleySettings(prompt="a click", seed=1))

    generate_foley(cut, source, (wanted,), shop.client, output)

    placed_sample, samples = heard(output)
    (clicks,) = np.nonzero(np.abs(samples) > 0.5)
    assert len(clicks) == 1
    expected_sample = Fraction(flash_frame * 48_000) / shop.rate
    assert abs(placed_sample + int(clicks[0]) - expected_sample) <= 1
    assert placed_sample == round(Fraction(RANGE_START * 48_000) / shop.rate)
    assert placed_sample + len(samples) == round(Fraction(RANGE_STOP * 48_000) / shop.rate)


def heard(path) -> tuple[int, np.ndarray]:
    """The first sample of the one generated clip on the timeline, and its samples, as any reader would find them."""
    timeline = otio.adapters.read_from_file(str(path))
    (track,) = timeline.audio_tracks()
    (clip,) = track.find_clips()
    start = clip.trimmed_range_in_parent().start_time
    rate = Fraction(start.rate).limit_denominator(1001)
    samples, rate_hz = soundfile.read(path.parent / clip.media_reference.target_url)
    assert rate_hz == 48_000
    return round(Fraction(start.value) / rate * 48_000), samples
