#!/usr/bin/env python3
"""From a bare checkout to a running DiffAVA Foley: makes a virtual environment, fills it, and runs a command in it.

    python3 installer/bootstrap.py demo              the main job on a sample cut
    python3 installer/bootstrap.py test              all checks
    python3 installer/bootstrap.py COMMAND [ARGS]    any `diffava` command; install, repair: no command

Standard library only, nothing compiled, one file. It knows what is to be installed and in which order, and nothing of
what the product does. The plan is pure (`plan`, `commands_of`); everything outside sits in `Machine`.

The syntax stays at Python 3.6, so that an old Python can say that it is too old, or hand over to a newer one.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import signal
import sys
import time
import urllib.request
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen, SubprocessError, check_output
from typing import IO, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "installer" / "constraints.txt"
DEFAULT_FOLDER = ROOT / ".diffava-env"
SUPPORTED = ("3.11", "3.12", "3.13")  # for which everything that we install has a build
HANDED_OVER = "DIFFAVA_BOOTSTRAP_HANDED_OVER"  # set for the Python that takes over, so that it cannot hand over again

# Where PyTorch publishes the builds that PyPI does not have: PyPI's is CUDA on Linux and CPU on Windows and macOS.
TORCH_INDEX = {
    ("linux", "cpu"): "https://download.pytorch.org/whl/cpu",
    ("win32", "cuda"): "https://download.pytorch.org/whl/cu130",
}
NEEDED_BYTES = {"cpu": 3 * 10**9, "cuda": 10 * 10**9}  # downloads, unpacked packages and pip's temporary files

# What each step says, and its seconds on a 100 Mbit/s line and two cores; those of the last run take their place.
STEPS = {
    "environment": ("Making the virtual environment", 15),
    "pip": ("Putting pip back", 10),
    "damaged": ("Looking for damaged packages", 10),
    "torch": ("Installing PyTorch", 90),
    "packages": ("Installing DiffAVA Foley and what it needs", 120),
    "dev": ("Installing the tools of the checks", 60),
    "check": ("Trying out what was installed", 20),
}
CUDA_TORCH_EXPECTED_S = 400

VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
FITNESS = VERSION + "; import venv, ensurepip; assert sys.maxsize > 2**32; print(sys.executable)"
IMPORTS = "import torch, grpc, av, opentimelineio, soundfile, transformers, diffava_proto.v1.foley_pb2"
DAMAGED = """
import importlib.metadata as metadata
for one in metadata.distributions():
    files = [file for file in one.files or () if not str(file).endswith(".pyc")]
    name = one.metadata["Name"]
    if name and name != "diffava-foley" and any(not file.locate().exists() for file in files):
        print(name)
"""

NO_NETWORK = "The package index cannot be reached. Connect, or set pip's proxy or index"
# What pip says, and what a person can do about it; the first that is found in its last lines is told.
CAUSES = (
    ("No space left on device", "The disk is full. Free some space, or choose another folder with --env DIR"),
    ("Temporary failure in name resolution", NO_NETWORK),
    ("getaddrinfo failed", NO_NETWORK),
    ("Failed to establish a new connection", NO_NETWORK),
    ("Read timed out", NO_NETWORK),
    ("CERTIFICATE_VERIFY_FAILED", "The package index's certificate is not trusted. Give pip the right one"),
    ("Permission denied", "A file could not be written. Set its rights, or choose another folder with --env DIR"),
    ("No matching distribution found", "A package has no build for this system in the package index"),
)


class SetupError(Exception):
    """The work cannot go on; the message is for the person who started it."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class State(NamedTuple):
    """What earlier runs have finished: the build of torch, and the fingerprint and the seconds of each step."""

    build: str
    done: "dict[str, str]"
    seconds: "dict[str, float]"


class Facts(NamedTuple):
    """What the plan follows from."""

    folder: str  # that holds the environment
    root: str  # of the checkout, whose packages are installed in place
    own_python: str  # major.minor of the Python that runs this file
    env_python: "str | None"  # of the environment's Python; None if it does not start
    has_command: bool  # the environment holds the `diffava` command
    build: str  # of torch, as wanted: cpu or cuda
    torch_pin: str
    inputs: str  # digest of pyproject.toml and the constraints
    state: State


