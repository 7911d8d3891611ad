"""What a command says where: results on stdout, the rest on stderr, and a bar only where somebody watches."""

import json

from diffava_resolve.cli.output import Output
from diffava_resolve.client.protocol import Progress, Queued, Started
from diffava_resolve.session import ShotBegun

EVENTS = (
    Queued(2),
    Started(),
    Progress("features", 8, 16),
    Progress("latent", 1, 20),
    Progress("waveform", 5, 5),
    Progress("measure", 1, 9),
)


def follow(output):
    with output.progress() as bar:
        for event in EVENTS:
            bar.show(event)


def test_a_pipe_gets_nothing_of_the_progress(capsys):
    follow(Output(as_json=False))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_each_stage_in_words(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    monkeypatch.setenv("TERM", "xterm")
    follow(Output(as_json=False))
    said = capsys.readouterr()
    assert said.out == ""
    assert "Writing the sound" in said.err
    assert "Measuring how it fits" in said.err


def test_a_shot_list_has_one_bar_for_the_whole_above_each_shots_own(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    output = Output(as_json=False)
    with output.progress() as bar:
        for number in (1, 2):
            for event in (ShotBegun(number, 20, "footsteps in snow"), *EVENTS):
                bar.show(event)
    assert "Shot 2 of 20: footsteps in snow" in capsys.readouterr().err


def test_json_is_the_only_line_on_stdout(capsys):
    output = Output(as_json=True)
    output.line("for people")
    output.result({"name": "Türklinke\nzwei"})
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert json.loads(said.out) == {"name": "Türklinke\nzwei"}
    assert said.out.isascii(), "a pipe that is not UTF-8, as on Windows, would change it"


def test_without_json_only_people_are_spoken_to(capsys):
    output = Output(as_json=False)
    output.line("[bold]a path with [brackets] stays as it is[/bold]")
    output.result({"name": "x"})
    assert capsys.readouterr().out == "[bold]a path with [brackets] stays as it is[/bold]\n"


def test_a_long_line_is_not_broken(capsys):
    Output(as_json=False).line("word " * 100)
    assert capsys.readouterr().out.count("\n") == 1


def test_warnings_do_not_stand_in_the_result(capsys):
    Output(as_json=True).warn("random weights")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "Note: random weights\n")
