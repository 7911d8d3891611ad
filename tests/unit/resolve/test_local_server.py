"""Finding, starting and sharing a server of one's own; what answers is a real process with the fake engine."""

import json
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

from diffava_resolve.client.local_server import DEFAULT_MODEL, LocalServers, state_directory
from diffava_resolve.errors import RequestError, ServerError
from support.server import server_process


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with server_process(tmp_path_factory.mktemp("server")) as process:
        yield process


class FakeProcess:
    def __init__(self, exit_code=None):
        self.exit_code = exit_code
        self.is_terminated = False

    def poll(self):
        return self.exit_code

    def terminate(self):
        self.is_terminated = True


class Launcher:
    """Pretends to start a server: the one that runs already says that it is the one wanted."""

    def __init__(self, server=None, exit_code=None, log=""):
        self.server, self.exit_code, self.log = server, exit_code, log
        self.settings = []
        self.process = FakeProcess(exit_code)

    def __call__(self, settings, log_file):
        self.settings.append(settings)
        log_file.write_text(self.log)
        if self.server is not None:
            shutil.copy(self.server.token_file, settings["DIFFAVA_SERVER_TOKEN_FILE"])
            state = {"address": self.server.address, "pid": self.server.pid}
            Path(settings["DIFFAVA_SERVER_STATE_FILE"]).write_text(json.dumps(state))
        return self.process


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s

    def sleep(self, duration_s):
        self.now_s += duration_s


def servers(tmp_path, launcher, **given):
    clock = Clock()
    return LocalServers(tmp_path / "state", launcher, clock_s=clock, sleep_s=clock.sleep, **given)


def test_a_server_is_started_once_and_found_again(tmp_path, server):
    launcher, said = Launcher(server), []
    for _ in range(2):
        with servers(tmp_path, launcher, say=said.append).connect() as client:
            assert client.models()[0].name == "fake"
    assert len(launcher.settings) == 1
    assert len(said) == 1
    assert "ten minutes" in said[0]


def test_a_started_server_is_told_to_end_when_idle_and_to_listen_for_this_user_alone(tmp_path, server):
    launcher = Launcher(server)
    servers(tmp_path, launcher).connect().close()
    (settings,) = launcher.settings
    assert settings["DIFFAVA_SERVER_IDLE_EXIT_S"] == "600"
    assert settings["DIFFAVA_SERVER_MODELS"] == DEFAULT_MODEL
    if sys.platform != "win32":
        assert settings["DIFFAVA_SERVER_LISTEN"].startswith("unix:")
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_model_that_the_warm_server_lacks_gets_a_server_of_its_own(tmp_path, server):
    launcher = Launcher(server)
    servers(tmp_path, launcher).connect().close()
    servers(tmp_path, launcher).connect("nano").close()
    assert [settings["DIFFAVA_SERVER_MODELS"] for settings in launcher.settings] == [DEFAULT_MODEL, "nano"]


def test_a_server_started_for_a_model_that_was_named_is_found_by_who_names_none(tmp_path, server):
    launcher = Launcher(server)
    servers(tmp_path, launcher).connect(DEFAULT_MODEL).close()
    servers(tmp_path, launcher).connect().close()
    assert len(launcher.settings) == 1


def test_a_warm_server_that_has_the_model_is_used_for_it(tmp_path, server):
    launcher = Launcher(server)
    servers(tmp_path, launcher).connect().close()
    servers(tmp_path, launcher).connect("fake").close()
    assert len(launcher.settings) == 1


def test_a_server_of_another_version_is_left_alone_and_a_new_one_started(tmp_path, server):
    launcher = Launcher(server)
    servers(tmp_path, launcher).connect().close()
    with pytest.raises(ServerError, match="not ready"):
        servers(tmp_path, Launcher(), software_version="99.0").connect()


def test_the_remains_of_a_dead_server_are_cleared_away(tmp_path, server):
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    dead = state / "default-00000000.json"
    dead.write_text(json.dumps({"address": f"unix:{state}/gone.sock", "pid": 2**22 + 1}))
    dead.with_suffix(".token").write_text("x" * 32)
    dead.with_suffix(".log").write_text("it ran")
    (state / "default-11111111.json").write_text("{not json")
    servers(tmp_path, Launcher(server)).connect().close()
    left = {path.name for path in state.iterdir()}
    assert not any("00000000" in name or "11111111" in name for name in left)


def test_a_start_that_fails_says_the_servers_last_words(tmp_path):
    launcher = Launcher(exit_code=1, log="loading\nThe model folder is damaged; pull it again.\n")
    with pytest.raises(ServerError, match="pull it again"):
        servers(tmp_path, launcher).connect()


def test_a_start_refused_for_the_request_is_a_wrong_request(tmp_path):
    launcher = Launcher(exit_code=2, log="There is no model preset 'foleymatic'. Known: mini, nano.\n")
    with pytest.raises(RequestError, match=r"^There is no model preset 'foleymatic'\. Known: mini, nano\.$"):
        servers(tmp_path, launcher).connect("foleymatic")


def test_a_start_that_never_gets_ready_ends_after_the_limit_and_ends_the_process(tmp_path):
    launcher = Launcher()
    with pytest.raises(ServerError, match=r"not ready after 3 s; its log is .*\.log"):
        servers(tmp_path, launcher, start_timeout_s=3.0).connect()
    assert launcher.process.is_terminated


def test_an_interrupted_start_ends_the_process_and_leaves_no_state(tmp_path):
    launcher = Launcher()

    def interrupted(duration_s):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalServers(tmp_path / "state", launcher, sleep_s=interrupted).connect()
    assert launcher.process.is_terminated
    assert not list((tmp_path / "state").glob("*.json"))


def test_two_commands_at_once_start_one_server(tmp_path, server):
    launcher = Launcher(server)
    threads = [threading.Thread(target=lambda: servers(tmp_path, launcher).connect().close()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(launcher.settings) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows listens on loopback")
def test_a_state_folder_too_deep_for_a_socket_gets_a_short_one(tmp_path, server):
    launcher = Launcher(server)
    servers(tmp_path / ("deep" * 25), launcher).connect().close()
    path = launcher.settings[0]["DIFFAVA_SERVER_LISTEN"].removeprefix("unix:")
    assert len(os.fsencode(path)) <= 103
    assert Path(path).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of another kind")
def test_a_state_folder_open_to_others_is_refused(tmp_path, server):
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    with pytest.raises(ServerError, match="DIFFAVA_STATE_DIR"):
        servers(tmp_path, Launcher(server)).connect()


def test_the_state_folder_may_be_given_in_the_environment(tmp_path):
    assert state_directory({"DIFFAVA_STATE_DIR": str(tmp_path)}) == tmp_path
    assert state_directory({}).parent.name == "diffava"
