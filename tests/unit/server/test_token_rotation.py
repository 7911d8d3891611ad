"""A new token in the place of the old one, as a server that runs sees it."""

import os
import stat
import sys

import pytest

from diffava_server.errors import StartError
from diffava_server.machine.token import TokenFile, rotate_token

DAY_S = 24 * 3600.0


class Clocks:
    """A monotonic clock and one on the wall, which may be set."""

    def __init__(self):
        self.monotonic_s, self.wall_s = 100.0, 1_800_000_000.0

    def go(self, duration_s):
        self.monotonic_s += duration_s
        self.wall_s += duration_s


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "token"


def running(path, clocks, said=None):
    complain = said.append if said is not None else lambda sentence: None
    return TokenFile(path, complain, lambda: clocks.monotonic_s, lambda: clocks.wall_s)


def rotate(path, clocks, grace_s=3600.0):
    rotate_token(path, grace_s, lambda: clocks.wall_s)


def test_a_running_server_takes_the_new_token_and_the_old_one_until_its_time_is_up(path, clocks):
    server = running(path, clocks)
    old = server.token
    rotate(path, clocks)
    new = path.read_text().strip()
    assert new != old
    assert (server.accepts(new), server.accepts(old), server.accepts("")) == (True, True, False)
    clocks.go(3599)
    assert server.accepts(old)
    clocks.go(2)
    assert (server.accepts(new), server.accepts(old)) == (True, False)


@pytest.mark.parametrize("part_of_a_second", [0.0, 0.6, 0.999])
def test_without_grace_the_old_token_ends_at_once(path, clocks, part_of_a_second):
    clocks.go(part_of_a_second)
    server = running(path, clocks)
    old = server.token
    rotate(path, clocks, grace_s=0)
    assert not server.accepts(old)
    assert server.accepts(path.read_text().strip())


def test_a_server_that_starts_meanwhile_knows_both_and_one_that_starts_later_only_the_new_one(path, clocks):
    old = running(path, clocks).token
    rotate(path, clocks)
    assert running(path, clocks).accepts(old)
    clocks.go(3601)
    assert not running(path, clocks).accepts(old)


def test_only_the_last_token_before_stays_good(path, clocks):
    server = running(path, clocks)
    first = server.token
    rotate(path, clocks)
    second = path.read_text().strip()
    rotate(path, clocks)
    assert (server.accepts(first), server.accepts(second)) == (False, True)


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_a_wall_clock_that_jumps_neither_ends_nor_lengthens_the_grace_of_a_running_server(path, clocks, jump_s):
    server = running(path, clocks)
    old = server.token
    rotate(path, clocks)
    assert server.accepts(old)
    clocks.wall_s += jump_s
    assert server.accepts(old)
    clocks.go(3601)
    assert not server.accepts(old)


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are not used on Windows")
def test_both_tokens_are_for_this_user_alone(path, clocks):
    running(path, clocks)
    rotate(path, clocks)
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {
        "token": 0o600,
        "token.previous": 0o600,
    }


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root may give a file away")
def test_root_leaves_the_file_to_the_user_whose_it_was(path, clocks):
    running(path, clocks)
    os.chown(path, 12345, 12345)
    rotate(path, clocks)
    assert {file.stat().st_uid for file in path.parent.iterdir()} == {12345}


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are not used on Windows")
def test_a_token_file_that_is_opened_to_others_is_said_once_and_what_it_said_stays_good(path, clocks):
    said = []
    server = running(path, clocks, said)
    before = server.token
    path.write_text("x" * 40)
    path.chmod(0o644)
    assert (server.accepts(before), server.accepts("x" * 40)) == (True, False)
    assert len(said) == 1
    assert "chmod 600" in said[0]
    assert before not in said[0]


@pytest.mark.parametrize("content", ["", "one\n", "a b c", "token not-a-number", "\x00\xff"])
def test_a_broken_file_of_the_token_before_is_as_none(path, clocks, content):
    server = running(path, clocks)
    previous = path.with_name("token.previous")
    previous.write_text(content)
    previous.chmod(0o600)
    assert server.accepts(server.token)
    assert not server.accepts("")


def test_rotating_what_is_not_there_is_refused(path, clocks):
    with pytest.raises(StartError, match=r"There is no token file .*--token-file"):
        rotate(path, clocks)


@pytest.mark.parametrize("grace_s", [-1, 40 * DAY_S, float("nan")])
def test_a_grace_out_of_bounds_is_refused(path, clocks, grace_s):
    running(path, clocks)
    with pytest.raises(StartError, match="give 0 to 2592000 s") as caught:
        rotate(path, clocks, grace_s)
    assert caught.value.exit_code == 2
