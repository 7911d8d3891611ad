"""Asking a person: on a terminal, in whichever place can show a form, and by markers where none can."""

import io
import json
import os
import shutil
import subprocess
import sys

import pytest

from diffava_resolve.bridge.failures import CallRefusedError
from diffava_resolve.bridge.forms import Field, Form, ask_in_window, ask_on, first_that_can
from diffava_resolve.cli.resolve_job import FORM, PICTURES, WHERE, by_markers, progress_in_words, wish_of
from diffava_resolve.client.protocol import Progress, Queued, Started
from diffava_resolve.editor.protocol import Selection
from diffava_resolve.errors import RequestError
from diffava_resolve.session.settings import FoleySettings

SMALL = Form(
    "Title", (Field("prompt", "Prompt"), Field("kind", "Kind", "choice", "a", ("a", "b")), Field("n", "N", "number", 2))
)


def typed(text):
    said = io.StringIO()
    return ask_on(io.StringIO(text), said)(SMALL), said.getvalue()


def test_a_terminal_takes_numbers_words_and_empty_lines():
    answers, said = typed("rain\n2\n\n")
    assert answers == {"prompt": "rain", "kind": "b", "n": 2}
    assert "Prompt []: " in said
    assert "  2  b" in said


def test_a_terminal_asks_again_until_the_answer_can_be_used_and_its_end_closes():
    answers, said = typed("rain\n7\nb\nmany\n3\n")
    assert answers == {"prompt": "rain", "kind": "b", "n": 3}
    assert "Give one of the numbers above." in said
    assert "Give a whole number from 1 to 99." in said
    assert typed("rain\n")[0] is None


def test_the_next_place_is_tried_where_one_cannot_show_a_form():
    def cannot(_form):
        raise CallRefusedError("no")

    assert first_that_can((cannot, lambda _form: {"prompt": "x"}))(SMALL) == {"prompt": "x"}
    with pytest.raises(RequestError, match="no window and no terminal"):
        first_that_can((cannot,))(SMALL)


def test_without_a_screen_or_without_tkinter_a_window_is_refused(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(CallRefusedError):
        ask_in_window(SMALL)


# Runs in a process of its own: Xlib ends the process whose screen goes away.
IN_A_WINDOW = """
import json, tkinter
from diffava_resolve.bridge.forms import Field, Form, ask_in_window
fields = (Field("prompt", "Prompt"), Field("kind", "Kind", "choice", "a", ("a", "b")), Field("n", "N", "number", 2))
made = tkinter.Tk
def below(widget, kind):
    found = [widget] if widget.winfo_class() == kind else []
    return found + [one for child in widget.winfo_children() for one in below(child, kind)]
def asked(form, typed, button):
    def act(root):
        for entry in below(root, "TEntry"):
            entry.insert(0, typed)
        [one for one in below(root, "TButton") if one["text"] == button][0].invoke()
    def window():
        root = made()
        root.after_idle(act, root)
        return root
    tkinter.Tk = window
    return ask_in_window(form)
form = Form("Title", fields, yes="Generate", no="Cancel")
told = Form("Title", text="One clip.")
print(json.dumps([asked(form, "rain", "Generate"), asked(form, "", "Cancel"), asked(told, "", "OK")]))
"""


def test_a_window_of_our_own_takes_what_is_typed_and_can_be_cancelled():
    pytest.importorskip("tkinter", reason="this Python has no tkinter")
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no Xvfb to show a window on")
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[writer], stderr=subprocess.DEVNULL) as screen:
        os.close(writer)
        with os.fdopen(reader) as said:
            display = f":{said.readline().strip()}"  # said once it is there
        answer = subprocess.run(
            [sys.executable, "-c", IN_A_WINDOW],
            env={**os.environ, "DISPLAY": display},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        screen.terminate()
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == [{"prompt": "rain", "kind": "a", "n": 2}, None, {}]


def test_where_nobody_can_be_asked_the_markers_say_everything():
    wish = wish_of(by_markers(FORM))
    assert wish.selection == Selection("markers")
    assert wish.prompt == ""


def test_a_filled_form_becomes_a_wish():
    answers = {field.name: field.value for field in FORM.fields}
    graded = next(words for words, wish in PICTURES.items() if wish == "graded")
    whole = next(words for words, selection in WHERE.items() if selection.where == "whole")
    given = {"prompt": " rain ", "negative": "voices", "takes": 3, "picture": graded, "where": whole, "track": "Rain"}
    wish = wish_of({**answers, **given})
    assert (wish.prompt, wish.track_name) == ("rain", "Rain")
    assert wish.settings_for("rain") == FoleySettings("rain", negative_prompt="voices", take_count=3)
    assert (wish.picture, wish.selection) == ("graded", Selection("whole"))


def test_progress_is_said_in_words():
    assert progress_in_words(Progress("latent", 2, 5)) == "Making the sound: 40 %"
    assert progress_in_words(Queued(2)) == "Waiting, 2 jobs ahead"
    assert progress_in_words(Started()) == "Starting"
