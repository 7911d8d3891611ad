"""DiffAVA as a library: frames and a prompt in, foley of the exact length out. Knows no network and no editor.

Names load when they are first used, so that `import diffava` costs no torch.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "Spec": "diffava.spec",
    "Frames": "diffava.spec",
    "Features": "diffava.spec",
    "Condition": "diffava.spec",
    "Latent": "diffava.spec",
    "Waveform": "diffava.spec",
    "FoleyRequest": "diffava.spec",
    "KeptPart": "diffava.spec",
    "ModelConfig": "diffava.config",
    "load_config": "diffava.config",
    "FoleyPipeline": "diffava.pipeline",
    "build": "diffava.builders",
    "load": "diffava.builders",
    "open_model": "diffava.builders",
    "save": "diffava.builders",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'diffava' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)
