"""A server of one's own: started when a command needs one, kept warm for ten minutes, and found again.

Knows processes, files and addresses; nothing of what the server does. Each started server has a name of its own under
the state folder, with four files: `.json` (the server's address and process, written by the server once it answers),
`.token` (fresh, made by the server, for its owner alone), `.log` (what it printed) and `.sock` (where short enough).
"""

import hashlib
import json
import os
import secrets
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import filelock
import platformdirs

from diffava_resolve.client.grpc_client import GrpcClient
from diffava_resolve.errors import FoleyError, RequestError, ServerError

WARM_S = 600
START_TIMEOUT_S = 300.0  # a cold disk and a model of some gigabytes
STATE_DIRECTORY_VARIABLE = "DIFFAVA_STATE_DIR"
DEFAULT_MODEL = "mini"  # named, so that a warm server is found again whether or not the user named it
_POLL_S = 0.05
_PROBE_TIMEOUT_S = 5.0
_MAX_UNIX_PATH_BYTES = 103 if sys.platform == "darwin" else 107  # sun_path less its final zero
_WRONG_REQUEST_EXIT_CODE = 2


class Process(Protocol):
    """What is needed of a started server's process."""

    def poll(self) -> int | None:
        """Its exit code, or None while it runs."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...


Launch = Callable[[Mapping[str, str], Path], Process]


@dataclass(frozen=True)
class LocalServers:
    """The local servers of one state folder.

    Args of note: `launch` starts a server with the given settings (environment variables) and log file; `say` is told
    in a sentence when the user has to wait.
    """

    directory: Path
    launch: Launch
    say: Callable[[str], None] = lambda text: None
    clock_s: Callable[[], float] = time.monotonic
    sleep_s: Callable[[float], None] = time.sleep
    software_version: str = version("diffava-foley")
    start_timeout_s: float = START_TIMEOUT_S

    def connect(self, model: str = DEFAULT_MODEL) -> GrpcClient:
        """A client of a warm server that has `model`, or of one started now.

        Raises:
            RequestError: The server refuses to start as asked, for instance because there is no such model.
            ServerError: It does not start, or not in time.
            OutputError: The state folder cannot be used.
        """
        _private_folder(self.directory)
        try:
            with filelock.FileLock(self.directory / "start.lock", timeout=self.start_timeout_s):
                return self._find_warm(model) or self._start(model)
        except filelock.Timeout as error:
            raise ServerError(
                f"Another command has been starting a server for {self.start_timeout_s:.0f} s; "
                f"end it, or look into the logs in {self.directory}.",
                retryable=True,
            ) from error

    def _find_warm(self, model: str) -> GrpcClient | None:
        for state_file in sorted(self.directory.glob("*.json")):
            client = self._answering(state_file)
            if client is None:
                if not _is_running(state_file):
                    _forget(state_file)
            elif client.info().software_version == self.software_version and _serves(client, state_file, model):
                return client
            else:
                client.close()  # another version or model: it ends by itself when nobody calls it
        return None

    def _answering(self, state_file: Path) -> GrpcClient | None:
        try:
            address = json.loads(state_file.read_text())["address"]
            token = state_file.with_suffix(".token").read_text().strip()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        client = GrpcClient(address, token, info_timeout_s=_PROBE_TIMEOUT_S)
        try:
            client.info()
        except FoleyError:
            client.close()
            return None
        return client

    def _start(self, model: str) -> GrpcClient:
        self.say("Starting a local server; it stays warm for ten minutes.")
        _remove_remains(self.directory)
        state_file = self.directory / f"{_key(model)}-{secrets.token_hex(4)}.json"
        log_file = state_file.with_suffix(".log")
        settings = {
            "DIFFAVA_SERVER_LISTEN": _listen(state_file.with_suffix(".sock")),
            "DIFFAVA_SERVER_TOKEN_FILE": str(state_file.with_suffix(".token")),
            "DIFFAVA_SERVER_STATE_FILE": str(state_file),
            "DIFFAVA_SERVER_IDLE_EXIT_S": str(WARM_S),
            "DIFFAVA_SERVER_MODELS": model,
        }
        process = self.launch(settings, log_file)
        try:
            return self._wait_until_ready(process, state_file, log_file)
        except BaseException:  # Ctrl-C too: nobody would ever find this server
            process.terminate()
            _forget(state_file)
            raise

    def _wait_until_ready(self, process: Process, state_file: Path, log_file: Path) -> GrpcClient:
        stop_s = self.clock_s() + self.start_timeout_s
        while self.clock_s() < stop_s:
            if state_file.is_file() and (client := self._answering(state_file)) is not None:
                return client
            exit_code = process.poll()
            if exit_code is not None:
                if exit_code == _WRONG_REQUEST_EXIT_CODE:
                    raise RequestError(_last_words(log_file))
                raise ServerError(f"The local server did not start: {_last_words(log_file)} (Its log: {log_file})")
            self.sleep_s(_POLL_S)
        raise ServerError(
            f"The local server was not ready after {self.start_timeout_s:.0f} s; its log is {log_file}. "
            "Try again, or start one yourself with `diffava serve` and give its address with --server."
        )


def state_directory(environment: Mapping[str, str]) -> Path:
    """Where local servers leave their addresses and tokens: `DIFFAVA_STATE_DIR`, or a folder of this user."""
    given = environment.get(STATE_DIRECTORY_VARIABLE)
    return Path(given).absolute() if given else platformdirs.user_state_path("diffava", appauthor=False) / "servers"


def launch_detached(settings: Mapping[str, str], log_file: Path) -> Process:
    """Start a server so that neither Ctrl-C nor the end of this command ends it."""
    command = [sys.executable, "-m", "diffava_server"]
    environment = {**os.environ, **settings}
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, **apart)
    # In a program that outlives the server, such as an editor, nobody else would collect its exit code.
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def _private_folder(directory: Path) -> None:
    """Create the folder, and refuse one that other users may write into: they could put their own server there."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
    except OSError as error:
        raise ServerError(
            f"The folder {directory} for the local server's state cannot be used ({error.strerror}); "
            f"set {STATE_DIRECTORY_VARIABLE} to a folder of yours."
        ) from error
    if sys.platform != "win32" and (status.st_uid != os.getuid() or status.st_mode & stat.S_IWOTH):
        raise ServerError(
            f"The folder {directory} for the local server's state belongs to or is open to other users; "
            f"set {STATE_DIRECTORY_VARIABLE} to a folder of yours."
        )


