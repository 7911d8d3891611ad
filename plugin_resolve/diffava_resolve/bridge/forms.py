"""A form that a person fills in: in a window of Resolve's, a small window of our own, or on a terminal."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TextIO

from diffava_resolve.bridge.failures import CallRefusedError
from diffava_resolve.errors import RequestError

Answers = Mapping[str, Any]
Kind = Literal["text", "number", "choice"]


@dataclass(frozen=True)
class Field:
    """One question. A `number` is whole and at least 1; a `choice` is one of `choices`."""

    name: str
    label: str
    kind: Kind = "text"
    value: str | int = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """Questions with one button that goes on and one that does not."""

    title: str
    fields: tuple[Field, ...] = ()
    text: str = ""
    yes: str = "OK"
    no: str = ""

    def as_json(self) -> dict[str, Any]:
        """As the launcher takes it."""
        return asdict(self)


Asker = Callable[[Form], Answers | None]  # None: the person closed it; CallRefusedError: it cannot be shown here


def first_that_can(askers: tuple[Asker, ...]) -> Asker:
    """An asker that tries each in turn until one can show the form."""

    def ask(form: Form) -> Answers | None:
        for asker in askers:
            try:
                return asker(form)
            except CallRefusedError:
                continue
        raise RequestError("There is no window and no terminal here to ask in; `diffava resolve foley` asks nothing.")

    return ask


def ask_on(reader: TextIO, writer: TextIO) -> Asker:
    """Asks line by line on a terminal; an empty line takes what stands in brackets, the end of input closes."""

    def ask(form: Form) -> Answers | None:
        print(form.title, form.text, sep="\n", file=writer)
        answers: dict[str, Any] = {}
        for field in form.fields:
            answer = _answer(field, reader, writer)
            if answer is None:
                return None
            answers[field.name] = answer
        return answers

    return ask


def _answer(field: Field, reader: TextIO, writer: TextIO) -> str | int | None:
    for number, choice in enumerate(field.choices, 1):
        print(f"  {number}  {choice}", file=writer)
    while True:
        print(f"{field.label} [{field.value}]: ", end="", file=writer, flush=True)
        line = reader.readline()
        if not line:
            return None
        typed = line.strip() or str(field.value)
        if field.kind == "text" or typed in field.choices:
            return typed
        if typed.isdigit() and 1 <= int(typed) <= (len(field.choices) or 99):
            return field.choices[int(typed) - 1] if field.kind == "choice" else int(typed)
        print("Give one of the numbers above." if field.choices else "Give a whole number from 1 to 99.", file=writer)


def ask_in_window(form: Form) -> Answers | None:
    """Asks in a window of the companion's own.

    Raises:
        CallRefusedError: This Python has no tkinter, or there is no screen.
    """
    try:
        import tkinter
        from tkinter import ttk

        root = tkinter.Tk()
    except (ImportError, RuntimeError) as error:
        raise CallRefusedError(f"No window can be shown ({error}).") from error
    except Exception as error:  # tkinter.TclError, whose module may be what is missing
        raise CallRefusedError(f"There is no screen ({error}).") from error
    root.title(form.title)
    root.attributes("-topmost", True)
    frame = ttk.Frame(root, padding=12)
    frame.grid()
    ttk.Label(frame, text=form.text, wraplength=460).grid(columnspan=2, sticky="w")
    variables: dict[str, tkinter.StringVar] = {}
    for field in form.fields:
        variable = variables[field.name] = tkinter.StringVar(value=str(field.value))
        ttk.Label(frame, text=field.label).grid(column=0, sticky="w")
        if field.kind == "choice":
            box: Any = ttk.Combobox(frame, textvariable=variable, values=field.choices, state="readonly", width=48)
        elif field.kind == "number":
            box = ttk.Spinbox(frame, textvariable=variable, from_=1, to=99, width=6)
        else:
            box = ttk.Entry(frame, textvariable=variable, width=50)
        box.grid(row=frame.grid_size()[1] - 1, column=1, sticky="w")
    answers: dict[str, Any] = {}

    def accept() -> None:
        for field in form.fields:
            text = variables[field.name].get()
            answers[field.name] = max(1, int(text)) if field.kind == "number" and text.isdigit() else text
        root.destroy()

    buttons = ttk.Frame(frame)
    buttons.grid(column=1, sticky="e", pady=(8, 0))
    if form.no:
        ttk.Button(buttons, text=form.no, command=root.destroy).grid(row=0, column=0)
    ttk.Button(buttons, text=form.yes, command=accept, default="active").grid(row=0, column=1)
    root.bind("<Return>", lambda _event: accept())
    root.bind("<Escape>", lambda _event: root.destroy())
    root.mainloop()
    return answers or (None if form.fields else {})
