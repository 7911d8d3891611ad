"""The command's side: decoding processes, kept warm and used again, each with one file or region at a time.

What happens to a process (it crashes, takes too long, too much memory) becomes one sentence, and the command goes on.
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from diffava_resolve.decoding.limits import Limits
from diffava_resolve.decoding.messages import DONE, NEXT, BrokenAnswerError, Request, read_answer, write_request
from diffava_resolve.errors import FoleyError, MediaError, RequestError

MODULES = ("diffava_resolve.frames.reader",)
"""What a process loads before it is asked for anything."""

_AHEAD = 4  # answers that a process makes before they are asked for; a block with its number counts as two
_MOST_IDLE = 2  # in the background one decodes the next shot's picture while another looks for hits in this one
_ERRORS: dict[str, type[FoleyError]] = {"MediaError": MediaError, "RequestError": RequestError}
_START_S = 60.0  # a cold disk with a virus scanner
_SECRETS = ("DIFFAVA_TOKEN",)
_CPU_SIGNAL = getattr(signal, "SIGXCPU", 0)


class Decoders:
    """Decoding processes that are used again. Safe to use from several threads."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._idle: list[_Decoder] = []
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start a process now, if none is waiting, so that it is ready when it is needed."""
        with self._lock:
            if not self._idle:
                self._idle.append(_Decoder(self._limits))

    def run(self, function: Callable[..., Iterable[Any]], *arguments: Any) -> Generator[Any, None, None]:
        """What `function(*arguments)` yields in a decoding process: arrays of bytes or float32, or plain values.

        It runs a little ahead of what is taken. Closing the iterator early ends the process.

        Raises:
            MediaError: The process crashed, or reached a limit.
            FoleyError: What the function raised.
        """
        decoder = self._taken()
        try:
            yield from decoder.run(Request(str(Path.cwd()), function, arguments))
        finally:
            self._give_back(decoder)

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that wait to be used again."""
        with self._lock:
            return tuple(decoder.pid for decoder in self._idle)

    def close(self) -> None:
        """End the waiting processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.end()

    def _taken(self) -> "_Decoder":
        with self._lock:
            while self._idle:
                decoder = self._idle.pop()
                if decoder.is_free:
                    return decoder
                decoder.end()
        return _Decoder(self._limits)

    def _give_back(self, decoder: "_Decoder") -> None:
        with self._lock:
            if decoder.is_free and len(self._idle) < _MOST_IDLE:
                self._idle.append(decoder)
                return
        decoder.end()


class _Decoder:
    """One process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._is_busy = False
        self._is_late = False
        self._is_awaited = True
        self._is_ready = False
        self._reads = "a file"
        self._sign_s = 0.0  # when it last gave a sign of life
        apart: dict[str, Any] = {"start_new_session": True}  # Ctrl-C is for the command alone
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
        # One thread for numpy and few pools of memory: each takes address space, which is limited.
        thrifty = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        self._process = subprocess.Popen(
            # -P: what lies in the folder in which the command was started must not be taken for a library.
            [sys.executable, "-P", "-m", "diffava_resolve.decoding.child", json.dumps(asdict(limits)), *MODULES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment, **thrifty},
            **apart,
        )
        self._stdin: BinaryIO = self._process.stdin  # type: ignore[assignment]  # both are pipes
        self._stdout: BinaryIO = self._process.stdout  # type: ignore[assignment]

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def is_free(self) -> bool:
        """Whether it can be asked for something."""
        return not self._is_busy and self._process.poll() is None

    def run(self, request: Request) -> Iterator[Any]:
        """See `Decoders.run`."""
        self._is_busy = True
        self._sign_s = time.monotonic()
        ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=(ended,), daemon=True)
        watch.start()
        try:
            yield from self._answers(request)
        finally:
            ended.set()
            watch.join()

    def end(self) -> None:
        """End the process at once and collect it. May be called twice."""
        self._process.kill()
        with contextlib.suppress(OSError):  # what was not yet written goes with it
            self._stdin.close()
        self._stdout.close()
        self._process.wait()

    def _answers(self, request: Request) -> Iterator[Any]:
        try:
            write_request(self._stdin, request)
            self._write(NEXT * _AHEAD)
            while (answer := read_answer(self._stdout)) is not None:
                self._sign_s = time.monotonic()
                name, content = answer
                if name in {"array", "value"}:
                    self._is_awaited = False
                    yield content
                    self._sign_s, self._is_awaited = time.monotonic(), True
                    self._write(NEXT)
                elif name == "ready":
                    self._is_ready = True
                elif name == "reads":
                    self._reads = str(content)
                elif name == "ended":
                    self._write(DONE)
                    self._is_busy = False
                    return
                elif name == "error":
                    raise self._failure(*content)
        except (BrokenAnswerError, OSError, TypeError):
            self._process.kill()
        raise self._lost()

    def _failure(self, kind: str, text: str) -> FoleyError:
        """What the process says of itself."""
        if kind in _ERRORS:
            self._write(DONE)
            self._is_busy = False
            return _ERRORS[kind](text)
        if kind == "MemoryError":
            return self._too_much_memory()
        return MediaError(f"{self._reads} could not be decoded ({text}); convert it, or relink the clip.")

    def _too_much_memory(self) -> MediaError:
        return MediaError(
            f"Decoding {self._reads} takes more memory than a file may ({self._limits.memory_bytes / 2**30:.1f} GiB "
            "and what its pictures need): it is damaged, or its pictures are too large; convert it, or use a proxy."
        )

    def _lost(self) -> MediaError:
        """Why the process is gone."""
        code = self._process.wait()
        if not self._is_ready:
            return MediaError(f"The process that decodes media did not start (exit code {code}); try again.")
        if self._is_late or code == -_CPU_SIGNAL:
            return MediaError(
                f"Decoding {self._reads} takes more than {self._limits.answer_s:g} s for one picture; it is damaged, "
                "or its drive does not answer: copy it again or convert it, to ProRes or MJPEG say."
            )
        return MediaError(
            f"{self._reads} brought its decoder down (exit code {code}): it is damaged, or not what it says it is; "
            "copy it again or convert it."
        )

    def _watch(self, ended: threading.Event) -> None:
        """Kill the process if it gives no sign of life while somebody waits for it."""
        while not ended.wait(self._limits.answer_s / 20):
            limit_s = self._limits.answer_s if self._is_ready else _START_S
            if self._is_awaited and time.monotonic() > self._sign_s + limit_s:
                self._is_late = True
                self._process.kill()
                return

    def _write(self, data: bytes) -> None:
        self._stdin.write(data)
        self._stdin.flush()


_shared = Decoders()
_background = Decoders(Limits(niceness=10))
atexit.register(_shared.close)
atexit.register(_background.close)


def prepare() -> None:
    """Start a decoding process while something else is waited for."""
    _shared.prepare()


def decoded(
    function: Callable[..., Iterable[Any]], *arguments: Any, in_background: bool = False
) -> Generator[Any, None, None]:
    """Run a function that reads foreign media; see `Decoders.run`.

    Args of note: what is done `in_background` leaves the processor to others, a server on this machine above all.
    """
    return (_background if in_background else _shared).run(function, *arguments)
