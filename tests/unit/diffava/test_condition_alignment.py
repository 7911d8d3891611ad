"""From features to one FiLM vector a shot."""

import pytest
import torch
from torch.nn.functional import normalize

from diffava.builders import build
from diffava.condition.alignment import Alignment
from diffava.condition.contrastive_loss import contrastive_loss
from diffava.config import AlignmentSection, load_config
from diffava.spec import Features

VIDEO_DIM, TEXT_DIM = 24, 16


def alignment(*, dmrn_zero_init: bool = True) -> Alignment:
    config = AlignmentSection(hidden_size=32, num_layers=2, num_heads=4, dmrn_zero_init=dmrn_zero_init)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Alignment(config, VIDEO_DIM, TEXT_DIM).eval()


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def features(shots: tuple[int, ...], shot_count: int, seed: int = 0) -> Features:
    starts = torch.arange(len(shots), dtype=torch.float32)
    return Features(
        text=unit(TEXT_DIM, seed=8),
        negative_text=unit(TEXT_DIM, seed=9),
        video=torch.randn(len(shots), VIDEO_DIM, generator=torch.Generator().manual_seed(seed)),
        token_start_s=starts,
        token_stop_s=starts + 1,
        shot=shots,
        shot_count=shot_count,
    )


def with_video(old: Features, video: torch.Tensor) -> Features:
    return Features(old.text, old.negative_text, video, old.token_start_s, old.token_stop_s, old.shot, old.shot_count)


def test_the_papers_transformer_has_the_papers_size():
    config = load_config("audioldm-s")
    with torch.device("meta"):
        full = Alignment(config.alignment, config.video.hidden_size, config.clap.projection_dim)
    layers = full.temporal_transformer.layers.layers
    assert sum(parameter.numel() for parameter in layers.parameters()) == 28_351_488
    assert [(layer.self_attn.embed_dim, layer.self_attn.num_heads) for layer in layers] == [(768, 8)] * 4
    assert all(layer.norm_first and layer.activation is torch.nn.functional.gelu for layer in layers)
    assert full.fuse(torch.zeros(2, 512, device="meta"), torch.zeros(2, 10, 768, device="meta")).shape == (2, 10, 512)


def test_layers_do_not_start_as_copies_of_each_other():
    first, second = alignment().temporal_transformer.layers.layers
    assert not torch.equal(first.linear1.weight, second.linear1.weight)


def test_each_shot_gets_one_unit_vector():
    condition = alignment()(features((0, 0, 1, 1, 1), 2))
    assert condition.shots.shape == (2, TEXT_DIM)
    torch.testing.assert_close(condition.shots.norm(dim=-1), torch.ones(2))
    assert not torch.allclose(condition.shots[0], condition.shots[1])


def test_guidances_other_side_is_the_negative_prompt():
    given = features((0, 0), 1)
    assert torch.equal(alignment()(given).unconditional, given.negative_text)


def test_a_prompt_alone_conditions_by_its_own_embedding():
    given = features((), 3)
    condition = alignment()(given)
    assert condition.shots.shape == (3, TEXT_DIM)
    assert all(torch.equal(shot, given.text) for shot in condition.shots)


def test_a_shot_without_tokens_is_conditioned_by_the_prompt():
    given = features((0, 0, 2), 4)
    condition = alignment()(given)
    assert torch.equal(condition.shots[1], given.text)
    assert torch.equal(condition.shots[3], given.text)
    assert not torch.equal(condition.shots[0], given.text)


def test_what_one_shot_shows_leaves_the_others_as_they_were():
    given = features((0, 0, 1, 1, 1), 2)
    changed = given.video.clone()
    changed[:2] = 0
    before, after = alignment()(given), alignment()(with_video(given, changed))
    assert torch.equal(before.shots[1], after.shots[1])
    assert not torch.allclose(before.shots[0], after.shots[0])


def test_the_order_of_tokens_matters():
    given = features((0,) * 6, 1)
    module = alignment()
    assert not torch.allclose(module(given).shots, module(with_video(given, given.video.flip(0))).shots, atol=1e-6)


def test_a_shot_longer_than_a_training_clip_is_read_as_clips_of_nearly_equal_length():
    module, lengths = alignment(), []
    module.temporal_transformer.register_forward_pre_hook(lambda _, arguments: lengths.append(arguments[0].shape[1]))
    condition = module(features((0,) * 23, 1))
    assert lengths == [8, 8, 7]
    torch.testing.assert_close(condition.shots.norm(dim=-1), torch.ones(1))


def test_an_untrained_alignment_is_the_mean_of_text_and_picture():
    module, text, video = alignment(), unit(2, TEXT_DIM), torch.randn(2, 5, VIDEO_DIM)
    with torch.no_grad():
        seen = module.temporal_transformer(video)
        expected = normalize((text.tanh()[:, None] + seen.tanh()) / 2, dim=-1)
        torch.testing.assert_close(module.fuse(text, video), expected)


def test_an_untrained_picture_is_about_as_loud_as_the_text():
    """With torch's own start the picture was thirteen times louder than the prompt and drowned it."""
    config = load_config("audioldm-s")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Alignment(config.alignment, config.video.hidden_size, config.clap.projection_dim).eval()
        with torch.no_grad():
            seen = module.temporal_transformer(torch.randn(1, 10, 768))
    assert seen.norm(dim=-1).mean().item() == pytest.approx(1, rel=0.15)


def test_training_reaches_every_weight_of_the_alignment():
    module = alignment(dmrn_zero_init=False)
    fused = module.fuse(unit(4, TEXT_DIM), torch.randn(4, module.clip_tokens, VIDEO_DIM))
    contrastive_loss(unit(4, module.clip_tokens, TEXT_DIM, seed=1), fused).backward()
    untouched = [name for name, weight in module.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert untouched == []


def test_training_reaches_nothing_but_the_alignment():
    pipeline = build("nano")
    pipeline.parts["alignment"].requires_grad_(True)
    text = pipeline.features.text.encode(["rain", "steps"])
    video = torch.stack([pipeline.features.video.encode(torch.zeros(8, 32, 32, 3, dtype=torch.uint8))] * 2)[:, None]
    contrastive_loss(unit(2, 1, 32), pipeline.parts["alignment"].fuse(text, video)).backward()
    frozen = (
        pipeline.features.text.model,
        pipeline.features.video.model,
        pipeline.parts["unet"],
        pipeline.parts["vae"],
        pipeline.parts["vocoder"],
    )
    assert all(weight.grad is None and not weight.requires_grad for part in frozen for weight in part.parameters())
    assert any(weight.grad is not None for weight in pipeline.parts["alignment"].parameters())
