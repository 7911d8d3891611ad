"""What tells the denoiser when things happen, through the whole pipeline of `nano-t2av` and in its parts."""

import pytest
import torch

from diffava.builders import build
from diffava.condition.operators import OPERATORS
from diffava.condition.timing_guide import TimingGuide, energy_curve, onset_curve
from diffava.errors import RequestError
from diffava.latent.control import ControlBranch
from diffava.latent.transformer import LatentTransformer, rotary, rotated
from diffava.spec import FoleyRequest, Frames

RATE = 48_000


@pytest.fixture(scope="module")
def model():
    """With control that says something: fresh weights end in zeros, so that an untrained branch changes nothing."""
    pipeline = build("nano-t2av")
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for part in ("control_branch", "control_sequence", "transformer"):
            for weight in pipeline.parts[part].parameters():
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.1)
    return pipeline


def pictures(count, seed=0):
    rgb = torch.randint(0, 256, (count, 32, 32, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return [Frames(0, rgb)]


def sound(model, seconds=2, seen=True, **fields):
    count = seconds * 25 if seen else 0
    request = FoleyRequest("steps", seconds * RATE, frame_count=count, step_count=2, **fields)
    return torch.cat([piece.samples for piece in model.generate(request, pictures(count) if seen else [])])


def condition(model, request, seed=0):
    frames = pictures(request.frame_count, seed) if request.frame_count else []
    features = model.features.encode(request, frames, lambda _: None, lambda: False)
    return model.conditioner(request, features)


def test_hits_performance_and_the_pictures_timing_each_change_what_is_heard(model):
    plain = sound(model, guide="none")
    assert plain.shape == (2 * RATE,)
    others = [
        sound(model),
        sound(model, hit_samples=(10_000,)),
        sound(model, hit_samples=(60_000,)),
        sound(model, performance=torch.linspace(0, 0.5, 2 * RATE)),
    ]
    assert all(not torch.equal(plain, other) for other in others)
    assert not torch.equal(others[1], others[2])


def test_strength_zero_is_no_guide_to_the_bit(model):
    assert torch.equal(sound(model, guide_strength=0.0), sound(model, guide="none"))


def test_hits_and_performances_need_no_picture(model):
    plain = sound(model, seen=False)
    assert not torch.equal(plain, sound(model, seen=False, hit_samples=(10_000,)))
    assert not torch.equal(plain, sound(model, seen=False, performance=torch.ones(2 * RATE)))


def test_a_model_without_a_guide_refuses_hits_and_ignores_the_wish_for_the_pictures_timing():
    nano = build("nano")
    with pytest.raises(RequestError, match="'nano' has no timing guide; leave out the hits"):
        list(nano.generate(FoleyRequest("rain", RATE, step_count=1, hit_samples=(5,)), []))
    list(nano.generate(FoleyRequest("rain", RATE, step_count=1, guide="picture"), []))


def test_the_control_has_a_row_a_latent_frame_and_knows_no_other_shot(model):
    request = FoleyRequest("steps", 3 * RATE, frame_count=75, cut_samples=(RATE,))
    control = condition(model, request).control
    assert control.shape[0] == 75
    frames = pictures(75)[0].rgb.clone()
    frames[40:] = 255 - frames[40:]
    features = model.features.encode(request, [Frames(0, frames)], lambda _: None, lambda: False)
    changed = model.conditioner(request, features).control
    assert torch.equal(control[:25], changed[:25])
    assert not torch.equal(control[25:], changed[25:])


def test_an_untrained_branch_changes_nothing():
    torch.manual_seed(0)
    denoiser = LatentTransformer(8, 16, 32, 2, 2)
    for weight in denoiser.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    branch = ControlBranch(denoiser, 12, 1)
    latent, time, film = torch.randn(2, 8, 20, 1), torch.rand(2), torch.randn(2, 16)
    hidden, steering = denoiser.embedded(latent, time, film)
    added = branch(hidden, steering, torch.randn(2, 20, 12))
    assert torch.equal(denoiser(latent, time, film, added), denoiser(latent, time, film))
    added[0].sum().backward()
    assert branch.zero_out[0].weight.grad.abs().sum() > 0
    assert branch.blocks[0].mlp[0].weight.grad.abs().sum() == 0


def test_attention_hears_how_far_apart_frames_are_and_not_where_they_lie():
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(8, generator=generator).expand(1, 1, 40, 8) for _ in range(2))
    rotation = rotary(40, 8, query)
    scores = (rotated(query, rotation) @ rotated(key, rotation).transpose(-1, -2))[0, 0]
    for distance in (0, 3, 11):
        torch.testing.assert_close(scores.diagonal(distance), scores[0, distance].expand(40 - distance))
    assert scores[0, 3] != scores[0, 11]


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_returns_a_token_for_each_second(name):
    operator = OPERATORS[name](16)
    assert operator(torch.randn(3, 6, 16), torch.randn(3, 16)).shape == (3, 6, 16)


def test_a_hit_lies_in_its_own_ten_milliseconds_shared_with_the_next():
    curve = onset_curve((480 * 5, 480 * 9 + 120, 10**9), 480, 4, 4).flatten()
    assert torch.nonzero(curve)[:, 0].tolist() == [5, 9, 10]
    assert curve[[5, 9, 10]].tolist() == pytest.approx([1, 0.75, 0.25])


def test_energy_is_measured_around_its_moment_and_goes_from_silence_to_full_scale():
    samples = torch.zeros(4 * 4 * 480)
    samples[480 * 5 - 240 : 480 * 5 + 240] = 1
    samples[480 * 8 - 240 : 480 * 8 + 240] = 10 ** (-30 / 20)
    curve = energy_curve(samples, 480, 4, 4).flatten()
    assert curve[5] == 1
    assert curve[8] == pytest.approx(0.5)
    assert curve.count_nonzero() == 2


def test_what_is_not_known_is_flagged_and_not_taken_for_silence():
    hits = TimingGuide(None, torch.ones(3, 4)).channels(3, 4)
    assert hits.shape == (3, 10)
    assert hits[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0, 1]