class Outcome(NamedTuple):
    """How an outside command ended, with the last lines that it printed."""

    code: int
    tail: "tuple[str, ...]" = ()


def digest(*parts: str) -> str:
    """A short fingerprint of texts and of their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def env_stands(facts: Facts) -> bool:
    """Whether the environment was finished, starts, and is still of the Python and at the place it was made for."""
    made_for = digest(facts.folder, facts.env_python or "")
    return facts.env_python in SUPPORTED and facts.state.done.get("environment") == made_for


def fingerprints(facts: Facts) -> "dict[str, str]":
    """What each step depends on. Each contains the one before it, so that a change redoes what comes after it."""
    python = facts.env_python if env_stands(facts) else facts.own_python
    marks = {"environment": digest(facts.folder, python or "")}
    marks["torch"] = digest(marks["environment"], facts.torch_pin, facts.build)
    marks["packages"] = digest(marks["torch"], facts.inputs, facts.root)
    marks["dev"] = digest(marks["packages"], "dev")
    marks["check"] = digest(marks["packages"], "check")
    return marks


def plan(facts: Facts, wants_dev: bool = False, repair: bool = False) -> "list[str]":
    """The steps that are still to be done, in order; none when the environment is as it should be."""
    wanted = ["environment", "torch", "packages"] + (["dev"] if wants_dev else []) + ["check"]
    if not env_stands(facts):
        return wanted
    if repair:
        return ["damaged", *wanted[1:]]
    marks = fingerprints(facts)
    todo = [step for step in wanted if facts.state.done.get(step) != marks[step]]
    if not facts.has_command and "packages" not in todo:
        todo.insert(0, "packages")
    if todo and "check" not in todo:
        todo.append("check")
    return todo


def pip_install(python: str, *arguments: str) -> "list[str]":
    """A pip command that takes the pinned versions and never compiles."""
    return [python, "-m", "pip", "install", "--only-binary", ":all:", "-c", str(CONSTRAINTS), *arguments]


def commands_of(step: str, facts: Facts, python: str, index: "str | None" = None) -> "list[list[str]]":
    """The commands of a step; `python` is the environment's, `index` an extra package index for torch."""
    if step == "environment":
        return [[sys.executable, "-m", "venv", "--clear", str(Path(facts.folder) / "venv")]]
    if step == "pip":
        return [[python, "-m", "ensurepip", "--upgrade", "--default-pip"]]
    if step == "torch":
        # A torch of the other build satisfies the same pin, so pip must be told to put it in anew. What torch needs
        # comes with the packages: from the extra index nothing but torch is ever taken.
        options = ["--no-deps"] + (["--extra-index-url", index] if index else [])
        if facts.state.build not in ("", facts.build):
            options.append("--force-reinstall")
        return [pip_install(python, *options, "torch")]
    if step in ("packages", "dev"):
        extras = "dev" if step == "dev" else "model,server,resolve"
        return [pip_install(python, "-e", f"{facts.root}[{extras}]")]
    return [[python, "-c", IMPORTS]]


def expected_s(step: str, facts: Facts) -> float:
    """How long a step will take: what it took last time, else a guess."""
    guess = CUDA_TORCH_EXPECTED_S if (step, facts.build) == ("torch", "cuda") else STEPS[step][1]
    return facts.state.seconds.get(step, guess)


def cause_of(tail: "tuple[str, ...]") -> str:
    """A sentence about the failure that a command's last lines tell of."""
    text = "\n".join(tail)
    for needle, sentence in CAUSES:
        if needle in text:
            return sentence + ", then run the same command again."
    last = next((line for line in reversed(tail) if line.strip()), "it said nothing")
    return "Its last words were: {}. Run `repair` to go through everything again.".format(last.strip().rstrip("."))


