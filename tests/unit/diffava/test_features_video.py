"""Groups of frames, cuts between them, and the whole features stage."""

from fractions import Fraction

import pytest
import torch

from diffava.builders import build
from diffava.errors import CancelledError, RequestError
from diffava.features.video import frame_groups, on_device, shot_of_frame
from diffava.spec import Frames, Progress
from support.pictures import in_chunks, random_pictures, request_of_seconds


@pytest.fixture(scope="module")
def encoder():
    return build("nano").features


def encode(encoder, request, frames, on_progress=lambda _: None, is_cancelled=lambda: False):
    return encoder.encode(request, frames, on_progress, is_cancelled)


def test_a_range_without_cuts_has_one_token_for_each_eight_frames(encoder):
    request = request_of_seconds(encoder.spec, 2.5)
    features = encode(encoder, request, in_chunks(random_pictures(encoder.spec, 20)))
    assert features.video.shape == (3, 32)
    assert features.shot == (0, 0, 0)
    assert features.token_start_s.tolist() == [0, 1, 2]
    assert features.token_stop_s.tolist() == [1, 2, 2.5]


def test_no_group_reaches_across_a_cut(encoder):
    request = request_of_seconds(encoder.spec, 4, cuts_s=(1.25, 2.9))
    found = frame_groups(request, encoder.spec, 8)
    sizes = [(group.stop_frame - group.first_frame, group.shot) for group in found]
    assert sizes == [(8, 0), (2, 0), (8, 1), (5, 1), (8, 2), (1, 2)]
    assert [group.first_frame for group in found] == [0, 8, 10, 18, 23, 31]
    edges_s = [0, Fraction(5, 4), Fraction(29, 10), 4]
    assert [group.start_s for group in found] == [0, 1, edges_s[1], Fraction(18, 8), edges_s[2], Fraction(31, 8)]
    assert [group.stop_s for group in found] == [group.start_s for group in found[1:]] + [4]


def test_a_frame_belongs_to_the_shot_that_is_on_screen_at_its_centre(encoder):
    spec = encoder.spec
    centre_of_frame_4 = 9 * 48_000 // 16
    for cut, shot in ((centre_of_frame_4, 1), (centre_of_frame_4 + 1, 0)):
        request = request_of_seconds(spec, 2, cuts_s=(cut / 48_000,))
        assert request.cut_samples == (cut,)
        assert shot_of_frame(4, request, spec) == shot


def test_a_changed_frame_moves_its_own_shot_and_no_other(encoder):
    request = request_of_seconds(encoder.spec, 4, cuts_s=(1.4,))
    pictures = random_pictures(encoder.spec, 32)
    before = encode(encoder, request, in_chunks(pictures))
    pictures[10] = 255 - pictures[10]  # the last frame of the first shot
    after = encode(encoder, request, in_chunks(pictures))
    second_shot = [shot == 1 for shot in before.shot]
    assert torch.equal(before.video[second_shot], after.video[second_shot])
    assert not torch.equal(before.video[1], after.video[1])


def test_frames_of_one_group_exchange_messages(encoder):
    pictures = random_pictures(encoder.spec, 8)
    last_changed = pictures.clone()
    last_changed[7] = 0

    def first_frames_feature(rgb):
        pixels = rgb.permute(0, 3, 1, 2).float() / 255
        return encoder.video.model(pixel_values=pixels).pooler_output[0]

    assert not torch.equal(first_frames_feature(pictures), first_frames_feature(last_changed))


def test_a_token_is_the_mean_of_eight_class_features_of_pictures_normalised_as_x_clip_was_trained(encoder):
    pictures = random_pictures(encoder.spec, 8)
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    pixels = ((pictures - mean) / std).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = encoder.video.model(pixel_values=pixels).last_hidden_state[:, 0]
        expected = encoder.video.model.post_layernorm(expected).mean(dim=0)
    torch.testing.assert_close(encoder.video.encode(pictures), expected, rtol=1e-4, atol=1e-5)


def test_a_short_group_is_filled_with_its_last_frame(encoder):
    pictures = random_pictures(encoder.spec, 3)
    filled = torch.cat([pictures, pictures[2:].expand(5, -1, -1, -1)])
    assert torch.equal(encoder.video.encode(pictures), encoder.video.encode(filled))


