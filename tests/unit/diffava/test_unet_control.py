"""T2AV's ControlNet on AudioLDM's U-Net: what it adds, what it learns first, and the whole pipeline with it."""

import pytest
import torch

from diffava.builders import build, open_model
from diffava.condition.operators import OPERATORS
from diffava.config import config_from_dict, load_config
from diffava.errors import ConfigError
from diffava.latent.denoiser import UNetDenoiser
from diffava.latent.unet_control import UNetControl
from diffava.spec import FoleyRequest, Frames

RATE = 48_000
LATENT = (8, 16, 16)  # channels, frames, heights
GUIDE_DIM = 12


@pytest.fixture(scope="module")
def unet():
    """An untrained U-Net of AudioLDM's kind that says something: its last layer starts near zero."""
    module = build("nano").parts["unet"]
    generator = torch.Generator().manual_seed(1)
    for weight in module.parameters():
        weight.data.add_(torch.randn(weight.shape, generator=generator) * 0.02)
    return module


@pytest.fixture
def branch(unet):
    return UNetControl(unet, GUIDE_DIM).requires_grad_(True)


def inputs(batch=2):
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(batch, *LATENT, generator=generator)
    return latent, 401, torch.randn(batch, 32, generator=generator), torch.randn(batch, 16, 12, generator=generator)


def trained(branch):
    """A branch whose zero layers have moved."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for layer in (branch.zero_in, *branch.zero_down, branch.zero_mid):
            layer.weight.add_(torch.randn(layer.weight.shape, generator=generator) * 0.2)
    return branch


def test_an_untrained_branch_leaves_the_u_net_exactly_as_it_was(unet, branch):
    latent, timestep, film, control = inputs()
    with torch.no_grad():
        plain = UNetDenoiser(unet)(latent, timestep, film, None, 1.0)
        assert torch.equal(UNetDenoiser(unet, branch)(latent, timestep, film, control, 1.0), plain)
        changed = UNetDenoiser(unet, trained(branch))(latent, timestep, film, control, 1.0)
    assert (changed - plain).abs().mean() > 1e-3


def test_the_copy_sees_what_the_u_net_sees(unet, branch):
    """With zero layers that pass on what they get, the branch says the U-Net's own skips and middle."""
    seen = []
    handle = unet.mid_block.register_forward_hook(lambda module, inputs, output: seen.append(output))
    for layer in (*branch.zero_down, branch.zero_mid):
        torch.nn.init.dirac_(layer.weight)
    latent, timestep, film, control = inputs()
    with torch.no_grad():
        unet(latent, timestep, encoder_hidden_states=None, class_labels=film)
        added = branch(latent, timestep, film, control)
    handle.remove()
    assert torch.equal(added.mid, seen[0])
    assert torch.equal(added.down[0], unet.conv_in(latent))


def test_at_the_first_step_only_what_leaves_the_branch_learns(unet, branch):
    latent, timestep, film, control = inputs()
    prediction = UNetDenoiser(unet, branch)(latent, timestep, film, control, 1.0)
    prediction.square().mean().backward()
    for layer in (*branch.zero_down, branch.zero_mid):
        assert layer.weight.grad.abs().sum() > 0
    copied = (branch.conv_in, branch.time_embedding, branch.class_embedding, branch.down_blocks, branch.mid_block)
    assert all(weight.grad.abs().sum() == 0 for part in copied for weight in part.parameters())
    assert branch.zero_in.weight.grad.abs().sum() == 0
    assert all(weight.grad is None for weight in unet.parameters())


def test_what_is_a_latent_frame_later_enters_a_row_later(branch):
    control = inputs()[3]
    with torch.no_grad():
        entered = trained(branch).injected(control)
        later = branch.injected(control.roll(1, dims=1))
    assert entered.shape == (2, 16, 16, 1)  # one number for all heights of the latent
    assert torch.equal(entered[:, :, :-1], later[:, :, 1:])
    assert not torch.equal(entered, later)


def test_strength_scales_what_is_added_and_zero_is_none_to_the_bit(unet, branch):
    latent, timestep, film, control = inputs()
    with torch.no_grad():
        full = trained(branch)(latent, timestep, film, control)
        torch.testing.assert_close(full.scaled(0.5).mid, full.mid / 2)
        plain = UNetDenoiser(unet)(latent, timestep, film, None, 1.0)
        assert torch.equal(UNetDenoiser(unet, branch)(latent, timestep, film, control, 0.0), plain)


def test_every_item_of_a_batch_may_have_a_noise_level_of_its_own(branch):
    """Training draws one an item."""
    latent, _, film, control = inputs()
    with torch.no_grad():
        together = trained(branch)(latent, torch.tensor([3, 700]), film, control).mid
        alone = branch(latent[1:], 700, film[1:], control[1:]).mid
    torch.testing.assert_close(together[1:], alone)