def words_for(seconds: float) -> str:
    """`40 s`, `2 min`."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class Machine:
    """The computer as this file sees it. Tests put another in its place."""

    def say(self, text: str) -> None:
        """Tell the person something. On stderr: the last line of stdout belongs to the command."""
        print(f"\x1b[K{text}" if sys.stderr.isatty() else text, file=sys.stderr, flush=True)

    def show(self, line: str) -> None:
        """Let a person at a terminal see what a long step is doing, in one line that is written over."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K      {line.strip()[:90]}\r", end="", file=sys.stderr, flush=True)

    def run(self, command: "list[str]", log: Path) -> Outcome:
        """Run a command to its end, its output into the log; it never outlives this call."""
        tail = []  # type: list[str]
        with log.open("a", buffering=1, encoding="utf-8") as record:
            record.write("$ {}\n".format(" ".join(command)))
            with Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=clean_environment()) as process:
                try:
                    for raw in process.stdout or ():
                        line = raw.decode("utf-8", "replace").rstrip()
                        record.write(line + "\n")
                        self.show(line)
                        tail = [*tail[-19:], line]
                    return Outcome(process.wait(), tuple(tail))
                finally:
                    process.terminate()  # nothing happens if it has ended by itself
                    process.wait()

    def answer_of(self, command: "list[str]") -> "str | None":
        """The first line that a short command prints, or None if it does not start or fails."""
        try:
            output = check_output(command, stderr=DEVNULL, timeout=60, env=clean_environment())
        except (OSError, SubprocessError):
            return None
        return output.decode("utf-8", "replace").strip()

    def hand_over(self, command: "list[str]") -> int:
        """Become another command; its exit code is ours."""
        if os.name == "posix":
            sys.stdout.flush()
            os.execv(command[0], command)
        process = Popen(command)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the command has received it too, and ends in its own way
                continue

    def has_nvidia(self) -> bool:
        """Whether the NVIDIA driver lists a GPU."""
        return (self.answer_of(["nvidia-smi", "-L"]) or "").startswith("GPU ")

    def index_answers(self, url: str) -> bool:
        """Whether a package index can be read within a few seconds."""
        try:
            with urllib.request.urlopen(url + "/torch/", timeout=5) as page:
                return bool(page.status == 200)
        except (OSError, ValueError):
            return False

    def free_bytes(self, path: Path) -> int:
        """Free space where `path` is or will be."""
        standing = next(place for place in (path, *path.parents) if place.exists())
        return shutil.disk_usage(str(standing)).free


def clean_environment() -> "dict[str, str]":
    """The environment for our own commands: what would lead pip or Python to another place is taken out."""
    astray = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "__PYVENV_LAUNCHER__")
    kept = {name: value for name, value in os.environ.items() if name not in astray}
    kept.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PIP_USER="0", PIP_PROGRESS_BAR="off")
    return kept


def program(folder: Path, name: str) -> Path:
    """Where the environment keeps `python` or `diffava`."""
    if sys.platform == "win32":
        return folder / "venv" / "Scripts" / (name + ".exe")
    return folder / "venv" / "bin" / name