@pytest.mark.parametrize("chunk_frames", [1, 7, 8, 100])
def test_the_size_of_the_chunks_changes_nothing(encoder, chunk_frames):
    request = request_of_seconds(encoder.spec, 2.5, cuts_s=(0.9,))
    pictures = random_pictures(encoder.spec, 20)
    expected = encode(encoder, request, in_chunks(pictures, 5))
    assert torch.equal(expected.video, encode(encoder, request, in_chunks(pictures, chunk_frames)).video)


def test_frames_are_pulled_as_they_are_needed(encoder):
    pulled, pulled_at_progress = 0, []

    def frames():
        nonlocal pulled
        for chunk in in_chunks(random_pictures(encoder.spec, 32), 8):
            pulled += 1
            yield chunk

    encode(encoder, request_of_seconds(encoder.spec, 4), frames(), lambda _: pulled_at_progress.append(pulled))
    assert pulled_at_progress == [1, 2, 3, 4]


def test_progress_counts_frames_to_the_last(encoder):
    seen: list[Progress] = []
    request = request_of_seconds(encoder.spec, 2.5)
    encode(encoder, request, in_chunks(random_pictures(encoder.spec, 20)), seen.append)
    assert [(p.stage, p.completed, p.total) for p in seen] == [("features", n, 20) for n in (8, 16, 20)]


def test_a_cancelled_job_reads_no_further(encoder):
    pulled = []

    def frames():
        for chunk in in_chunks(random_pictures(encoder.spec, 32), 8):
            pulled.append(chunk)
            yield chunk

    with pytest.raises(CancelledError):
        encode(encoder, request_of_seconds(encoder.spec, 4), frames(), is_cancelled=lambda: len(pulled) == 2)
    assert len(pulled) == 2


def test_a_prompt_alone_gives_features_without_tokens(encoder):
    features = encode(encoder, request_of_seconds(encoder.spec, 4, cuts_s=(1.0,), frame_count=0), ())
    assert features.video.shape == (0, 32)
    assert (features.shot, features.shot_count) == ((), 2)


def test_the_negative_prompt_does_not_touch_the_prompt(encoder):
    plain = encode(encoder, request_of_seconds(encoder.spec, 1, frame_count=0), ())
    other = encode(encoder, request_of_seconds(encoder.spec, 1, frame_count=0, negative_prompt="music and speech"), ())
    assert torch.equal(plain.text, other.text)
    assert not torch.equal(plain.negative_text, other.negative_text)


@pytest.mark.parametrize(("sent", "sentence"), [(15, "16 frames, but only 15 came"), (17, "16 frames, but more came")])
def test_missing_and_surplus_frames_are_refused(encoder, sent, sentence):
    with pytest.raises(RequestError, match=sentence):
        encode(encoder, request_of_seconds(encoder.spec, 2), in_chunks(random_pictures(encoder.spec, sent)))


def test_a_frame_count_that_does_not_fit_the_range_is_refused(encoder):
    with pytest.raises(RequestError, match="announces 3 frames, its range has 16"):
        encode(encoder, request_of_seconds(encoder.spec, 2, frame_count=3), ())


def test_frames_out_of_order_are_refused(encoder):
    chunk = Frames(8, random_pictures(encoder.spec, 8))
    with pytest.raises(RequestError, match="Frame 8 came where frame 0 belongs"):
        encode(encoder, request_of_seconds(encoder.spec, 2), [chunk])


def test_frames_of_another_size_are_refused(encoder):
    chunk = Frames(0, torch.zeros(16, 64, 64, 3, dtype=torch.uint8))
    with pytest.raises(RequestError, match=r"shape \(64, 64, 3\), this model reads \(32, 32, 3\)"):
        encode(encoder, request_of_seconds(encoder.spec, 2), [chunk])


def test_pictures_go_to_a_gpu_as_bytes_from_pinned_memory(monkeypatch):
    """On a stand-in for the device: no GPU was seen."""
    asked = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: asked.append("pinned") or self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *where, **how: asked.append((self.dtype, where, how)) or self)
    cuda = torch.device("cuda")
    on_device(torch.zeros(8, 32, 32, 3, dtype=torch.uint8), cuda)
    assert asked == ["pinned", (torch.uint8, (cuda,), {"non_blocking": True})]
