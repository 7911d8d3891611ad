"""The installer at work on a machine whose pip is a script: interrupted, repaired, refused, run again."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

import bootstrap
from bootstrap import Machine, Outcome

PLENTY_BYTES = 10**12


class ScriptedMachine(Machine):
    """Notes what is run; `venv` and pip leave the files that the real ones would leave."""

    def __init__(self, endings=None):
        self.said, self.ran, self.handed_over = [], [], []
        self.endings = endings or {}  # word of a command -> Outcome, or an exception to raise
        self.free = PLENTY_BYTES

    def say(self, text):
        self.said.append(text)

    def run(self, command, log):
        self.ran.append(command)
        for word, ending in self.endings.items():
            if any(word in part for part in command):
                if isinstance(ending, Outcome):
                    return ending
                raise ending
        if command[1:3] == ["-m", "venv"]:
            touch(bootstrap.program(log.parent, "python"))
        if "-e" in command:
            touch(bootstrap.program(log.parent, "diffava"))
        return Outcome(0)

    def answer_of(self, command):
        if bootstrap.DAMAGED in command:
            return "numpy"
        return f"{sys.version_info[0]}.{sys.version_info[1]}" if Path(command[0]).exists() else None

    def index_answers(self, url):
        return False

    def has_nvidia(self):
        return False

    def free_bytes(self, path):
        return self.free

    def hand_over(self, command):
        self.handed_over.append(command)
        return 7


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def words_of(machine):
    return " ".join(part for command in machine.ran for part in command)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "env"


def test_a_command_sets_up_once_and_then_starts_at_once(folder):
    first = ScriptedMachine()
    assert bootstrap.run(first, ["--env", str(folder), "foley", "cut.otio", "--json"]) == 7
    assert len(first.ran) == 4
    second = ScriptedMachine()
    assert bootstrap.run(second, ["--env", str(folder), "foley", "cut.otio", "--json"]) == 7
    assert second.ran == []
    assert second.said == []
    assert second.handed_over == [[str(bootstrap.program(folder, "diffava")), "foley", "cut.otio", "--json"]]


def test_test_runs_the_checks_with_their_tools(folder):
    machine = ScriptedMachine()
    bootstrap.run(machine, ["--env", str(folder), "test", "lint"])
    assert "[dev]" in words_of(machine)
    [[_python, script, argument]] = machine.handed_over
    assert Path(script).name == "check.py"
    assert argument == "lint"


def test_after_an_interruption_the_same_command_goes_on(folder):
    with pytest.raises(KeyboardInterrupt):
        bootstrap.run(ScriptedMachine({"torch": KeyboardInterrupt()}), ["--env", str(folder), "install"])
    second = ScriptedMachine()
    assert bootstrap.run(second, ["--env", str(folder), "install"]) == 0
    assert "venv --clear" not in words_of(second)
    assert second.ran[0][-1] == "torch"


def test_an_interruption_while_the_environment_is_made_makes_it_anew(folder):
    with pytest.raises(KeyboardInterrupt):
        bootstrap.run(ScriptedMachine({"venv": KeyboardInterrupt()}), ["--env", str(folder), "install"])
    touch(bootstrap.program(folder, "python"))  # half made
    second = ScriptedMachine()
    assert bootstrap.run(second, ["--env", str(folder), "install"]) == 0
    assert "venv --clear" in words_of(second)


def test_a_failed_step_names_its_cause_and_the_log(folder):
    machine = ScriptedMachine({"torch": Outcome(1, ("[Errno -3] Temporary failure in name resolution",))})
    with pytest.raises(bootstrap.SetupError, match=r"Installing PyTorch failed\. .*Connect.*bootstrap\.log"):
        bootstrap.run(machine, ["--env", str(folder), "install"])
    assert machine.handed_over == []


def test_repair_puts_damaged_packages_back(folder):
    bootstrap.run(ScriptedMachine(), ["--env", str(folder), "install"])
    machine = ScriptedMachine()
    bootstrap.run(machine, ["--env", str(folder), "repair"])
    assert "--force-reinstall" in machine.ran[0]
    assert machine.ran[0][-1] == "numpy"


def test_a_damaged_state_file_is_taken_for_an_unfinished_setup(folder):
    bootstrap.run(ScriptedMachine(), ["--env", str(folder), "install"])
    (folder / "state.json").write_text('{"done": ')
    machine = ScriptedMachine()
    assert bootstrap.run(machine, ["--env", str(folder), "install"]) == 0
    assert len(machine.ran) == 4


def test_the_state_file_names_the_finished_steps_and_their_seconds(folder):
    bootstrap.run(ScriptedMachine(), ["--env", str(folder), "install"])
    state = json.loads((folder / "state.json").read_text())
    assert set(state["done"]) == set(state["seconds"]) == {"environment", "torch", "packages", "check"}
    assert not list(folder.glob("*.partial"))


def test_a_folder_with_other_files_is_refused_and_left_alone(folder):
    touch(folder / "holiday.mov")
    with pytest.raises(bootstrap.SetupError, match="choose another with --env DIR") as refused:
        bootstrap.run(ScriptedMachine(), ["--env", str(folder), "install"])
    assert refused.value.exit_code == 2
    assert [path.name for path in folder.iterdir()] == ["holiday.mov"]


def test_two_installers_do_not_work_in_one_folder(folder):
    lock = bootstrap.claim(folder)
    machine = ScriptedMachine()
    with pytest.raises(bootstrap.SetupError, match="let it finish"):
        bootstrap.run(machine, ["--env", str(folder), "install"])
    assert machine.ran == []
    lock.close()


def test_too_little_disk_is_refused_before_anything_is_fetched(folder):
    machine = ScriptedMachine()
    machine.free = 10**9
    with pytest.raises(bootstrap.SetupError, match=r"needs about 3 GB .* has 1\.0 GB free"):
        bootstrap.run(machine, ["--env", str(folder), "install"])
    assert machine.ran == []


def test_an_index_that_does_not_answer_is_said_and_done_without(folder, monkeypatch):
    monkeypatch.setattr(bootstrap, "TORCH_INDEX", {(sys.platform, "cpu"): "https://index.example"})
    machine = ScriptedMachine()
    bootstrap.run(machine, ["--env", str(folder), "install"])
    assert any("index.example does not answer" in line for line in machine.said)
    assert "--extra-index-url" not in words_of(machine)


def test_an_unfit_python_hands_over_to_a_fit_one(folder, monkeypatch):
    monkeypatch.setattr(bootstrap, "refuse_this_python", lambda: "it is Python 3.14")
    monkeypatch.delenv(bootstrap.HANDED_OVER, raising=False)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    machine = ScriptedMachine()
    machine.answer_of = lambda command: "3.12\n/opt/python3.12" if command[0] == "python3.12" else None
    assert bootstrap.run(machine, ["--env", str(folder), "demo"]) == 7
    [command] = machine.handed_over
    assert command[0] == "/opt/python3.12"
    assert command[-1] == "demo"
    assert not folder.exists()


def test_without_a_fit_python_the_message_says_which_to_install(folder, monkeypatch):
    monkeypatch.setattr(bootstrap, "refuse_this_python", lambda: "it is Python 3.14")
    monkeypatch.delenv(bootstrap.HANDED_OVER, raising=False)
    machine = ScriptedMachine()
    machine.answer_of = lambda command: None
    with pytest.raises(bootstrap.SetupError, match=r"Install Python 3\.11, 3\.12 or 3\.13"):
        bootstrap.run(machine, ["--env", str(folder), "demo"])


def test_ctrl_c_ends_with_one_sentence_and_130(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bootstrap.py", "--env", str(folder), "install"])
    monkeypatch.setattr(bootstrap, "Machine", lambda: ScriptedMachine({"venv": KeyboardInterrupt()}))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert bootstrap.main() == 130


def test_a_real_environment_is_made_broken_and_repaired(folder):
    """`venv` is the real one; only pip's work is left out."""

    class RealVenv(ScriptedMachine):
        def run(self, command, log):
            self.ran.append(command)
            return Machine.run(self, [*command, "--without-pip"], log) if "venv" in command else Outcome(0)

        def answer_of(self, command):
            return Machine.answer_of(self, command)

    def install():
        machine = RealVenv()
        assert bootstrap.run(machine, ["--env", str(folder), "install"]) == 0
        return [command for command in machine.ran if "venv" in command]

    python = bootstrap.program(folder, "python")
    assert len(install()) == 1
    assert Machine().answer_of([str(python), "-c", "print(1)"]) == "1"
    touch(bootstrap.program(folder, "diffava"))
    assert install() == []
    python.unlink()
    assert len(install()) == 1
    assert Machine().answer_of([str(python), "-c", "print(1)"]) == "1"


def test_a_command_does_not_outlive_an_interrupted_setup(tmp_path, monkeypatch):
    started = []
    real = bootstrap.Popen
    monkeypatch.setattr(bootstrap, "Popen", lambda *args, **kwargs: started.append(real(*args, **kwargs)) or started[0])

    class Interrupted(Machine):
        def show(self, line):
            raise KeyboardInterrupt

    endless = "import time\nprint('working', flush=True)\nwhile True: time.sleep(1)"
    with pytest.raises(KeyboardInterrupt):
        Interrupted().run([sys.executable, "-c", endless], tmp_path / "log")
    assert started[0].returncode is not None
    assert "working" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("command", ["status", "uninstall"])
def test_resolves_menu_is_looked_at_and_left_without_an_environment(folder, monkeypatch, tmp_path, capsys, command):
    monkeypatch.setenv("HOME", str(tmp_path))
    machine = ScriptedMachine()
    assert bootstrap.run(machine, ["--env", str(folder), "resolve", command]) == 0
    assert "DiffAVA is not in Resolve's menu" in capsys.readouterr().out
    assert not folder.exists()
    assert machine.ran == machine.handed_over == []
