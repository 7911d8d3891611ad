"""`diffava resolve companion`: the process that Resolve's menu script starts, and that does the work.

Calls to Resolve go out on stdout and come back on stdin; what libraries print goes to stderr, which is a log file.
"""

import _thread
import os
import signal
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from diffava_resolve.bridge.failures import CallRefusedError
from diffava_resolve.bridge.forms import Answers, Asker, Form, ask_in_window, ask_on, first_that_can
from diffava_resolve.bridge.pipes import PipeChannel
from diffava_resolve.bridge.remote import Bridge
from diffava_resolve.cli.options import ServerOptions
from diffava_resolve.cli.output import Output
from diffava_resolve.cli.resolve_job import Connect, EditorOf, by_markers, run_job
from diffava_resolve.decoding import decoders
from diffava_resolve.errors import FoleyError


def companion(*, server: ServerOptions = ServerOptions()) -> int:  # noqa: B008  frozen
    """Serve one press on DiffAVA in Resolve's menu; started by its script, not by hand."""
    from diffava_resolve.editor.resolve_editor import ResolveEditor

    decoders.prepare()  # it starts while the person fills in the form
    return serve_menu(lambda: server.connect(Output(as_json=False)), ResolveEditor)


def serve_menu(connect: Connect, editor_of: EditorOf, own: tuple[Asker, ...] | None = None) -> int:
    """Do one job over this process's stdin and stdout; returns the exit code.

    Args:
        connect: Gives a client of the server.
        editor_of: Makes an editor of Resolve's root object.
        own: How to ask where Resolve shows no window; a window of our own, else the terminal, unless given.
    """
    reader, writer = take_over_pipes()
    channel = PipeChannel(reader, writer, on_gone=interrupt)
    try:
        bridge = Bridge(channel)
        return 0 if run_job(bridge, asker_of(bridge, own), connect, editor_of) else 1
    except (FoleyError, KeyboardInterrupt) as error:
        sys.stderr.write(f"{error or 'Interrupted.'}\n")
        return 1
    finally:
        channel.close()


def take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Our pipes to the launcher; from now on whatever is printed goes to stderr."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # Resolve may have been started with it ignored
    writer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, writer


def interrupt() -> None:
    """As Ctrl-C, to the main thread: Resolve has gone while the server works, so the job is cancelled and cleared."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # wakes it from any wait
    else:
        _thread.interrupt_main()


def asker_of(bridge: Bridge, own: tuple[Asker, ...] | None = None) -> Asker:
    """A window in Resolve, else one of our own, else the terminal that Resolve was started from, else the markers."""

    def in_resolve(form: Form) -> Answers | None:
        if not bridge.greeting.has_window:
            raise CallRefusedError("This Resolve shows no windows of scripts.")
        return bridge.ask(form.as_json())

    return first_that_can((in_resolve, *((ask_in_window, on_terminal, by_markers) if own is None else own)))


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
