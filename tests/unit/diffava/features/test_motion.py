"""The small picture encoder: how far a frame reaches, pieces of long shots, cuts, and what the features carry."""

from dataclasses import replace

import pytest
import torch

from diffava.builders import build
from diffava.config import MotionSection
from diffava.features.encoder import PromptAndPictureEncoder
from diffava.features.motion import CONTEXT_FRAMES, MotionEncoder
from diffava.features.motion_video import PIECE_GROUPS, MotionVideoEncoder
from diffava.features.video import VideoEncoder
from support.pictures import in_chunks, random_pictures, request_of_seconds

SIZES = MotionSection(image_size=16, channels=(4, 4, 6, 8), hidden_size=8, token_dim=6, token_frames=5, guide_steps=4)


@pytest.fixture(scope="module")
def video():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MotionEncoder(SIZES, 8)
        for module in model.modules():  # so that norms do something, as after training
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
        return MotionVideoEncoder(model, SIZES.token_frames)


@pytest.fixture(scope="module")
def encoder(video):
    features = build("nano").features
    return PromptAndPictureEncoder(replace(features.spec, frame_size_pixels=16), features.text, video)


def pictures(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))


def encode(encoder, request, rgb):
    return encoder.encode(request, in_chunks(rgb), lambda _: None, lambda: False)


def test_it_is_a_video_encoder(video):
    assert isinstance(video, VideoEncoder)
    assert (video.group_frames, video.token_dim) == (5, 6)


def test_a_frame_reaches_exactly_so_far(video):
    rgb = pictures(3 * CONTEXT_FRAMES)
    changed = rgb.clone()
    middle = len(rgb) // 2
    changed[middle] = 255 - changed[middle]
    with torch.no_grad():
        before, after = (video.model(part[None]).onset_logits[0] for part in (rgb, changed))
    moved = (before - after).abs().amax(dim=1) > 0
    reached = moved.nonzero().flatten()
    # One less before than behind: a frame's difference looks back only.
    assert (int(reached[0]), int(reached[-1])) == (middle - CONTEXT_FRAMES + 1, middle + CONTEXT_FRAMES)


@pytest.mark.parametrize("frames", [3, 5, 20, 23, 64])
def test_a_shot_in_pieces_says_what_it_says_in_one_pass(video, frames):
    rgb = pictures(frames)
    seen = list(video.encode_shot(torch.split(rgb, 5)))
    with torch.no_grad():
        whole = video.model(rgb[None])
    assert len(seen) == -(-frames // 5)
    torch.testing.assert_close(
        torch.cat([group.guide.onsets for group in seen]), whole.onset_logits[0].sigmoid(), rtol=0, atol=1e-5
    )
    tokens = torch.stack([video.model.tokens(part)[0] for part in torch.split(whole.features, 5, dim=1)])
    torch.testing.assert_close(torch.stack([group.token for group in seen]), tokens, rtol=0, atol=1e-5)


def test_a_long_shot_is_pulled_as_it_is_needed(video):
    pulled = 0

    def groups():
        nonlocal pulled
        for group in torch.split(pictures(200), 5):
            pulled += 1
            yield group

    next(video.encode_shot(groups()))
    assert pulled == PIECE_GROUPS + -(-CONTEXT_FRAMES // 5)


def test_the_guide_has_four_steps_for_each_frame_from_0_to_1(encoder):
    request = request_of_seconds(encoder.spec, 4, cuts_s=(1.3,))
    features = encode(encoder, request, pictures(request.frame_count))
    assert features.guide.onsets.shape == features.guide.energy.shape == (request.frame_count, 4)
    for curve in (features.guide.onsets, features.guide.energy):
        assert 0 <= float(curve.min()) <= float(curve.max()) <= 1


def test_nothing_is_read_across_a_cut(encoder):
    request = request_of_seconds(encoder.spec, 4, cuts_s=(1.5,))
    rgb = pictures(request.frame_count)
    changed = rgb.clone()
    changed[:12] = 255 - changed[:12]  # the whole first shot
    before, after = encode(encoder, request, rgb), encode(encoder, request, changed)
    assert torch.equal(before.guide.onsets[12:], after.guide.onsets[12:])
    assert not torch.equal(before.guide.onsets[:12], after.guide.onsets[:12])
    second = [shot == 1 for shot in before.shot]
    assert torch.equal(before.video[second], after.video[second])


def test_without_a_picture_and_with_x_clip_there_is_no_guide(encoder):
    assert (
        encode(encoder, request_of_seconds(encoder.spec, 2, frame_count=0), random_pictures(encoder.spec, 0)).guide
        is None
    )
    nano = build("nano").features
    request = request_of_seconds(nano.spec, 1)
    assert encode(nano, request, random_pictures(nano.spec, 8)).guide is None
