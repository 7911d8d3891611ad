"""The command `diffava`: finds the sub-command by name, and turns whatever goes wrong into a sentence and an exit code.

Sub-commands are named by text and imported when they are used, so that `diffava --help` loads neither torch nor an
editor's library, and a command runs with only its own extras installed.
"""

import gc
import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any, NoReturn

from cyclopts import App, CycloptsError, Group, Parameter

from diffava.errors import ConfigError, DiffavaError, RequestError

EXIT_FAILURE, EXIT_WRONG_REQUEST, EXIT_INTERRUPTED = 1, 2, 130
TRACEBACK_VARIABLE = "DIFFAVA_TRACEBACK"

_SOUND = Group.create_ordered("Make sound")
_RESULT = Group.create_ordered("Work with a result")
_MACHINE = Group.create_ordered("Server and models")

# name -> (where it is, the line in `diffava --help`, its group)
_COMMANDS: dict[str, tuple[str, str, Group]] = {
    "demo": ("diffava_resolve.cli.demo:demo", "Render a sample cut and put foley on it.", _SOUND),
    "generate": ("diffava_resolve.cli.generate:generate", "Make sound for one video file.", _SOUND),
    "foley": ("diffava_resolve.cli.foley:foley", "Make foley for a stretch of a timeline, on a new track.", _SOUND),
    "regenerate": (
        "diffava_resolve.cli.regenerate:regenerate",
        "Make a generated clip anew, or only a part of it.",
        _SOUND,
    ),
    "takes": ("diffava_resolve.cli.takes:takes", "List the generated takes, or choose which one is heard.", _RESULT),
    "verify": ("diffava_resolve.cli.verify:verify", "Make every take again and say whether it is the same.", _RESULT),
    "export": ("diffava_resolve.cli.export:export", "Write the timeline in another editor's format.", _RESULT),
    "resolve": (
        "diffava_resolve.cli.resolve:resolve",
        "DaVinci Resolve: put DiffAVA into its menu, or work in it.",
        _MACHINE,
    ),
    "serve": ("diffava_server.cli.serve:serve", "Serve foley to editors until stopped.", _MACHINE),
    "health": ("diffava_server.cli.health:health", "Ask a server whether it takes jobs; ends with 0 if so.", _MACHINE),
    "token": ("diffava_server.cli.token:token", "Put a new token in the place of a server's old one.", _MACHINE),
    "service": (
        "diffava_server.cli.service:service",
        "Print what makes this machine start the server itself.",
        _MACHINE,
    ),
    "bench": (
        "diffava_server.load.command:bench",
        "Load a server as many editors would, and say how it bore that.",
        _MACHINE,
    ),
    "doctor": ("diffava_installer.doctor:doctor", "Check this machine and say what to mend.", _MACHINE),
    "train": ("diffava.cli.train:train", "Train a model from recordings, or a part of one from clips.", _MACHINE),
    "personalize": ("diffava.cli.personalize:personalize", "Fit a model to your own library of videos.", _MACHINE),
    "evaluate": (
        "diffava.cli.evaluate:evaluate",
        "Measure a model on held-out recordings and scenes, or folders of sounds by a table of the papers.",
        _MACHINE,
    ),
    "reproduce": ("diffava.cli.reproduce:reproduce", "Reproduce a paper's table; --plan says what it takes.", _MACHINE),
    "models": ("diffava.cli.models:models", "List the models and their licences; bring published ones.", _MACHINE),
}

# These look at foreign media in a process of its own, which takes as long to start as the command itself.
_DECODING = {"demo", "generate", "foley", "regenerate", "verify"}

# import name -> the extra that brings it
_EXTRAS = {
    **dict.fromkeys(("opentimelineio", "av", "soundfile", "matplotlib", "grpc_status", "grpc_health"), "resolve"),
    **dict.fromkeys(("torch", "diffusers", "transformers", "safetensors", "jaxtyping", "soxr"), "model"),
    **dict.fromkeys(("huggingface_hub", "filelock"), "model"),
    **dict.fromkeys(("librosa", "sklearn", "cv2", "tensorboard"), "train"),
    **dict.fromkeys(("structlog", "pydantic_settings", "grpc_reflection", "psutil"), "server"),
    **dict.fromkeys(("prometheus_client", "cryptography", "pynvml"), "server"),
}


