"""What makes a machine start the server by itself: each file parses, and its command line is one that we take.

No operating system was seen running them, but systemd's own check of its units is asked where there is one.
"""

import json
import plistlib
import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from diffava.cli.command import run
from diffava_server.app import LAST_WORDS_S
from diffava_server.config import ServerConfig
from diffava_server.operations import service_files
from diffava_server.operations.service_files import FILES, service_text
from support.checkout import ROOT

TASK = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
AWKWARD = [Path("/etc/diffava/server.toml"), Path("/home/a b/100% & <more>.toml")]


def systemd_command(text):
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]


def windows_command(text):
    task = ET.fromstring(text)
    command, arguments = (task.findtext(f".//t:Exec/t:{name}", namespaces=TASK) for name in ("Command", "Arguments"))
    return [command, *shlex.split(arguments)]


COMMANDS = {
    "systemd": systemd_command,
    "systemd-user": systemd_command,
    "launchd": lambda text: plistlib.loads(text.encode())["ProgramArguments"],
    "windows": windows_command,
}


@pytest.mark.parametrize("config", AWKWARD, ids=["plain", "awkward"])
@pytest.mark.parametrize("kind", COMMANDS)
def test_the_command_line_is_this_machines_and_the_server_takes_it(tmp_path, capsys, kind, config):
    program, *arguments = COMMANDS[kind](service_text(kind, config, tmp_path))
    assert Path(program).name.startswith("diffava")
    assert Path(program).is_absolute()
    assert arguments == ["serve", "--config", str(config)]
    here = tmp_path / "server.toml"
    here.write_text("max_take_count = 3")
    assert run([*arguments[:-1], str(here), "--print-config"]) == 0
    assert "max_take_count = 3" in capsys.readouterr().out


@pytest.mark.parametrize("kind", FILES)
def test_no_place_is_left_to_fill_in(tmp_path, kind):
    assert not re.findall(r"@[A-Z]+@", service_text(kind, AWKWARD[0], tmp_path))


def test_every_way_has_longer_to_end_than_a_drain_takes(tmp_path):
    drain_s = ServerConfig().drain_s
    units = [service_text(kind, AWKWARD[0], tmp_path) for kind in ("systemd", "systemd-user")]
    waits_s = [int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[1]) for unit in units]
    waits_s.append(plistlib.loads(service_text("launchd", AWKWARD[0], tmp_path).encode())["ExitTimeOut"])
    assert all(wait_s > drain_s + LAST_WORDS_S + 10 for wait_s in waits_s)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here to ask")
@pytest.mark.parametrize("kind", ["systemd", "systemd-user"])
def test_systemd_finds_nothing_wrong_with_its_units(tmp_path, monkeypatch, kind):
    command = tmp_path / "diffava"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.setattr(service_files, "_command", lambda: command)
    unit = tmp_path / "diffava.service"
    unit.write_text(service_text(kind, AWKWARD[0], tmp_path))
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr.strip()) == (0, "")


def test_the_containers_file_copies_what_there_is_and_runs_what_we_take(tmp_path, capsys):
    text = service_text("container", AWKWARD[0], tmp_path).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    told = dict(lines)
    assert set(told) <= {"FROM", "ARG", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
                         "ENTRYPOINT", "CMD"}  # fmt: skip
    assert told["USER"] != "0"
    assert told["STOPSIGNAL"] == "SIGTERM"
    for path in re.findall(r"/src/([\w./]+)", told["RUN"]):
        assert (ROOT / path).exists()
    program, *arguments = json.loads(told["ENTRYPOINT"])
    assert (program, arguments, json.loads(told["CMD"])[0]) == ("diffava", ["serve"], "--config")
    check = json.loads(told["HEALTHCHECK"].split("CMD", 1)[1])
    (tmp_path / "ca.pem").write_text("")
    answer = run([*check[1:-1], str(tmp_path / "ca.pem"), "--timeout-s", "0.1"])
    assert answer == 1, "nothing answers, but the command is understood"
    assert "UNREACHABLE" in capsys.readouterr().out