def _listen(socket_path: Path) -> str:
    """A Unix socket at `socket_path`, or at a short path of our own if the system cannot take one so long."""
    if sys.platform == "win32":
        return "127.0.0.1:0"
    if len(os.fsencode(socket_path)) > _MAX_UNIX_PATH_BYTES:
        digest = hashlib.sha256(os.fsencode(socket_path.parent)).hexdigest()[:8]
        folder = Path(tempfile.gettempdir()) / f"diffava-{os.getuid()}-{digest}"
        _private_folder(folder)
        socket_path = folder / f"{secrets.token_hex(4)}.sock"
    return f"unix:{socket_path}"


def _key(model: str) -> str:
    """The part of a server's name that says which model it was started for."""
    readable = "".join(letter if letter.isalnum() else "_" for letter in Path(model).name)[:20]
    return f"{readable}_{hashlib.sha256(model.encode()).hexdigest()[:8]}"


def _serves(client: GrpcClient, state_file: Path, model: str) -> bool:
    started_for = state_file.stem.rpartition("-")[0]
    return started_for == _key(model) or any(model == known.name for known in client.models())


def _forget(state_file: Path) -> None:
    """Remove what a dead server left, but its log."""
    for suffix in (".json", ".token", ".sock"):
        state_file.with_suffix(suffix).unlink(missing_ok=True)


def _is_running(state_file: Path) -> bool:
    """Whether the server may still be alive, for instance too busy to answer at once."""
    try:
        pid = int(json.loads(state_file.read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if sys.platform == "win32":
        return False  # there, signal 0 would end the process; a live server that is forgotten ends when idle
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # the number now belongs to somebody else's process
    return True


def _remove_remains(directory: Path) -> None:
    """What ended servers left; called under the lock, when no server is about to answer."""
    for log_file in directory.glob("*.log"):
        if not log_file.with_suffix(".json").exists():
            _forget(log_file)
            log_file.unlink(missing_ok=True)


def _last_words(log_file: Path) -> str:
    """The end of a log, for a sentence."""
    try:
        lines = [line.strip() for line in log_file.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "it left no log."
    return " ".join(lines[-3:]) or "it said nothing."
