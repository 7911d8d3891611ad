"""Lengths that follow from a range, and requests that are refused before anything is computed."""

from fractions import Fraction

import pytest
import torch

from diffava.config import load_config
from diffava.errors import RequestError
from diffava.spec import FoleyRequest, KeptPart, Spec

SPEC = Spec.of(load_config("audioldm-s"))
SECOND = 48_000


@pytest.mark.parametrize(
    ("sample_count", "video_frames", "latent_frames"),
    [(1, 1, 1), (1920, 1, 1), (1921, 1, 2), (6000, 1, 4), (6001, 2, 4), (10 * SECOND, 80, 250)],
)
def test_frames_and_latent_frames_cover_the_range_and_no_more(sample_count, video_frames, latent_frames):
    assert SPEC.video_frames(sample_count) == video_frames
    assert SPEC.latent_frames(sample_count) == latent_frames


def test_lengths_of_a_long_range_are_exact():
    """A float of seconds would be off by a frame somewhere in ten hours."""
    for frames in range(900_000, 900_100):
        assert SPEC.latent_frames(frames * 1920) == frames
        assert SPEC.latent_frames(frames * 1920 + 1) == frames + 1


def test_a_frame_shows_the_middle_of_its_eighth_of_a_second():
    assert [SPEC.frame_centre_s(frame) for frame in (0, 1, 80)] == [Fraction(n, 16) for n in (1, 3, 161)]


@pytest.mark.parametrize(("sample", "frame"), [(0, 0), (959, 0), (961, 1), (1920, 1), (2881, 2)])
def test_a_cut_goes_to_the_nearest_latent_frame(sample, frame):
    assert SPEC.latent_frame_of(sample) == frame


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"prompt": " \n"}, "prompt is empty"),
        ({"sample_count": 0}, "has 0 samples; choose a range"),
        ({"seeds": ()}, "no seeds; give one for each take"),
        ({"seeds": (1, -1)}, "seed -1 is not in 0"),
        ({"seeds": (2**64,)}, "seed 18446744073709551616 is not in 0..18446744073709551615"),
        ({"step_count": 0}, "cannot run 0 steps; ask for at least 1"),
        ({"guidance_scale": 0.9}, "guidance scale is 0.9; give a number of at least 1"),
        ({"guidance_scale": float("nan")}, "guidance scale is nan"),
        ({"guidance_scale": float("inf")}, "guidance scale is inf"),
        ({"cut_samples": (0,)}, "do not rise strictly inside 0..48000"),
        ({"cut_samples": (SECOND,)}, "do not rise strictly"),
        ({"cut_samples": (20, 20)}, "do not rise strictly"),
        ({"cut_samples": (20, 10)}, "do not rise strictly"),
        ({"kept": KeptPart(torch.zeros(SECOND - 1), 0, 10)}, "has 47999 samples, the range 48000"),
        ({"kept": KeptPart(torch.zeros(SECOND), 10, 10)}, "10..10, is not inside the take's 0..48000"),
        ({"kept": KeptPart(torch.zeros(SECOND), 0, SECOND + 1)}, "is not inside"),
        ({"kept": KeptPart(torch.zeros(SECOND), -1, 10)}, "is not inside"),
        ({"guide_strength": -0.1}, "guide's strength is -0.1; give a number in 0..2"),
        ({"guide_strength": 2.1}, "guide's strength is 2.1"),
        ({"guide_strength": float("nan")}, "guide's strength is nan"),
        ({"hit_samples": (-1,)}, "hits .* do not rise strictly inside 0..48000"),
        ({"hit_samples": (SECOND,)}, "do not rise strictly"),
        ({"hit_samples": (20, 20)}, "do not rise strictly"),
        ({"hit_samples": (20, 10)}, "do not rise strictly"),
        ({"performance": torch.zeros(SECOND - 1)}, "performance has 47999 samples, the range 48000"),
    ],
)
def test_a_request_out_of_bounds_is_refused_with_what_was_found(fields, sentence):
    with pytest.raises(RequestError, match=sentence):
        FoleyRequest(**{"prompt": "rain", "sample_count": SECOND, **fields})


def test_a_request_at_its_bounds_is_taken():
    kept = KeptPart(torch.zeros(SECOND), 0, SECOND)
    FoleyRequest("rain", SECOND, seeds=(0, 2**64 - 1), step_count=1, guidance_scale=1.0, cut_samples=(1, 47_999))
    FoleyRequest("rain", SECOND, kept=kept)
    FoleyRequest("rain", SECOND, guide="none", guide_strength=0.0, hit_samples=(0, 1, 47_999))
    FoleyRequest("rain", SECOND, guide_strength=2.0, performance=torch.zeros(SECOND))


def test_requests_that_keep_a_take_can_be_compared():
    kept = KeptPart(torch.zeros(SECOND), 0, 10)
    assert FoleyRequest("rain", SECOND, kept=kept) == FoleyRequest("rain", SECOND, kept=kept)
    assert FoleyRequest("rain", SECOND, kept=kept) != FoleyRequest(
        "rain", SECOND, kept=KeptPart(torch.ones(SECOND), 0, 10)
    )


def test_what_a_request_does_not_say_is_what_configurations_say_by_default():
    request, defaults = FoleyRequest("rain", SECOND), load_config("audioldm-s").defaults
    found = (request.step_count, request.guidance_scale)
    assert found == (defaults.step_count, defaults.guidance_scale)
    assert request.sampler is None
