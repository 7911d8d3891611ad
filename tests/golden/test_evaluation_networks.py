"""VGGish, Cnn14, C3D and the resampling before them, against what their references say of the same random weights.

Where the golden numbers come from stands in evaluation_networks.json.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from diffava.evaluation.networks.c3d import c3d_features, clips_of, open_c3d
from diffava.evaluation.networks.cnn14 import cnn14_features, open_cnn14
from diffava.evaluation.networks.vggish import log_mel_examples, open_vggish, vggish_features
from diffava.evaluation.tables.sinc_resample import sinc_resample
from support.random_weights import FILES, write_weights

GOLDEN = json.loads(Path(__file__).with_name("evaluation_networks.json").read_text("utf-8"))
TOLERANCE = 1e-4  # of values up to 20 that the file has in six digits


def sound(seconds):
    """A rising tone with a burst of noise twice a second, at 16 kHz."""
    times_s = np.arange(int(16_000 * seconds)) / 16_000
    noise = np.random.default_rng(0).standard_normal(len(times_s))
    samples = 0.3 * np.sin(2 * np.pi * (200 + 900 * times_s) * times_s) + 0.2 * noise * np.exp(-((times_s * 2) % 1) * 6)
    return torch.from_numpy(samples.astype(np.float32))


def test_vggish_is_torchvggish(tmp_path):
    network = open_vggish(write_weights(tmp_path, ("vggish",)) / FILES["vggish"])
    found = vggish_features(network, sound(2.1))
    assert found.shape == (2, 128)
    assert found[:, ::4].flatten().tolist() == pytest.approx(GOLDEN["vggish"], abs=TOLERANCE)
    assert (found < 0).any(), "the last ReLU is left out"
    assert vggish_features(network, sound(0.5)).shape == (0, 128)


@pytest.mark.parametrize(("seconds", "examples"), [(0.96, 0), (1, 1), (2, 2), (5.12, 5), (10, 10), (10.24, 10)])
def test_vggish_hears_whole_examples_only(seconds, examples):
    assert log_mel_examples(sound(seconds)).shape == (examples, 96, 64)


def test_cnn14_is_panns_as_audioldm_eval_has_it(tmp_path):
    network = open_cnn14(write_weights(tmp_path, ("cnn14",)) / FILES["cnn14"])
    features, logits = cnn14_features(network, sound(2.1))
    assert features[::32].tolist() == pytest.approx(GOLDEN["cnn14_features"], abs=TOLERANCE)
    assert logits[::8].tolist() == pytest.approx(GOLDEN["cnn14_logits"], abs=TOLERANCE)
    assert cnn14_features(network, sound(0.01))[0].isfinite().all()
    with_its_transform = sum(value.numel() for name, value in network.state_dict().items() if "bn" not in name)
    batch_norms = sum(value.numel() for name, value in network.named_parameters() if "bn" in name)
    assert with_its_transform + batch_norms + 2 * 257 * 512 == 81_033_231


def test_c3d_is_the_published_port(tmp_path):
    network = open_c3d(write_weights(tmp_path, ("c3d",)) / FILES["c3d"])
    pictures = np.random.default_rng(3).integers(0, 256, (35, 128, 171, 3)).astype(np.uint8)
    sixth, seventh = network(torch.stack(list(clips_of(iter(pictures)))))
    assert sixth[:, ::128].flatten().tolist() == pytest.approx(GOLDEN["c3d_fc6"], abs=TOLERANCE)
    assert seventh[:, ::128].flatten().tolist() == pytest.approx(GOLDEN["c3d_fc7"], abs=TOLERANCE)
    assert c3d_features(network, iter(pictures[:5])).shape == (1, 4096)
    assert c3d_features(network, iter(())).shape == (0, 4096)


def test_resampling_is_torchaudios():
    generator = torch.Generator().manual_seed(5)
    for rate_hz, wanted in GOLDEN["resample"].items():
        samples = torch.randn(3000, generator=generator) * 0.3
        found = sinc_resample(samples, int(rate_hz), 16_000)
        assert found[100:130].tolist() == pytest.approx(wanted, abs=2e-6), rate_hz
