"""Files over http: whole or not at all, going on after a cut, and nothing that hashes to something else."""

import errno
import hashlib

import pytest

from diffava.checkpoints import download as module
from diffava.checkpoints.download import download
from diffava.errors import CheckpointError
from support.file_server import file_server

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server():
    with file_server({"weights.pth": CONTENT}) as told:
        yield told


def url(server) -> str:
    return f"{server.address}/weights.pth"


def test_a_file_arrives_whole(server, tmp_path):
    seen = []
    target = tmp_path / "deep" / "weights.pth"
    assert download(url(server), target, sha256=SHA256, md5=MD5, on_bytes=seen.append) == SHA256
    assert target.read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)
    assert not list(target.parent.glob("*.part"))


def test_a_cut_connection_is_resumed_where_it_broke(server, tmp_path):
    server.cut_after_bytes, server.cuts = 3000, 2
    download(url(server), tmp_path / "weights.pth", sha256=SHA256)
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT
    assert server.ranges == ["", "bytes=3000-", "bytes=6000-"]


def test_what_an_earlier_run_brought_is_kept_and_used(server, tmp_path):
    server.cut_after_bytes, server.cuts = 0, 3
    with pytest.raises(CheckpointError, match=r"could not be brought .* run the same command again"):
        download(url(server), tmp_path / "weights.pth", sha256=SHA256)
    assert not (tmp_path / "weights.pth").exists()
    (tmp_path / "weights.pth.part").write_bytes(CONTENT[:5000])
    server.ranges.clear()
    download(url(server), tmp_path / "weights.pth", sha256=SHA256)
    assert server.ranges == ["bytes=5000-"]
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_the_file_anew(server, tmp_path):
    server.knows_ranges = False
    (tmp_path / "weights.pth.part").write_bytes(CONTENT[:5000])
    download(url(server), tmp_path / "weights.pth", sha256=SHA256)
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server, tmp_path):
    (tmp_path / "weights.pth.part").write_bytes(CONTENT * 2)
    download(url(server), tmp_path / "weights.pth", sha256=SHA256)
    assert (tmp_path / "weights.pth").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        ({"sha256": "0" * 64}, f"its sha256 is {SHA256}, it should be {'0' * 64}"),
        ({"md5": "0" * 32}, f"its md5 is {MD5}"),
        ({"size_bytes": 5}, f"it has {len(CONTENT)} bytes, it should have 5"),
    ],
)
def test_another_content_is_refused_and_removed(server, tmp_path, known, sentence):
    with pytest.raises(CheckpointError, match=sentence):
        download(url(server), tmp_path / "weights.pth", **known)
    assert not list(tmp_path.glob("weights*.pth")) + list(tmp_path.glob("*.part"))


def test_a_file_that_the_server_does_not_have_is_one_sentence(server, tmp_path):
    with pytest.raises(CheckpointError, match="answers 404"):
        download(f"{server.address}/other.pth", tmp_path / "other.pth")


def test_without_a_connection_it_is_one_sentence(tmp_path):
    with file_server({}) as gone:
        address = gone.address
    with pytest.raises(CheckpointError, match=r"could not be brought .*Check the connection"):
        download(f"{address}/weights.pth", tmp_path / "weights.pth")


def test_a_full_disk_is_one_sentence_and_leaves_no_file(server, tmp_path, monkeypatch):
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(CheckpointError, match="The disk is full"):
        download(url(server), tmp_path / "weights.pth")
    assert not (tmp_path / "weights.pth").exists()
