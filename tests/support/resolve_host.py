"""`python resolve_host.py SETUP.json`: Resolve, as the fake plays it, starts a script of its menu.

It runs in a Python of its own, which has none of our packages: the standard library alone, syntax of Python 3.6. SETUP
names the version, the clips and marks of the timeline, the script, and what the person answers in a window of
Resolve's. What was on the timeline before and after is written to the file `seen`.
"""

import json
import runpy
import sys
from fractions import Fraction
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fake_resolve import FakeResolve, profile  # noqa: E402


class Element:
    """An element of a window; what a script puts into it is kept."""

    def __init__(self, looks):
        self.__dict__.update(looks)
        self.choices = []

    def AddItem(self, text):
        self.choices.append(text)


class Manager:
    """Fusion's UIManager, as far as it is documented: elements by name, each with its table of looks."""

    def __init__(self):
        self.made = []

    def __getattr__(self, kind):
        def element(*given):
            looks = given[0] if isinstance(given[0], dict) else {}
            self.made.append(Element(looks))
            return self.made[-1]

        return element


class Handlers:
    """`window.On`: a table of events for each element."""

    def __getattr__(self, name):
        self.__dict__[name] = Element({})
        return self.__dict__[name]


class Dispatcher:
    """bmd.UIDispatcher: in its loop a person fills in the form and presses the button."""

    def __init__(self, manager, answers):
        self._manager = manager
        self._answers = answers
        self.On = Handlers()
        self.texts = []

    def AddWindow(self, looks, children):
        return self

    def GetItems(self):
        return {element.ID: element for element in self._manager.made if hasattr(element, "ID")}

    def Show(self):
        pass

    def Hide(self):
        pass

    def StepLoop(self):
        pass

    def RunLoop(self):
        items = self.GetItems()
        self.texts.append(items["DiffAVAText"].Text)
        for name, answer in self._answers.items():
            if name in items:
                element = items[name]
                setattr(element, "CurrentText" if element.choices else "Value" if name == "takes" else "Text", answer)
        self.On.DiffAVAYes.Clicked(None)

    def ExitLoop(self):
        pass


class Fusion:
    """The global `fusion` where scripts may show windows."""

    def __init__(self):
        self.UIManager = Manager()


class Library:
    """The global `bmd`."""

    def __init__(self, answers):
        self._answers = answers

    def UIDispatcher(self, manager):
        return Dispatcher(manager, self._answers)


def main(setup):
    fake = FakeResolve(profile(setup["version"]), Fraction(setup["rate"]))
    for kind, path, start, duration in setup["clips"]:
        fake.add_clip(kind, 1, path, start, duration)
    for frame, count, note in setup["markers"]:
        fake.timeline.AddMarker(frame, "Blue", "Marker", note, count)
    if setup["marks"] and callable(getattr(fake.timeline, "SetMarkInOut", None)):
        fake.timeline.SetMarkInOut(*setup["marks"])
    before = fake.seen()
    given = {"resolve": fake.resolve, "fusion": Fusion(), "bmd": Library(setup["answers"])}
    if setup.get("playhead"):
        fake.timeline.SetCurrentTimecode(setup["playhead"])
        before = fake.seen()
    try:
        runpy.run_path(setup["script"], init_globals=given, run_name="__main__")
    finally:
        found = {"before": before, "after": fake.seen(), "python": sys.version_info[:2]}
        Path(setup["seen"]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