def read_state(folder: Path) -> State:
    """What earlier runs have finished; nothing, if the file is missing or damaged: then all is looked at again."""
    try:
        stored = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return State(str(stored["build"]), dict(stored["done"]), dict(stored["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return State("", {}, {})


def write_state(folder: Path, state: State) -> None:
    """Write the state whole: a reader sees the old one or the new one, never a part."""
    partial = folder / "state.json.partial"
    with partial.open("w", encoding="utf-8") as file:
        json.dump(state._asdict(), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / "state.json")


def claim(folder: Path) -> "IO[str]":
    """Make the folder ours and lock it until the returned file is closed.

    A folder with anything in it that this installer did not make is refused: making the environment empties its place.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "lock").exists():
        raise SetupError(f"{folder} holds files that are not this installer's; choose another with --env DIR.", 2)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise SetupError(f"{folder} cannot be written ({error.strerror}); choose another with --env DIR.") from None
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise SetupError(f"Another bootstrap is at work in {folder}; let it finish, then run this again.") from None
    return lock


def gather(machine: Machine, folder: Path, torch_choice: str, fresh_look: bool) -> Facts:
    """Look at the machine and at what earlier runs have left. The build of torch is chosen once, or when asked to."""
    state = read_state(folder)
    python = program(folder, "python")
    build = torch_choice if torch_choice != "auto" else state.build
    if not build or (fresh_look and torch_choice == "auto"):
        build = "cuda" if sys.platform != "darwin" and machine.has_nvidia() else "cpu"
    constraints = CONSTRAINTS.read_text(encoding="utf-8")
    return Facts(
        folder=str(folder),
        root=str(ROOT),
        own_python=f"{sys.version_info[0]}.{sys.version_info[1]}",
        env_python=machine.answer_of([str(python), "-c", VERSION]) if python.exists() else None,
        has_command=program(folder, "diffava").exists(),
        build=build,
        torch_pin=next(line for line in constraints.splitlines() if line.startswith("torch==")),
        inputs=digest((ROOT / "pyproject.toml").read_text(encoding="utf-8"), constraints),
        state=state,
    )


def torch_index(machine: Machine, facts: Facts) -> "str | None":
    """The extra index for the wanted build, if there is one and it answers."""
    index = TORCH_INDEX.get((sys.platform, facts.build))
    if index and not machine.index_answers(index):
        machine.say(f"      {index} does not answer; PyTorch comes from pip's own index, whatever build that has.")
        return None
    return index


def do_step(machine: Machine, step: str, facts: Facts) -> None:
    """Do one step; raises SetupError with the cause if it fails."""
    folder, log = Path(facts.folder), Path(facts.folder) / "bootstrap.log"
    python = str(program(folder, "python"))
    damaged = (machine.answer_of([python, "-c", DAMAGED]) or "").split() if step == "damaged" else []
    index = torch_index(machine, facts) if step == "torch" or "torch" in damaged else None
    if step == "damaged":
        options = ["--force-reinstall", "--no-deps"] + (["--extra-index-url", index] if index else [])
        commands = [pip_install(python, *options, *damaged)] if damaged else []
    else:
        commands = commands_of(step, facts, python, index)
    for command in commands:
        outcome = machine.run(command, log)
        if outcome.code != 0:
            raise SetupError(f"{STEPS[step][0]} failed. {cause_of(outcome.tail)} The whole story is in {log}.")


def set_up(machine: Machine, folder: Path, todo: "list[str]", facts: Facts) -> None:
    """Do the steps in order and record each when it is finished."""
    if "torch" in todo and machine.free_bytes(folder) < NEEDED_BYTES[facts.build]:
        needed, free = NEEDED_BYTES[facts.build] / 1e9, machine.free_bytes(folder) / 1e9
        raise SetupError(
            f"Setting up needs about {needed:.0f} GB of disk, and {folder} has {free:.1f} GB free. "
            "Free some, or choose another folder with --env DIR."
        )
    python = str(program(folder, "python"))
    if "environment" not in todo and machine.answer_of([python, "-m", "pip", "--version"]) is None:
        todo = ["pip", *todo]
    total = sum(expected_s(step, facts) for step in todo)
    machine.say(f"Setting up DiffAVA Foley in {folder} ({facts.torch_pin}, PyTorch for {facts.build.upper()}).")
    machine.say(f"{len(todo)} steps, about {words_for(total)}. Ctrl-C stops; the same command then goes on.")
    marks = fingerprints(facts)
    build, done, seconds = ("", {}, facts.state.seconds) if "environment" in todo else facts.state
    for number, step in enumerate(todo, 1):
        machine.say(f"[{number}/{len(todo)}] {STEPS[step][0]}, about {words_for(expected_s(step, facts))} ...")
        # The record goes before the step begins, so that a run that ends in the middle leaves the step undone.
        done.pop(step, None)
        write_state(folder, State(build, done, seconds))
        started_s = time.monotonic()
        do_step(machine, step, facts)
        seconds[step] = round(time.monotonic() - started_s, 1)
        machine.say(f"      done in {words_for(seconds[step])}.")
        if step == "torch":
            build = facts.build
        if step in marks:
            done[step] = marks[step]
        write_state(folder, State(build, done, seconds))


def refuse_this_python() -> "str | None":
    """Why the Python that runs this file cannot be used, or None."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if version not in SUPPORTED:
        return f"it is Python {version}, and DiffAVA Foley runs on 3.11, 3.12 and 3.13"
    if sys.maxsize <= 2**32:
        return "it is a 32-bit Python, and PyTorch needs a 64-bit one"
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        return "PyTorch is no longer published for Intel Macs (on Apple silicon: use an arm64 Python)"
    try:
        import ensurepip  # noqa: F401 -- Debian and Ubuntu ship Python without these two
        import venv  # noqa: F401
    except ImportError:
        return "its venv and ensurepip modules are missing (on Debian and Ubuntu: apt install python3-venv)"
    return None


def other_python(machine: Machine) -> "str | None":
    """The first fit Python on the search path."""
    candidates = [["python" + version] for version in SUPPORTED] + [["python3"], ["python"]]
    if sys.platform == "win32":
        candidates += [["py", "-" + version] for version in SUPPORTED]
    for candidate in candidates:
        version, _, path = (machine.answer_of([*candidate, "-c", FITNESS]) or "").partition("\n")
        if version in SUPPORTED:
            return path.strip()
    return None


def hand_to_fit_python(machine: Machine, reason: str, arguments: "list[str]") -> int:
    """Start this file again with a Python that fits; raises SetupError if there is none."""
    found = None if os.environ.get(HANDED_OVER) else other_python(machine)
    if found is None:
        advice = "Install Python 3.11, 3.12 or 3.13 from python.org or your system's packages."
        raise SetupError(f"{sys.executable} cannot be used: {reason}. {advice}")
    machine.say(f"Going on with {found}, since the Python that was started cannot be used: {reason}.")
    os.environ[HANDED_OVER] = "1"
    return machine.hand_over([found, str(Path(__file__).resolve()), *arguments])


def parse(arguments: "list[str]") -> argparse.Namespace:
    """Our options, the command and what follows it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    place = os.environ.get("DIFFAVA_ENV") or str(DEFAULT_FOLDER)
    parser.add_argument("--env", metavar="DIR", default=place, help="folder for the environment (or DIFFAVA_ENV)")
    parser.add_argument("--torch", choices=("auto", "cpu", "cuda"), default="auto", help="the build of PyTorch")
    parser.add_argument("command", help="demo, test, doctor, install, repair, resolve, or any diffava command")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="handed to the command")
    return parser.parse_args(arguments)


def run(machine: Machine, arguments: "list[str]") -> int:
    """Do what the command line asks; returns the exit code."""
    asked = parse(arguments)
    reason = refuse_this_python()
    if reason:
        return hand_to_fit_python(machine, reason, arguments)
    if asked.command == "resolve" and asked.arguments[:1] in (["uninstall"], ["status"]):  # these need no environment
        from diffava_installer.resolve.command import main as without_environment

        return without_environment(asked.arguments)
    folder = Path(asked.env).expanduser().absolute()
    facts = gather(machine, folder, asked.torch, fresh_look=asked.command in ("install", "repair"))
    todo = plan(facts, wants_dev=asked.command == "test", repair=asked.command == "repair")
    if todo:
        with claim(folder):
            set_up(machine, folder, todo, facts)
    if asked.command in ("install", "repair"):
        machine.say(f"DiffAVA Foley is ready in {folder}.")
        return 0
    command = [str(program(folder, "diffava")), asked.command]
    if asked.command == "test":
        command = [str(program(folder, "python")), str(ROOT / "tests" / "check.py")]
    return machine.hand_over(command + asked.arguments)


def main() -> int:
    """Run, and turn what went wrong into one sentence and an exit code."""
    machine = Machine()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a closed terminal stops us as Ctrl-C does
    try:
        return run(machine, sys.argv[1:])
    except SetupError as refusal:
        machine.say(str(refusal))
        return refusal.exit_code
    except OSError as error:
        machine.say(f"A file could not be read or written: {error}. Set that right, then run the same command again.")
        return 1
    except KeyboardInterrupt:
        machine.say("Stopped. Run the same command again to go on from here.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
