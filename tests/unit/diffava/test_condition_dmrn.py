"""The dual multi-modal residual network against a restatement of its equations in plain numpy."""

import numpy as np
import pytest
import torch

from diffava.condition.dmrn import DualMultimodalResidualNetwork


def network(dim: int, *, zero_init: bool = False) -> DualMultimodalResidualNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DualMultimodalResidualNetwork(dim, zero_init=zero_init)


def streams(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator), torch.randn(*shape, generator=generator)


def equations(weights: dict[str, np.ndarray], text: np.ndarray, video: np.ndarray) -> np.ndarray:
    """Tian et al. 2018, line by line."""

    def u(stream: str, x: np.ndarray) -> np.ndarray:
        w1, b1, w2, b2 = (weights[f"{stream}_residual.{name}"] for name in ("0.weight", "0.bias", "2.weight", "2.bias"))
        return w2 @ np.tanh(w1 @ x + b1) + b2

    fused = np.empty_like(text)
    for step in range(len(text)):
        g = 0.5 * (u("text", text[step]) + u("video", video[step]))
        fused[step] = 0.5 * (np.tanh(text[step] + g) + np.tanh(video[step] + g))
    return fused


def test_it_computes_the_papers_equations():
    dmrn, (text, video) = network(16), streams(5, 16)
    weights = {name: value.numpy().astype(np.float64) for name, value in dmrn.state_dict().items()}
    expected = equations(weights, text.double().numpy(), video.double().numpy())
    with torch.no_grad():
        np.testing.assert_allclose(dmrn(text, video).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("dim", "parameters"), [(256, 263_168), (512, 1_050_624), (768, 2_362_368)])
def test_its_size_is_that_of_the_original(dim, parameters):
    assert sum(parameter.numel() for parameter in network(dim).parameters()) == parameters


def test_its_result_stays_inside_one():
    text, video = streams(5, 16)
    assert network(16)(text * 3, video * 3).abs().max() < 1


def test_swapping_the_streams_and_their_transforms_changes_nothing():
    dmrn, swapped, (text, video) = network(16), network(16), streams(5, 16)
    swapped.text_residual, swapped.video_residual = swapped.video_residual, swapped.text_residual
    assert torch.equal(dmrn(text, video), swapped(video, text))
    assert not torch.allclose(dmrn(text, video), dmrn(video, text))


def test_weights_are_shared_over_time():
    dmrn, (text, video) = network(16), streams(2, 5, 16)
    torch.testing.assert_close(dmrn(text, video)[:, 3], dmrn(text[:, 3], video[:, 3]))


def test_it_starts_as_the_mean_of_both_streams():
    text, video = streams(5, 16)
    torch.testing.assert_close(network(16, zero_init=True)(text, video), (text.tanh() + video.tanh()) / 2)
