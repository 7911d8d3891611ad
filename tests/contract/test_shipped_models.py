"""What ships under `diffava/weights`: intact, small enough for a clone, and with its papers."""

import json

import pytest

from diffava.checkpoints.embedded import weights_root
from diffava.checkpoints.manifest import read_manifest, size_bytes, weights_sha256_of
from diffava.config import config_from_dict, preset_names

SHIPPED = sorted(path.name for path in weights_root().glob("*") if path.is_dir())
FILE_BYTES, FOLDER_BYTES = 16_000_000, 64_000_000

pytestmark = pytest.mark.skipif(not SHIPPED, reason="no trained weights are in this checkout")


@pytest.fixture(params=SHIPPED)
def folder(request):
    return weights_root() / request.param


def test_every_file_is_what_its_sha256_says_and_the_configuration_is_of_this_version(folder):
    config = config_from_dict(read_manifest(folder), str(folder))
    assert config.name == folder.name
    assert folder.name in preset_names()
    assert config.commercial_use_allowed


def test_every_file_and_the_whole_stay_small(folder):
    assert max(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < FILE_BYTES
    assert size_bytes(folder) < FOLDER_BYTES


def test_card_and_credits_are_there_and_vouched_for_and_the_figures_are_of_these_weights(folder):
    vouched_for = json.loads((folder / "model.json").read_text("utf-8"))["sha256"]
    assert {"MODEL_CARD.md", "CREDITS.md", "training.json", "figures.json"} <= set(vouched_for)
    figures = json.loads((folder / "figures.json").read_text("utf-8"))
    assert figures["weights_sha256"] == weights_sha256_of(folder)
    assert weights_sha256_of(folder) in (folder / "MODEL_CARD.md").read_text("utf-8")
    assert "## CC-BY" in (folder / "CREDITS.md").read_text("utf-8")
