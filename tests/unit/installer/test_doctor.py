"""The doctor: what it says about machines that lack something, and how it ends."""

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from diffava_installer import doctor as doctor_module
from diffava_installer.findings import Finding, as_text, is_usable
from diffava_installer.machine import (
    check_disk,
    check_media,
    check_memory,
    check_python,
    check_state_folder,
    check_torch,
    state_folder,
)
from diffava_installer.packages import check_packages

DECLARED = [
    "numpy>=2",
    'av<19,>=18; extra == "resolve"',
    'torch>=2.10; extra == "model"',
    'torch>=2.10; extra == "server"',
    'pytest; extra == "dev"',
]
INSTALLED = {"numpy": "2.4.6", "av": "18.1.0", "torch": "2.13.0+cpu"}


def versions(**changes):
    installed = {**INSTALLED, **changes}

    def version_of(name):
        if installed.get(name) is None:
            raise PackageNotFoundError(name)
        return installed[name]

    return version_of


def broken(message):
    def ask(_code):
        raise RuntimeError(message)

    return ask


def torch_says(*answer):
    return lambda _code: json.dumps(answer)


def test_a_complete_installation_is_usable():
    findings = check_packages(DECLARED, versions())
    assert [finding.mark for finding in findings] == ["ok"] * 4


def test_a_missing_package_is_named_and_makes_the_machine_unusable():
    findings = check_packages(DECLARED, versions(av=None))
    assert not is_usable(findings)
    assert "av is missing" in as_text(findings)
    assert "bootstrap.py repair" in as_text(findings)


def test_a_package_of_another_version_is_named_with_both_versions():
    [finding] = [one for one in check_packages(DECLARED, versions(av="19.0.2")) if one.mark == "problem"]
    assert "av is 19.0.2, wanted <19,>=18" in finding.sentence


def test_without_the_model_a_server_elsewhere_can_still_be_used():
    findings = check_packages(DECLARED, versions(torch=None))
    assert is_usable(findings)
    assert "--server" in as_text(findings)


def test_tools_of_the_checks_are_not_asked_for():
    assert "pytest" not in as_text(check_packages(DECLARED, versions()))


@pytest.mark.parametrize(
    ("found", "mark"), [((3, 10), "problem"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "problem")]
)
def test_python_must_be_3_11_to_3_13(found, mark):
    assert check_python(found).mark == mark


@pytest.mark.parametrize(
    ("answer", "has_nvidia", "mark", "words"),
    [
        (("2.13.0+cpu", None, None), False, "ok", "on the CPU"),
        (("2.13.0+cu130", "13.0", "NVIDIA L4"), True, "ok", "NVIDIA L4"),
        (("2.13.0+cpu", None, None), True, "note", "--torch cuda install"),
        (("2.13.0+cu130", "13.0", None), True, "note", "finds no GPU"),
    ],
)
def test_the_build_of_torch_is_held_against_the_gpu(answer, has_nvidia, mark, words):
    finding = check_torch(torch_says(*answer), has_nvidia)
    assert finding.mark == mark
    assert words in as_text([finding])


def test_a_torch_that_does_not_start_points_to_repair_and_to_a_server():
    finding = check_torch(broken("OSError: libc10.so"), has_nvidia=False)
    assert finding.mark == "note"
    assert "libc10.so" in finding.sentence
    assert "--server" in finding.remedy


def test_a_broken_media_library_is_a_problem():
    assert check_media(broken("ImportError: DLL load failed")).mark == "problem"


def test_little_disk_and_memory_are_noted_with_figures(tmp_path):
    assert check_disk(tmp_path, free_bytes=int(0.5e9)).sentence.startswith("0.5 GB free")
    assert check_disk(tmp_path, free_bytes=int(0.5e9)).mark == "note"
    assert check_memory(int(2e9)).mark == "note"
    assert check_memory(None).mark == "ok"


def test_a_state_folder_that_can_be_made_is_fine(tmp_path):
    assert check_state_folder(tmp_path / "new" / "folder").mark == "ok"
    assert list(tmp_path.iterdir()) == [], "the doctor looks and leaves nothing"


def test_a_state_folder_that_cannot_be_written_says_which_variable_to_set(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("diffava_installer.machine.TemporaryFile", refuse)
    finding = check_state_folder(tmp_path)
    assert finding.mark == "problem"
    assert "DIFFAVA_STATE_DIR" in finding.remedy


def test_the_doctor_looks_at_the_state_folder_that_the_plugin_uses(tmp_path):
    from diffava_resolve.client import local_server

    for environment in ({}, {local_server.STATE_DIRECTORY_VARIABLE: str(tmp_path)}):
        assert state_folder(environment) == local_server.state_directory(environment)


def test_json_is_the_last_line_and_an_unfit_machine_ends_with_1(monkeypatch, capsys):
    found = [Finding("problem", "media", "video cannot be read.", "Repair it.")]
    monkeypatch.setattr(doctor_module, "examine", lambda: found)
    with pytest.raises(SystemExit) as ended:
        doctor_module.doctor(json=True)
    assert ended.value.code == 1
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report["usable"] is False
    assert report["findings"][0]["remedy"] == "Repair it."


def test_this_machine_is_examined_without_an_error(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIFFAVA_STATE_DIR", str(tmp_path))
    subjects = [finding.subject for finding in doctor_module.examine()]
    assert {"Python", "packages", "PyTorch", "media", "disk", "memory", "local server"} <= set(subjects)
    assert Path.cwd() == tmp_path
