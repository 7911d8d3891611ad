"""The installer's plan: which steps follow from what is found."""

import pytest

import bootstrap
from bootstrap import Facts, State, commands_of, fingerprints, plan

EVERYTHING = ["environment", "torch", "packages", "check"]
NOTHING_DONE = State("", {}, {})
FRESH = Facts(
    folder="/env",
    root="/checkout",
    own_python="3.11",
    env_python=None,
    has_command=False,
    build="cpu",
    torch_pin="torch==2.13.0",
    inputs="inputs",
    state=NOTHING_DONE,
)


def finished(*steps: str) -> Facts:
    """Facts after the given steps were done on a fresh machine."""
    marks = fingerprints(FRESH)
    return FRESH._replace(
        env_python="3.11", has_command=True, state=State("cpu", {step: marks[step] for step in steps}, {})
    )


def test_a_fresh_machine_gets_everything_in_order():
    assert plan(FRESH) == EVERYTHING
    assert plan(FRESH, wants_dev=True) == ["environment", "torch", "packages", "dev", "check"]


def test_nothing_is_done_twice():
    assert plan(finished(*EVERYTHING)) == []


def test_an_interrupted_setup_goes_on_with_the_step_it_was_in():
    assert plan(finished("environment")) == ["torch", "packages", "check"]
    assert plan(finished("environment", "torch")) == ["packages", "check"]


def test_the_checks_need_only_their_tools_on_top():
    assert plan(finished(*EVERYTHING), wants_dev=True) == ["dev", "check"]


def test_new_pins_leave_torch_alone():
    assert plan(finished(*EVERYTHING)._replace(inputs="changed")) == ["packages", "check"]


def test_another_build_of_torch_is_put_in_anew():
    facts = finished(*EVERYTHING)._replace(build="cuda")
    assert plan(facts) == ["torch", "packages", "check"]
    [command] = commands_of("torch", facts, "python")
    assert "--force-reinstall" in command, "pip would take the other build for good enough"


def test_a_newer_torch_pin_is_followed():
    assert plan(finished(*EVERYTHING)._replace(torch_pin="torch==2.14.0")) == ["torch", "packages", "check"]


@pytest.mark.parametrize("found", [None, "3.12", "3.14"])
def test_an_environment_whose_python_is_gone_or_another_is_made_anew(found):
    assert plan(finished(*EVERYTHING)._replace(env_python=found)) == EVERYTHING


def test_an_environment_is_kept_whichever_fit_python_runs_the_installer():
    assert plan(finished(*EVERYTHING)._replace(own_python="3.13")) == []


def test_a_moved_environment_is_made_anew():
    assert plan(finished(*EVERYTHING)._replace(folder="/elsewhere")) == EVERYTHING


def test_a_moved_checkout_is_installed_again():
    assert plan(finished(*EVERYTHING)._replace(root="/elsewhere")) == ["packages", "check"]


def test_a_missing_diffava_command_is_put_back():
    assert plan(finished(*EVERYTHING)._replace(has_command=False)) == ["packages", "check"]


def test_repair_goes_through_the_packages_and_keeps_a_sound_environment():
    assert plan(finished(*EVERYTHING), repair=True) == ["damaged", "torch", "packages", "check"]
    assert plan(FRESH, repair=True) == EVERYTHING


def test_the_extra_index_serves_torch_alone():
    [torch] = commands_of("torch", FRESH, "python", "https://index.example")
    assert torch[-1] == "torch"
    assert "--no-deps" in torch
    [packages] = commands_of("packages", FRESH, "python", "https://index.example")
    assert not any("index.example" in word for word in packages)


@pytest.mark.parametrize("step", ["torch", "packages", "dev"])
def test_every_package_is_pinned_and_none_is_compiled(step):
    [command] = commands_of(step, FRESH, "python")
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert command[command.index("-c") + 1].endswith("constraints.txt")


def test_the_time_of_the_last_run_replaces_the_guess():
    assert bootstrap.expected_s("torch", FRESH) == 90
    assert bootstrap.expected_s("torch", FRESH._replace(state=State("", {}, {"torch": 31.5}))) == 31.5
    assert bootstrap.expected_s("torch", FRESH._replace(build="cuda")) > 90


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "Free some space"),
        ("[Errno -3] Temporary failure in name resolution", "Connect"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build for this system"),
        ("ModuleNotFoundError: No module named 'av'", "Run `repair`"),
    ],
)
def test_a_failure_says_what_to_do(line, advice):
    assert advice in bootstrap.cause_of(("Collecting something", line, ""))
