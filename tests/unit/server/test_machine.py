"""Token, state file and socket on disk."""

import contextlib
import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from diffava_server.errors import StartError
from diffava_server.machine import systemd
from diffava_server.machine.state import ServerState, published
from diffava_server.machine.token import read_or_create_token
from diffava_server.machine.unix_socket import claimed
from support.disks import mounted_disk

posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes and Unix sockets are not used on Windows")


def state(pid=None):
    return ServerState("127.0.0.1:1", "/t", os.getpid() if pid is None else pid, "1.0", ("nano",))


def test_a_token_is_made_once_and_found_again(tmp_path):
    path = tmp_path / "sub" / "token"
    token = read_or_create_token(path)
    assert len(token) >= 43
    assert read_or_create_token(path) == token
    assert [p.name for p in path.parent.iterdir()] == ["token"]


@posix
def test_a_token_file_is_for_this_user_alone(tmp_path):
    read_or_create_token(tmp_path / "token")
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_servers_that_start_together_agree_on_one_token(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: read_or_create_token(tmp_path / "token"), range(32)))
    assert len(tokens) == 1


@posix
def test_a_token_that_others_can_read_is_refused_with_the_command_that_helps(tmp_path):
    path = tmp_path / "token"
    path.write_text("x" * 40)
    path.chmod(0o644)
    with pytest.raises(StartError, match=r"can be read by other users \(mode 644\); run: chmod 600"):
        read_or_create_token(path)


@pytest.mark.parametrize("text", ["", "\n", "short", "two lines of it\nand more of it", "ümläute" * 9])
def test_an_unusable_token_is_refused(tmp_path, text):
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(StartError, match="holds no usable token"):
        read_or_create_token(path)


def test_a_token_file_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"cannot be used .* --token-file"):
        read_or_create_token(tmp_path / "file" / "token")


def test_a_token_that_is_there_is_read_without_writing_beside_it(tmp_path, monkeypatch):
    """In a folder such as /etc the server's user may read its token and write nothing."""
    token = read_or_create_token(tmp_path / "token")
    monkeypatch.setattr("diffava_server.machine.token.create_private", lambda *_: pytest.fail("it wrote"))
    assert read_or_create_token(tmp_path / "token") == token


@posix
def test_a_full_disk_leaves_nothing_of_a_private_file(tmp_path):
    with mounted_disk(tmp_path / "small", "size=64k") as disk:
        fill(disk)
        with pytest.raises(StartError, match=r"No space left .* --token-file"):
            read_or_create_token(disk / "token")
        with (
            pytest.raises(StartError, match=r"state file .* cannot be written .*No space left"),
            published(state(), disk / "s"),
        ):
            pass
        assert [p.name for p in disk.iterdir()] == ["filler"]


def fill(disk):
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_the_state_file_is_there_while_the_server_answers_and_no_longer(tmp_path):
    path = tmp_path / "state.json"
    with published(state(), path):
        assert json.loads(path.read_text())["address"] == "127.0.0.1:1"
    assert not path.exists()


def test_a_state_file_that_another_server_has_taken_over_is_left_alone(tmp_path):
    path = tmp_path / "state.json"
    with published(state(), path):
        path.write_text(state(pid=1).to_json())
    assert json.loads(path.read_text())["pid"] == 1


@posix
def test_a_dead_servers_socket_is_removed(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with claimed(path):
        assert not path.exists()


@posix
def test_a_living_servers_socket_is_refused_and_kept(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        with pytest.raises(StartError, match="Another server answers at unix:"), claimed(path):
            pass
        assert path.exists()


@posix
def test_a_file_in_the_sockets_place_is_refused_and_kept(tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(StartError, match="is not a socket"), claimed(path):
        pass
    assert path.read_text() == "precious"


@posix
def test_a_folder_that_cannot_hold_a_socket_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"cannot be used .*; choose another path"), claimed(tmp_path / "file" / "s"):
        pass


@posix
@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_is_told_where_it_listens(tmp_path, monkeypatch, is_abstract):
    if is_abstract and sys.platform != "linux":
        pytest.skip("only Linux has abstract names")
    name = f"diffava-test-{os.getpid()}" if is_abstract else str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}" if is_abstract else name)
        listening.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if is_abstract else name)
        systemd.notify("READY=1")
        assert listening.recv(100) == b"READY=1"


def test_without_systemd_or_with_a_deaf_one_nothing_happens(tmp_path, monkeypatch):
    systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    systemd.notify("READY=1")
