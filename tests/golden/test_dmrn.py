"""The dual multi-modal residual network against its authors' own code, on the same weights.

Provenance: `dmrn.safetensors` was made by `TBMRF_Net.TBMRF_block` with one block, models_fusion.py of
github.com/YapengTian/AVE-ECCV18 at 93f843f (torch 2.13.0, float32, CPU), with hidden size 8 in both directions, so that
streams have 16 numbers; weights and both streams are drawn from torch's generator with seed 7. The code itself has no
licence and is not kept here. Tolerance: 1e-6, rounding of float32 in another order of sums; here they agree to the bit.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file

from diffava.condition.dmrn import DualMultimodalResidualNetwork


def test_it_computes_what_its_authors_compute():
    golden = load_file(Path(__file__).parent / "dmrn.safetensors")
    first, second = golden["first_stream"], golden["second_stream"]
    network = DualMultimodalResidualNetwork(first.shape[-1])
    prefix = "weights."
    network.load_state_dict({name.removeprefix(prefix): w for name, w in golden.items() if name.startswith(prefix)})
    with torch.no_grad():
        torch.testing.assert_close(network(first, second), golden["fused"], rtol=0, atol=1e-6)
        assert not torch.allclose(network(second, first), golden["fused"], atol=1e-3)
