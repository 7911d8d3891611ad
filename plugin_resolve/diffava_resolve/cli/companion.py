"""`diffava resolve companion`: the process that Resolve's menu script starts, and that does the work.

Calls to Resolve go out on stdout and come back on stdin; what libraries print goes to stderr, which is a log file.
"""

import _thread
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from diffava_resolve.bridge.failures import CallRefusedError
from diffava_resolve.bridge.forms import Answers, Asker, Form, ask_in_window, ask_on, first_that_can
from diffava_resolve.bridge.pipes import PipeChannel
from diffava_resolve.bridge.remote import Bridge
from diffava_resolve.cli.options import ServerOptions
from diffava_resolve.cli.output import Output
from diffava_resolve.cli.resolve_job import Connect, EditorOf, run_job
from diffava_resolve.errors import FoleyError


def companion(*, server: ServerOptions = ServerOptions()) -> int:  # noqa: B008  frozen
    """Serve one press on DiffAVA in Resolve's menu; started by its script, not by hand."""
    from diffava_resolve.editor.resolve_editor import ResolveEditor

    return serve_menu(lambda: server.connect(Output(as_json=False)), ResolveEditor)


def serve_menu(connect: Connect, editor_of: EditorOf) -> int:
    """Do one job over this process's stdin and stdout; returns the exit code."""
    reader, writer = take_over_pipes()
    # A launcher that ends while the server works is noticed by this, as Ctrl-C: the job is cancelled and cleared away.
    channel = PipeChannel(reader, writer, on_gone=_thread.interrupt_main)
    try:
        bridge = Bridge(channel)
        return 0 if run_job(bridge, askers(bridge, os.environ), connect, editor_of) else 1
    except (FoleyError, KeyboardInterrupt) as error:
        sys.stderr.write(f"{error or 'Interrupted.'}\n")
        return 1
    finally:
        channel.close()


def take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Our pipes to the launcher; from now on whatever is printed goes to stderr."""
    writer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, writer


def askers(bridge: Bridge, environment: Mapping[str, str]) -> Asker:
    """A window in Resolve, else one of our own, else the terminal that Resolve was started from, else the markers."""

    def in_resolve(form: Form) -> Answers | None:
        if not bridge.greeting.has_window:
            raise CallRefusedError("This Resolve shows no windows of scripts.")
        return bridge.ask(form.as_json())

    return first_that_can((in_resolve, ask_in_window, on_terminal))


def on_terminal(form: Form) -> Answers | None:
    """Ask on the terminal that Resolve was started from.

    Raises:
        CallRefusedError: There is none.
    """
    try:
        with Path("/dev/tty").open() as reader, Path("/dev/tty").open("w") as writer:
            return ask_on(reader, writer)(form)
    except OSError as error:
        raise CallRefusedError(f"There is no terminal ({error.strerror}).") from error
