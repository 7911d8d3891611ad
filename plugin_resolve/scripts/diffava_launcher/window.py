"""Forms and progress in Fusion's UIManager, where this Resolve lets scripts show windows."""

from diffava_launcher.objects import RefusalError


class Window(object):
    """Forms and progress in Fusion's UIManager, where this Resolve has it: Studio, and the free version before 19.1."""

    def __init__(self, resolve, fusion, bmd):
        self._fusion = fusion
        self._bmd = bmd
        self._progress = None
        self._cancelled = False
        product, version = resolve.GetProductName(), tuple(resolve.GetVersion() or ())[:2]
        # The free version shows a message of its own from 19.1 on, so it is not even tried there.
        self.exists = bool(fusion and bmd and ("Studio" in str(product) or version < (19, 1)))

    def _dispatcher(self):
        manager = self._fusion.UIManager
        if not self.exists or manager is None:
            raise RefusalError("no_window", "This Resolve shows no windows of scripts.")
        return manager, self._bmd.UIDispatcher(manager)

    def ask(self, form):
        """Show a form until a button is pressed; the answers by field name, and None if it was closed."""
        manager, dispatcher = self._dispatcher()
        rows = [manager.Label({"ID": "DiffAVAText", "Text": form.get("text", ""), "WordWrap": True})]
        for field in form["fields"]:
            rows.append(manager.HGroup([manager.Label({"Text": field["label"]}), widget(manager, field)]))
        buttons = [manager.Button({"ID": "DiffAVAYes", "Text": form.get("yes", "OK")})]
        if form.get("no"):
            buttons.append(manager.Button({"ID": "DiffAVANo", "Text": form["no"]}))
        geometry = {"ID": "DiffAVA", "WindowTitle": form["title"], "Geometry": [200, 200, 520, 120 + 40 * len(rows)]}
        window = dispatcher.AddWindow(geometry, [manager.VGroup([*rows, manager.HGroup(buttons)])])
        items = window.GetItems()
        for field in form["fields"]:
            if field["kind"] == "choice":
                for choice in field["choices"]:
                    items[field["name"]].AddItem(choice)
                items[field["name"]].CurrentText = field["value"]
        answers = []

        def accept(_event):
            answers.append({field["name"]: read_widget(items[field["name"]], field) for field in form["fields"]})
            dispatcher.ExitLoop()

        def leave(_event):
            dispatcher.ExitLoop()

        window.On.DiffAVAYes.Clicked = accept
        window.On.DiffAVANo.Clicked = leave
        window.On.DiffAVA.Close = leave
        window.Show()
        dispatcher.RunLoop()
        window.Hide()
        return answers[0] if answers else None

    def show(self, text):
        """Say how far the work is; True once the person has pressed Cancel."""
        if self.exists:
            if self._progress is None:
                manager, dispatcher = self._dispatcher()
                parts = [manager.Label({"ID": "DiffAVAText"}), manager.Button({"ID": "DiffAVANo", "Text": "Cancel"})]
                looks = {"ID": "DiffAVAProgress", "WindowTitle": "DiffAVA Foley", "Geometry": [200, 200, 520, 100]}
                window = dispatcher.AddWindow(looks, [manager.VGroup(parts)])
                window.On.DiffAVANo.Clicked = self._cancel
                window.On.DiffAVAProgress.Close = self._cancel
                window.Show()
                self._progress = (window, dispatcher)
            window, dispatcher = self._progress
            window.GetItems()["DiffAVAText"].Text = text
            if callable(getattr(dispatcher, "StepLoop", None)):
                dispatcher.StepLoop()
        return self._cancelled

    def _cancel(self, _event):
        self._cancelled = True

    def close(self):
        """Take the progress away."""
        if self._progress is not None:
            self._progress[0].Hide()
            self._progress = None


def widget(manager, field):
    """The element of a window for one field of a form."""
    if field["kind"] == "choice":
        return manager.ComboBox({"ID": field["name"]})
    if field["kind"] == "number":
        return manager.SpinBox({"ID": field["name"], "Value": field["value"], "Minimum": 1, "Maximum": 99})
    return manager.LineEdit({"ID": field["name"], "Text": field["value"]})


def read_widget(element, field):
    """What the person has put into a field."""
    return getattr(element, {"choice": "CurrentText", "number": "Value"}.get(field["kind"], "Text"))
