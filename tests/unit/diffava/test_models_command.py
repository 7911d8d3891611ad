"""`diffava models`: what is said of a model with and without its weights, and that a damaged file is noticed."""

import json

import pytest

from diffava.checkpoints import embedded
from diffava.checkpoints.manifest import write_manifest
from diffava.cli.models import list_models, verify
from diffava.config import load_config
from diffava.errors import CheckpointError, RequestError

SHA256 = "0123456789abcdef" * 4


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder in the place of `mini`'s weights; its only part is 3 000 000 bytes long."""
    folder = tmp_path / "mini"
    (folder / "transformer").mkdir(parents=True)
    (folder / "transformer" / "model.safetensors").write_bytes(bytes(3_000_000))
    write_manifest(folder, load_config("mini").model_dump(mode="json"), SHA256)
    monkeypatch.setattr(embedded, "weights_root", lambda: tmp_path)
    return folder


def listed(capsys):
    list_models(as_json=True)
    return {model["name"]: model for model in json.loads(capsys.readouterr().out)["models"]}


def test_a_model_that_ships_is_listed_with_size_hash_and_licence(shipped, capsys):
    mini = listed(capsys)["mini"]
    assert mini["can_run"]
    assert mini["commercial_use_allowed"]
    assert mini["weights_sha256"] == SHA256
    assert 3_000_000 < mini["size_bytes"] < 3_010_000
    list_models()
    assert "Trained; its weights are here: 3.0 MB, sha256 0123456789ab…" in capsys.readouterr().out


def test_without_its_weights_a_model_is_listed_with_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(embedded, "weights_root", lambda: tmp_path)
    found = listed(capsys)
    assert not found["mini"]["can_run"]
    assert "diffava train mini" in found["mini"]["lacks"]
    assert found["nano"]["can_run"]
    assert "published weights" in found["audioldm-s"]["lacks"]


@pytest.mark.parametrize("by_folder", [False, True])
def test_intact_weights_are_said_to_be(shipped, capsys, by_folder):
    verify(str(shipped) if by_folder else "mini")
    assert f"intact: 3.0 MB, weights' sha256 {SHA256}" in capsys.readouterr().out


def test_a_changed_byte_is_found(shipped):
    path = shipped / "transformer" / "model.safetensors"
    path.write_bytes(b"\x01" + path.read_bytes()[1:])
    with pytest.raises(CheckpointError, match=r"transformer/model\.safetensors is damaged"):
        verify("mini")


@pytest.mark.parametrize(("name", "why"), [("nano", "no weights ship for it"), ("nanno", "neither a model nor")])
def test_what_has_no_weights_cannot_be_verified(shipped, name, why):
    with pytest.raises(RequestError, match=why):
        verify(name)