def model(operator="temporal_self_attention"):
    values = load_config("nano-audioldm-t2av").model_dump(mode="json")
    values["control"]["operator"] = operator
    pipeline = build(config_from_dict(values, "test"))
    trained(pipeline.parts["control_branch"])
    return pipeline


def sound(pipeline, seen=True, seed=0, **fields):
    spec = pipeline.spec
    request = FoleyRequest("steps", 2 * RATE, frame_count=spec.video_frames(2 * RATE) if seen else 0, **fields)
    size = (request.frame_count, spec.frame_size_pixels, spec.frame_size_pixels, 3)
    rgb = torch.randint(0, 256, size, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return torch.cat([p.samples for p in pipeline.generate(request, [Frames(0, rgb)] if seen else [])])


@pytest.fixture(scope="module")
def pipeline():
    return model()


def test_hits_performance_and_picture_each_change_what_is_heard(pipeline):
    asked = {"step_count": 2}
    heard = [
        sound(pipeline, guide="none", **asked),
        sound(pipeline, **asked),
        sound(pipeline, hit_samples=(10_000,), **asked),
        sound(pipeline, hit_samples=(60_000,), **asked),
        sound(pipeline, performance=torch.linspace(0, 0.5, 2 * RATE), **asked),
        sound(pipeline, seen=False, **asked),
        sound(pipeline, seen=False, hit_samples=(10_000,), **asked),
    ]
    assert all(one.shape == (2 * RATE,) and one.isfinite().all() for one in heard)
    assert all(not torch.equal(a, b) for k, a in enumerate(heard) for b in heard[:k])


def test_hits_and_a_performance_enter_at_their_own_time_though_the_model_is_slower_than_the_output(pipeline):
    spec = pipeline.spec
    assert spec.sample_rate_hz * 3 == spec.output_rate_hz
    burst = torch.zeros(2 * RATE)
    burst[72_000:72_480] = 1.0
    for fields in ({"hit_samples": (72_000,)}, {"performance": burst}):
        request = FoleyRequest("steps", 2 * RATE, guide="none", **fields)
        features = pipeline.features.encode(request, [], lambda _: None, lambda: False)
        guide = pipeline.conditioner._guide(request, features)
        curve = (guide.onsets if "hit_samples" in fields else guide.energy).flatten()
        assert int(curve.argmax()) == 150  # of steps of 10 ms, at 1.5 s


def test_strength_zero_is_the_model_without_control(pipeline):
    off = sound(pipeline, guide_strength=0.0, step_count=2)
    assert torch.equal(off, sound(pipeline, guide="none", step_count=2))


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_leads_a_picture_to_the_control_and_to_sound(operator):
    pipeline = model(operator)
    spec = pipeline.spec
    request = FoleyRequest("steps", 2 * RATE, frame_count=spec.video_frames(2 * RATE))
    rgb = torch.zeros(request.frame_count, spec.frame_size_pixels, spec.frame_size_pixels, 3, dtype=torch.uint8)
    features = pipeline.features.encode(request, [Frames(0, rgb)], lambda _: None, lambda: False)
    condition = pipeline.conditioner(request, features)
    assert condition.control.shape == (50, 32 + 8)  # frames; the operator's width and the guide's
    assert not torch.equal(sound(pipeline, step_count=1), sound(pipeline, step_count=1, seed=1))


def test_with_the_motion_encoder_in_x_clips_place_the_picture_gives_a_guide_too():
    values = load_config("nano-audioldm-t2av").model_dump(mode="json")
    values["spec"]["frame_rate"] = "25"
    values["motion"] = load_config("nano-t2av").motion.model_dump(mode="json")
    pipeline = build(config_from_dict(values, "test"))
    trained(pipeline.parts["control_branch"])
    assert not torch.equal(sound(pipeline, step_count=1), sound(pipeline, step_count=1, guide="none"))


@pytest.mark.parametrize(
    ("name", "count", "sentence"),
    [("nano-audioldm-t2av", 3, "is 3, but of .unet. the whole encoder half"), ("nano-t2av", None, "is missing")],
)
def test_the_number_of_copied_blocks_is_a_transformers_alone(name, count, sentence):
    values = load_config(name).model_dump(mode="json")
    values["control"]["block_count"] = count
    with pytest.raises(ConfigError, match=rf"control\.block_count {sentence}"):
        config_from_dict(values, name)


@pytest.mark.parametrize("size", ["s", "m", "l"])
def test_audioldm_with_control_cannot_run_before_its_branch_is_trained_and_says_so(size):
    with pytest.raises(ConfigError, match=rf"'audioldm-{size}-t2av' is not trained.*`diffava train control`"):
        open_model(f"audioldm-{size}-t2av")
