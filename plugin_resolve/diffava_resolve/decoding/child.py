"""The decoding process: runs what it is asked to, under limits, until its pipe is closed.

    python -m diffava_resolve.decoding.child LIMITS MODULE ...

LIMITS is a JSON object; the modules are loaded while nobody waits.
"""

import gc
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO

from diffava_resolve.decoding import here
from diffava_resolve.decoding.limits import Limits
from diffava_resolve.decoding.messages import NEXT, Request, read_request, write_item, write_note
from diffava_resolve.errors import FoleyError


class _Parent(here.Watch):
    """The command, which is told what is read and that it goes on."""

    def __init__(self, pipe: BinaryIO, limits: Limits) -> None:
        self._pipe = pipe
        self._limits = limits
        self._told_s = 0.0

    def reads(self, path: Path) -> None:
        write_note(self._pipe, reads=str(path))

    def allow_pixels(self, pixel_count: int) -> None:
        self._limits.allow_pixels(pixel_count)

    def goes_on(self) -> None:
        now_s = time.monotonic()
        if now_s > self._told_s + self._limits.answer_s / 20:  # a thousand pictures a second need not be told of
            self._told_s = now_s
            self._limits.allow_answer()
            write_note(self._pipe, goes_on=True)


def main() -> None:
    """Serve requests until the command closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the command's to handle
    limits = Limits(**json.loads(sys.argv[1]))
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    for module in sys.argv[2:]:
        importlib.import_module(module)
    limits.apply()
    here.tell(_Parent(answers, limits))
    write_note(answers, ready=True)
    while (request := read_request(requests)) is not None:
        limits.allow_answer()
        _run(request, requests, answers)
        # PyAV's objects refer to each other: until the collector comes by, each file keeps its threads' address space.
        gc.collect()


def _run(request: Request, requests: BinaryIO, answers: BinaryIO) -> None:
    try:
        os.chdir(request.directory)
        for item in request.function(*request.arguments):
            if requests.read(1) != NEXT:
                return  # the command is gone
            write_item(answers, item)
    except FoleyError as error:
        write_note(answers, error=[type(error).__name__, str(error)])
    except MemoryError:
        write_note(answers, error=["MemoryError", ""])
    except OSError as error:
        write_note(answers, error=["OSError", str(error)])
    except Exception as error:  # an edge: the command says it in a sentence
        write_note(answers, error=["defect", f"{type(error).__name__}: {error}"])
    else:
        write_note(answers, ended=True)
    while requests.read(1) == NEXT:
        pass  # what was asked for ahead


if __name__ == "__main__":
    main()
