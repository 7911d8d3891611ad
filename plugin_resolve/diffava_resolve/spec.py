"""The values that pass between the plugin's stages: a region, what the viewer sees in it, a job, its receipt.

Timeline frames are whole numbers counted from the timeline's first frame (which may be labelled 01:00:00:00). Rates are
rational. Audio is counted in samples at `SAMPLE_RATE_HZ`. The one conversion between them is `sample_of_frame`.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

SAMPLE_RATE_HZ = 48_000
GuideSource = Literal["picture", "none"]
MeasuredAs = Literal["integrated", "momentary"]


def sample_of_frame(frame: int, rate: Fraction) -> int:
    """The sample at which timeline frame `frame` begins, counted from the timeline's first frame.

    Always from that one origin: rounding each frame's length and adding them up drifts at 29.97 and 59.94.
    Python rounds halves to even; 48000/rate never gives a half at the broadcast rates.
    """
    return round(Fraction(frame * SAMPLE_RATE_HZ) / rate)


@dataclass(frozen=True)
class Region:
    """Timeline frames `[start_frame, stop_frame)` at `rate`; the timeline's first frame is labelled `label_frame`."""

    rate: Fraction
    label_frame: int
    start_frame: int
    stop_frame: int
    drop_frame: bool = False

    @property
    def start_sample(self) -> int:
        """First sample, from the timeline's first frame."""
        return sample_of_frame(self.start_frame, self.rate)

    @property
    def stop_sample(self) -> int:
        """One past the last sample, from the timeline's first frame."""
        return sample_of_frame(self.stop_frame, self.rate)

    @property
    def sample_count(self) -> int:
        """Exactly the samples of a take for this region."""
        return self.stop_sample - self.start_sample

    def sample_of_frame(self, frame: int) -> int:
        """The sample at which a timeline frame begins, from the region's start."""
        return sample_of_frame(frame, self.rate) - self.start_sample


@dataclass(frozen=True)
class MovieFile:
    """A video file. Media seconds are counted from its first picture, whatever timecode it carries."""

    path: Path


@dataclass(frozen=True)
class ImageSequence:
    """Numbered pictures: `directory/prefix0001suffix`, every `frame_step`-th number, at `rate`."""

    directory: Path
    prefix: str
    suffix: str
    zero_padding: int
    first_number: int
    frame_count: int
    frame_step: int
    rate: Fraction


@dataclass(frozen=True)
class Colour:
    """A plain picture: a gap is black, a solid generator its colour."""

    rgb: tuple[int, int, int] = (0, 0, 0)


Media = MovieFile | ImageSequence | Colour


@dataclass(frozen=True)
class Layer:
    """One piece of media in a shot.

    At the second `t` of the timeline (from its first frame) the layer shows the media's second
    `media_start_s + speed * (t - timeline_start_s)`; a freeze frame has speed 0, a reversed clip a negative one.
    `opacity_start` and `opacity_stop` are its share in the mix at the segment's first and past its last frame: 1 and 1
    outside dissolves.
    """

    media: Media
    timeline_start_s: Fraction
    media_start_s: Fraction
    speed: Fraction
    opacity_start: Fraction = Fraction(1)
    opacity_stop: Fraction = Fraction(1)


@dataclass(frozen=True)
class Segment:
    """Timeline frames `[start_frame, stop_frame)` during which the viewer sees the same layers, bottom first."""

    start_frame: int
    stop_frame: int
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Picture:
    """What the viewer sees in a region: segments that cover it without gaps, and the frames at which new shots begin.

    A dissolve counts as one cut, at its middle. `cut_frames` are timeline frames strictly inside the region. `notes`:
    a sentence for each thing that is shown otherwise than the editor would.
    """

    region: Region
    segments: tuple[Segment, ...]
    cut_frames: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def cut_samples(self) -> tuple[int, ...]:
        """The cuts in samples from the region's start, as the server wants them."""
        return tuple(self.region.sample_of_frame(cut) for cut in self.cut_frames)


@dataclass(frozen=True)
class FrameFormat:
    """How the model's video encoder wants its pictures."""

    rate: Fraction
    width_pixels: int
    height_pixels: int

    def frame_count(self, sample_count: int) -> int:
        """How many pictures cover `sample_count` samples.

        Frame k shows second (k + 1/2) / rate, so the last may stand past the end and then shows the region's last
        timeline frame.
        """
        return -(-sample_count * self.rate.numerator // (SAMPLE_RATE_HZ * self.rate.denominator))


@dataclass(frozen=True)
class Performance:
    """A performed sound that says when and how strongly something is to be heard.

    `file_name` is the WAV that holds it as it is sent, in the takes' folder; it is exactly as long as its job.
    `source_name` and `source_sha256` are of the file that a person gave.
    """

    source_name: str
    source_sha256: str
    file_name: str
    file_sha256: str


@dataclass(frozen=True)
class TimingGuide:
    """When things are to be heard in a job; hits and a performance stand in for what the picture says.

    `hit_samples` rise strictly and count from the job's start. With `source` "none" the picture gives no timing.
    """

    source: GuideSource = "picture"
    strength: float = 1.0
    hit_samples: tuple[int, ...] = ()
    performance: Performance | None = None


@dataclass(frozen=True)
class FoleyJob:
    """What is asked of the server for one region: the whole of it, so that it can be asked again."""

    prompt: str
    sample_count: int
    seeds: tuple[int, ...]
    negative_prompt: str = ""
    model: str = ""
    cut_samples: tuple[int, ...] = ()
    step_count: int = 0
    guidance_scale: float = 0.0
    sampler: str = ""
    regenerate_samples: tuple[int, int] | None = None  # with the old take as kept audio
    guide: TimingGuide = TimingGuide()


@dataclass(frozen=True)
class Finish:
    """What is done to a take after the server made it: fades, then a gain to a loudness under a limit of true peaks.

    `loudness_lufs` (EBU R 128, of one channel) None leaves the level alone, and the true peaks with it. Fades count
    from the take's own ends. Where only a part of a take is made anew, all of it is done to that part alone.
    """

    loudness_lufs: float | None = None
    true_peak_dbtp: float = -1.0
    fade_in_samples: int = 0
    fade_out_samples: int = 0


@dataclass(frozen=True)
class Finished:
    """What setting its level did to a sound; `limited_db` is by how much its highest peak was taken back.

    The loudnesses, before and after, are None for silence, which is left as it is. A sound shorter than 400 ms has no
    integrated loudness and is measured as "momentary" (`timeline.loudness.Loudness`). `note` says what could not be
    done.
    """

    gain_db: float = 0.0
    limited_db: float = 0.0
    loudness_before_lufs: float | None = None
    loudness_lufs: float | None = None
    measured_as: MeasuredAs = "integrated"
    note: str = ""


@dataclass(frozen=True)
class ModelInfo:
    """One of the server's models, as the server describes it."""

    name: str
    weights_sha256: str
    licence: str
    commercial_use_allowed: bool
    frames: FrameFormat
    sample_rate_hz: int
    default_step_count: int
    default_guidance_scale: float
    warning: str = ""
    has_timing_guide: bool = False


@dataclass(frozen=True)
class JobResult:
    """What the server says at the end: the model that made it and the settings with defaults filled in."""

    model: ModelInfo
    software_version: str
    step_count: int
    guidance_scale: float
    sampler: str
    take_sha256: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what a person should know of these takes, a sentence each
