"""Our reader of LAION-CLAP checkpoints against the installed laion-clap at full size, on random weights.

Skipped without the package, which is no dependency: it pins numpy below 2 and loads tokenizers over the network when it
is imported. `pip install 'diffava-foley[laion]' && pip install --no-deps laion-clap==1.1.7` brings it; only its network
code is loaded here, and torchvision, which that imports for one class it does not use, is stubbed where it is missing.
`test_laion_clap` checks the same on stored results of a tiny one.
"""

import importlib.machinery
import importlib.util
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import RobertaConfig, RobertaModel

from diffava.checkpoints.foreign import fit
from diffava.checkpoints.laion_clap import TEXT_LAYER_NORM_EPS, clap_towers
from diffava.features.clap import ClapAudioEncoder
from diffava.published_clap import empty_audio_tower, empty_text_tower

SPEC = importlib.util.find_spec("laion_clap")
pytestmark = [
    pytest.mark.skipif(SPEC is None, reason="laion-clap is not installed; see the docstring"),
    pytest.mark.filterwarnings("ignore"),  # its own code is of 2022
]
AUDIO = {"mel_bins": 64, "sample_rate": 48_000, "window_size": 1024, "hop_size": 480, "fmin": 50, "fmax": 14_000}
AUDIO |= {"audio_length": 1024, "clip_samples": 480_000, "class_num": 527, "model_type": "HTSAT", "model_name": "tiny"}


@pytest.fixture
def network_code(monkeypatch):
    """The modules of laion_clap that make networks, without its package's own imports."""
    assert SPEC is not None
    assert SPEC.origin is not None
    package = types.ModuleType("clap_module")
    package.__path__ = [str(Path(SPEC.origin).parent / "clap_module")]
    monkeypatch.setitem(sys.modules, "clap_module", package)
    if importlib.util.find_spec("torchvision") is None:
        for name in ("torchvision", "torchvision.ops", "torchvision.ops.misc"):
            stub = types.ModuleType(name)
            stub.__spec__ = importlib.machinery.ModuleSpec(name, None)
            monkeypatch.setitem(sys.modules, name, stub)
        monkeypatch.setattr(sys.modules["torchvision.ops.misc"], "FrozenBatchNorm2d", nn.BatchNorm2d, raising=False)
    from clap_module import htsat, model

    return htsat, model


@pytest.fixture
def theirs(network_code):
    """LAION's CLAP with HTSAT-tiny and RoBERTa-base, put together as its constructor does, without its downloads."""
    htsat, model = network_code
    with torch.random.fork_rng():
        torch.manual_seed(0)
        clap = model.CLAP.__new__(model.CLAP)
        nn.Module.__init__(clap)
        clap.audio_branch = htsat.create_htsat_model(types.SimpleNamespace(**AUDIO))
        clap.text_branch = RobertaModel(
            RobertaConfig(
                vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=TEXT_LAYER_NORM_EPS
            )
        )
        clap.text_branch_type = "roberta"
        clap.text_projection = nn.Sequential(nn.Linear(768, 512), nn.ReLU(), nn.Linear(512, 512))
        clap.audio_projection = nn.Sequential(nn.Linear(768, 512), nn.ReLU(), nn.Linear(512, 512))
    return clap.eval()


@torch.no_grad()
def test_both_towers_say_what_laion_clap_says(theirs):
    text, audio = clap_towers(theirs.state_dict())
    ears, reader = empty_audio_tower(audio), empty_text_tower(text, TEXT_LAYER_NORM_EPS)
    fit(ears, audio, "laion-clap")
    fit(reader, text, "laion-clap")
    generator = torch.Generator().manual_seed(1)
    sound = 0.1 * torch.randn(480_000, generator=generator)
    heard = theirs.get_audio_embedding([{"waveform": sound, "longer": torch.tensor([False])}])
    assert (ClapAudioEncoder(ears.eval()).encode(sound[None]) - heard).abs().max() < 1e-5
    ids = torch.tensor([[0, 102, 2335, 26544, 2], [0, 6161, 2, 1, 1]])
    read = theirs.get_text_embedding({"input_ids": ids, "attention_mask": (ids != 1).long()})
    output = reader.eval()(input_ids=ids, attention_mask=(ids != 1).long()).text_embeds
    assert (torch.nn.functional.normalize(output, dim=-1) - read).abs().max() < 1e-6
