"""Asking a person: on a terminal, in whichever place can show a form, and by markers where none can."""

import io

import pytest

from diffava_resolve.bridge.failures import CallRefusedError
from diffava_resolve.bridge.forms import Field, Form, ask_in_window, ask_on, first_that_can
from diffava_resolve.cli.resolve_job import FORM, PICTURES, WHERE, by_markers, progress_in_words, wish_of
from diffava_resolve.client.protocol import Progress, Queued, Started
from diffava_resolve.editor.protocol import Selection
from diffava_resolve.errors import RequestError

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
    assert (wish.prompt, wish.negative_prompt, wish.take_count, wish.track_name) == ("rain", "voices", 3, "Rain")
    assert (wish.picture, wish.selection) == ("graded", Selection("whole"))


def test_progress_is_said_in_words():
    assert progress_in_words(Progress("latent", 2, 5)) == "Making the sound: 40 %"
    assert progress_in_words(Queued(2)) == "Waiting, 2 jobs ahead"
    assert progress_in_words(Started()) == "Starting"
