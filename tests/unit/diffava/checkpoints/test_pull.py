"""Pulling: licence and size before the first byte, only the pinned file, and nothing that hashes to something else."""

import hashlib
import json

import huggingface_hub.constants as hub_constants
import pytest

from diffava.checkpoints import published_files, pull, registry
from diffava.checkpoints.published_files import published_file, pull_record
from diffava.checkpoints.registry import Published
from diffava.cli import pull_model as command
from diffava.errors import CheckpointError, RequestError
from support.file_server import file_server
from support.hub_server import COMMIT, hub_server

CONTENT = bytes(range(256)) * 20
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def know(monkeypatch, tmp_path):
    """Put an entry in the place of the registry's, and empty folders in the place of both caches."""

    def know(**changes) -> Published:
        values = {
            "name": "thing",
            "title": "A thing",
            "purpose": "evaluation",
            "licence": "MIT",
            "commercial_use_allowed": True,
            "hub": "owner/name",
            "revision": COMMIT,
            "source": "made up for this test",
            "files": ({"path": "deep/weights.bin"},),
        }
        values |= changes
        address = values.pop("address", "")
        found = Published.model_validate(values).model_copy(update={"url": address} if address else {})
        if address:
            found = found.model_copy(update={"hub": "", "revision": ""})
        for module in (registry, published_files):
            monkeypatch.setattr(module, "published", lambda _name: found)
        monkeypatch.setattr(command, "with_needs", lambda _name: (found,))
        return found

    for module in (pull, published_files):
        monkeypatch.setattr(module, "cache_root", lambda: tmp_path / "cache")
        monkeypatch.setattr(module, "hub_cache", lambda: tmp_path / "hub")
    return know


@pytest.fixture
def hub(monkeypatch):
    with hub_server({"deep/weights.bin": CONTENT}) as told:
        template = told.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(hub_constants, "ENDPOINT", told.address)
        monkeypatch.setattr(hub_constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield told


def file_of(**values) -> tuple[dict, ...]:
    return ({"path": "deep/weights.bin", **values},)


def test_a_file_of_the_hub_lands_in_the_hubs_own_cache(know, hub, tmp_path):
    pull.pull(know(files=file_of(sha256=SHA256, size_bytes=len(CONTENT))))
    path = published_file("thing")
    assert path.is_relative_to(tmp_path / "hub" / "models--owner--name" / "snapshots" / COMMIT)
    assert path.read_bytes() == CONTENT
    assert hub.sent == ["deep/weights.bin"]


def test_what_is_here_needs_no_network_again(know, hub, monkeypatch):
    entry = know(files=file_of(sha256=SHA256))
    pull.pull(entry)
    monkeypatch.setattr(pull, "hub_file", None)  # would fail if it were asked
    pull.pull(entry)
    pull.verify(entry)


def test_where_nobody_publishes_a_hash_the_hubs_is_checked_and_recorded(know, hub):
    entry = know(revision="main", source="no sha256 is known")
    pull.pull(entry)
    record = pull_record(entry)
    assert record["revision"] == COMMIT
    assert record["files"] == {"deep/weights.bin": {"size_bytes": len(CONTENT), "sha256": SHA256}}
    assert record["licence"] == "MIT"
    path = published_file("thing")
    path.resolve().write_bytes(b"x" + CONTENT[1:])
    with pytest.raises(CheckpointError, match=f"should be {SHA256}"):
        pull.verify(entry)


def test_a_hub_that_has_another_file_than_the_registry_knows_brings_nothing(know, hub):
    entry = know(files=file_of(sha256="0" * 64))
    with pytest.raises(CheckpointError, match=f"has the sha256 {SHA256}, the registry knows 0000"):
        pull.pull(entry)
    assert hub.sent == []


def test_a_hub_that_sends_another_file_than_it_promises_leaves_nothing(know, hub, monkeypatch):
    entry = know(files=file_of(sha256=SHA256))
    monkeypatch.setattr(pull, "hub_file", lambda *_a: pull.HubFile(COMMIT, len(CONTENT), SHA256))
    hub.files["deep/weights.bin"] = b"other"
    with pytest.raises(CheckpointError, match="is not the file of 'thing' that is expected"):
        pull.pull(entry)
    with pytest.raises(CheckpointError, match="not on this machine"):
        published_file("thing")


def test_without_a_connection_the_hub_is_one_sentence(know, monkeypatch):
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="check the connection, that HF_HUB_OFFLINE is not set"):
        pull.pull(know())


def test_a_file_of_an_address_is_checked_and_recorded(know):
    with file_server({"deep/weights.bin": CONTENT}) as server:
        entry = know(address=server.address)
        pull.pull(entry)
        assert published_file("thing").read_bytes() == CONTENT
        assert pull_record(entry)["files"]["deep/weights.bin"]["sha256"] == SHA256
        pull.verify(entry)
        published_file("thing").write_bytes(b"x" + CONTENT[1:])
        with pytest.raises(CheckpointError, match="is not the file"):
            pull.verify(entry)


def test_too_little_room_is_said_before_anything_is_brought(know, hub, monkeypatch):
    monkeypatch.setattr(pull, "room_bytes", lambda _folder: 5_000_000)
    with pytest.raises(CheckpointError, match=r"needs 9 MB and the disk of .* has 5 MB left"):
        pull.pull(know(files=file_of(size_bytes=9_000_000)))
    assert hub.sent == []


def test_a_licence_without_commercial_use_is_said_and_must_be_accepted(know, hub, capsys):
    know(commercial_use_allowed=False, licence="CC BY-NC", files=file_of(size_bytes=3_000_000, sha256=SHA256))
    with pytest.raises(RequestError, match=r"may NOT be used commercially, and nothing was brought.*--accept-licence"):
        command.pull_model("thing")
    said = capsys.readouterr().out
    assert "CC BY-NC" in said
    assert "NOT FOR COMMERCIAL USE" in said
    assert "3.0 MB" in said
    assert hub.sent == []


def test_with_the_licence_accepted_it_is_brought(know, hub, capsys):
    know(commercial_use_allowed=False, licence="CC BY-NC", files=file_of(sha256=SHA256))
    command.pull_model("thing", accept_licence=True, as_json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {"pulled": [{"name": "thing", "licence": "CC BY-NC"}], "commercial_use_allowed": False}
    assert hub.sent == ["deep/weights.bin"]


def test_a_size_that_no_source_says_is_asked_of_the_hub_before_anything_is_brought(know, hub, capsys):
    know()
    command.pull_model("thing")
    said = capsys.readouterr().out
    assert "1 more files, whose size only the server knows" in said
    assert "Bringing thing: 0.0 MB" in said
    assert pull.missing_bytes(know(files=({"path": "deep/weights.bin"},))) == 0