def main() -> NoReturn:
    """The entry point of the installed command."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what is half done is undone
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a prompt or a path beyond the terminal's alphabet
    exit_code = run(sys.argv[1:])
    gc.freeze()  # all that is left goes with the process: the last round of the collector over it takes 0.1 s
    sys.exit(exit_code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code is 0, 1 for a failure, 2 for a wrong request, 130 when interrupted."""
    try:
        _refuse_unknown_command(arguments)
        _begin_to_decode(arguments)
        with _nothing_collected():
            command, bound, _ = application().parse_args(list(arguments), exit_on_error=False, print_error=False)
        outcome: Any = command(*bound.args, **bound.kwargs)
    except KeyboardInterrupt:
        _complain("Interrupted; nothing was left half-written.")
        return EXIT_INTERRUPTED
    except CycloptsError as error:
        _complain(f"{_sentence(str(error))} See `diffava {' '.join(_command_of(arguments))}--help`.")
        return EXIT_WRONG_REQUEST
    except Exception as error:  # the program's outer edge: whatever it is, the user gets a sentence, not a traceback
        if os.environ.get(TRACEBACK_VARIABLE):
            traceback.print_exc()
        message, exit_code = _told(error)
        _complain(message)
        return exit_code
    return outcome if isinstance(outcome, int) else 0


def application() -> App:
    """The command with all its sub-commands, none of them imported yet."""
    app = App(
        name="diffava",
        help="Foley for a stretch of a timeline: say what should be heard, and it lands on a new track, to the sample.",
        help_epilogue="Every command has --help and --json. Inputs are never overwritten.",
        version=version("diffava-foley"),
        default_parameter=Parameter(negative=(), show_default=_worth_showing),
    )
    for name, (where, line, group) in _COMMANDS.items():
        app.command(where, name=name, help=line, group=group)
    return app


def _worth_showing(default: Any) -> str | None:
    """A default in the help, unless it only says that nothing was given."""
    return str(default) if default else None


def _refuse_unknown_command(arguments: Sequence[str]) -> None:
    """Say it before cyclopts looks for the nearest name, for which it would import every command."""
    if arguments and not arguments[0].startswith("-") and arguments[0] not in _COMMANDS:
        raise RequestError(f"There is no command {arguments[0]!r}; there are {', '.join(_COMMANDS)}.")


def _begin_to_decode(arguments: Sequence[str]) -> None:
    """Start the decoding process of a command that will want one, while the command is imported."""
    if arguments and arguments[0] in _DECODING and "--help" not in arguments:
        import_module("diffava_resolve.decoding.decoders").prepare()


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """While a command is imported nothing becomes garbage, but looking for it takes a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _told(error: Exception) -> tuple[str, int]:
    """The sentence and the exit code for an error of any of the packages."""
    # The plugin's and the server's errors carry their own code; this package, below both, knows neither by class.
    exit_code = getattr(error, "exit_code", None)
    if isinstance(exit_code, int):
        return str(error), exit_code
    if isinstance(error, DiffavaError):
        return str(error), EXIT_WRONG_REQUEST if isinstance(error, RequestError | ConfigError) else EXIT_FAILURE
    missing = _missing_module(error)
    if missing is not None:
        extra = _EXTRAS.get(missing, "dev")
        return (
            f"This command needs {missing}, which is not installed; install it with "
            f"`pip install 'diffava-foley[{extra}]'` or run `python installer/bootstrap.py`.",
            EXIT_FAILURE,
        )
    return (
        f"Something went wrong inside diffava ({type(error).__name__}: {error}); please report it with what "
        f"{TRACEBACK_VARIABLE}=1 adds.",
        EXIT_FAILURE,
    )


def _missing_module(error: BaseException) -> str | None:
    """The top-level module whose absence is behind this error, if that is what it is."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name.partition(".")[0]
        error = error.__cause__  # type: ignore[assignment]
    return None


def _command_of(arguments: Sequence[str]) -> list[str]:
    """The words that name the sub-command, each with a space to come."""
    return [f"{arguments[0]} "] if arguments and arguments[0] in _COMMANDS else []


def _sentence(text: str) -> str:
    """Cyclopts' message on one line, with a full stop."""
    line = " ".join(text.split())
    return line if line.endswith((".", "?", "!")) else f"{line}."


def _complain(message: str) -> None:
    sys.stderr.write(f"{message}\n")
