"""Case 10: the disk is full, where the editor's sound should go or where the server writes its log."""

import asyncio
import contextlib
import os
import subprocess
import sys

import pytest

from diffava_server.load.plan import LoadPlan
from diffava_server.load.run import run_load
from support.disks import mounted_disk
from support.server import server_process
from support.serving.loaded_server import loaded_server
from support.tiny_cut import write_tiny_cut

DIFFAVA = [sys.executable, "-c", "from diffava.cli import main; main()"]


@contextlib.contextmanager
def full(disk):
    """The disk without a free byte."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink()


def test_case_10_a_full_disk_is_one_sentence_and_leaves_no_part_of_a_result(tmp_path):
    cut = write_tiny_cut(tmp_path).path
    with server_process(tmp_path / "server") as server, mounted_disk(tmp_path / "small", "size=2m") as disk:
        place = ["--server", server.address, "--token-file", server.token_file]
        asked = ["--prompt", "a door", "--range", "f0", "f20", "-o", disk / "out.otio"]
        command = [*DIFFAVA, "foley", cut, *asked, *place]
        with full(disk):
            failed = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=120)
            left = [path for path in disk.rglob("*") if path.is_file() and path.name != "filler"]
        assert failed.returncode == 1, failed.stderr
        assert "full" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert not left
        again = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=120)
        assert again.returncode == 0, again.stderr


@pytest.mark.skipif(os.name == "nt", reason="mounts a disk")
def test_case_10_jobs_go_on_where_the_servers_log_has_no_room(tmp_path):
    with mounted_disk(tmp_path / "small", "size=64k") as disk, loaded_server(disk / "server", {}) as server, full(disk):
        plan = LoadPlan(client_count=2, requests_per_client=20, lengths_s=(0.1,), duration_s=60, attempt_count=1)
        figures = asyncio.run(run_load(server.target, plan))
    assert (figures["done"], figures["lost"]) == (40, 0), figures["faults"]
