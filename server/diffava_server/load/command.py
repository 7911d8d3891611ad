"""`diffava bench load`: the command around a run of load. Knows terminals and the server's command, no calls."""

import asyncio
import json as json_text
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from diffava_server.errors import StartError
from diffava_server.load.client import Target
from diffava_server.load.outcomes import Tally
from diffava_server.load.plan import LoadPlan
from diffava_server.load.report import lines
from diffava_server.load.resources import Holding
from diffava_server.load.run import Tell, run_load
from diffava_server.operations.probe import ProbeTls

TOKEN_VARIABLE = "DIFFAVA_TOKEN"  # as every command of an editor has it
CALLS_VARIABLE = "DIFFAVA_SERVER_MAX_CALLS_PER_MINUTE"
_ADDRESS = re.compile(r"unix:.+|.+:\d+")

bench = App(name="bench", help="Measure a server.")


@bench.command
def load(
    *,
    server: str = "",
    token_file: Path | None = None,
    model: str = "",
    clients: int = 8,
    duration: float = 60.0,
    ramp: float = 0.0,
    requests: int | None = None,
    lengths: tuple[float, ...] = (1.0, 4.0, 8.0),
    takes: tuple[int, ...] = (1, 1, 2),
    pictures: float = 0.5,
    cancel: float = 0.0,
    pause: float = 0.0,
    steps: int = 0,
    seed: int = 0,
    hung_after: float = 300.0,
    pid: int | None = None,
    ca: Annotated[Path | None, Parameter(env_var="DIFFAVA_CA")] = None,
    cert: Annotated[Path | None, Parameter(env_var="DIFFAVA_CERT")] = None,
    key: Annotated[Path | None, Parameter(env_var="DIFFAVA_KEY")] = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Ask a server for work as many editors would, and say how it bore that.

    Refusals that may pass are tried again, as an editor's client does. Ends with 1 if a request hung or was lost, that
    is, ended with no result and no refusal in the server's own words.

    Args:
        server: Address of a running server, HOST:PORT or unix:PATH; without it one is started for this run, with the
            settings that DIFFAVA_SERVER_* variables give.
        token_file: File with that server's token; without it DIFFAVA_TOKEN is read.
        model: Which model to ask for; by default the server's first, of a server started here mini.
        clients: How many editors ask at once, each for one thing at a time.
        duration: For how many seconds new requests are made; those under way are waited for.
        ramp: Over how many seconds the clients come, one after the other.
        requests: How many requests each client makes at most.
        lengths: Seconds of sound, drawn anew for each request; give the option several times.
        takes: Takes, likewise; a number given twice is drawn twice as often.
        pictures: Share of requests with pictures, from 0 to 1; the others have a prompt alone.
        cancel: Share of requests that are given up half-way, from 0 to 1.
        pause: Seconds that a client listens before its next request, in the mean.
        steps: Denoising steps; 0 is the model's default.
        seed: What is asked follows from it.
        hung_after: A request that gets no answer for so many seconds counts as hung.
        pid: Process of the server, if it runs on this machine: its memory is watched. Known of one started here.
        ca: Who signed the server's certificate, PEM. Without it TLS is spoken with other machines alone, and public
            authorities are trusted.
        cert: The certificate to show, PEM; for a server that asks for one.
        key: Its private key, PEM.
        json: Make the last line of stdout one JSON object.
    """
    _check(clients=clients >= 1, duration=duration > 0, ramp=ramp >= 0, requests=requests is None or requests >= 1)
    _check(
        lengths=min(lengths) > 0, takes=min(takes) >= 1, steps=steps >= 0, pause=pause >= 0, hung_after=hung_after > 0
    )
    _check(pictures=0 <= pictures <= 1, cancel=0 <= cancel <= 1)
    plan = LoadPlan(
        client_count=clients,
        duration_s=duration,
        ramp_s=ramp,
        lengths_s=lengths,
        take_counts=takes,
        pictures_share=pictures,
        cancel_share=cancel,
        model=model if server else "",  # a model's folder is known to its server by another name
        pause_s=pause,
        step_count=steps,
        seed=seed,
        requests_per_client=requests,
        hung_after_s=hung_after,
    )
    if server:
        figures = _run(Target(server, _token(server, token_file), ProbeTls(ca, cert, key)), plan, pid)
    else:
        with _server_of_its_own(model or "mini") as (target, own_pid):
            figures = _run(target, plan, own_pid)
    sys.stdout.write("\n".join([*lines(figures), ""]) if not json else _one_line(figures))
    return 0 if figures["lost"] == figures["hung"] == 0 else 1


def _run(target: Target, plan: LoadPlan, pid: int | None) -> dict[str, Any]:
    with _shown(plan.duration_s) as tell:
        return asyncio.run(run_load(target, plan, pid=pid, tell=tell))


def _check(**kept: bool) -> None:
    for name, is_kept in kept.items():
        if not is_kept:
            option = name.replace("_", "-")
            raise StartError(f"--{option} is out of its bounds; see `diffava bench load --help`.", exit_code=2)


def _token(address: str, file: Path | None) -> str:
    if not _ADDRESS.fullmatch(address):
        raise StartError(f"'{address}' is not a server's address; give HOST:PORT or unix:PATH.", exit_code=2)
    try:
        token = (os.environ.get(TOKEN_VARIABLE, "") if file is None else file.read_text()).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"The token file {file} cannot be read ({error}).", exit_code=2) from error
    if not token or not token.isascii() or not token.isprintable():
        raise StartError(f"There is no token for {address}; set {TOKEN_VARIABLE} or give --token-file.", exit_code=2)
    return token


@contextmanager
def _server_of_its_own(model: str) -> Iterator[tuple[Target, int]]:
    """A server process for this run alone, on a free loopback port."""
    with tempfile.TemporaryDirectory(prefix="diffava-load-") as folder:
        token_file, log_file = Path(folder) / "token", Path(folder) / "log"
        command = [sys.executable, "-m", "diffava_server", "--listen", "127.0.0.1:0", "--json", "--model", model]
        # The played editors come from one machine, which counts as one client where calls are limited.
        environment = {CALLS_VARIABLE: str(10**6), **os.environ}
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [*command, "--token-file", str(token_file)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            if not said:
                told = log_file.read_text(errors="replace").strip().splitlines()
                raise StartError(told[-1] if told else "The server did not start.", exit_code=process.wait())
            yield Target(json_text.loads(said)["address"], token_file.read_text().strip()), process.pid
        finally:
            process.terminate()
            process.communicate()


@contextmanager
def _shown(duration_s: float) -> Iterator[Tell]:
    """A bar on a terminal, and nothing on a pipe."""
    console = Console(stderr=True)
    columns = (BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=duration_s)

        def tell(tally: Tally, passed_s: float, held: Holding | None) -> None:
            done, waiting = tally.count("done"), tally.begun - len(tally.outcomes)
            bar.update(task, completed=min(passed_s, duration_s), description=f"{done} done, {waiting} under way")

        yield tell


def _one_line(figures: dict[str, Any]) -> str:
    return json_text.dumps(figures) + "\n"
