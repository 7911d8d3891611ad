"""`python companion_main.py MEDIA ANSWERS [HOW]`: the companion with a scripted server and a person who answers.

HOW says what befalls it: `killed placing` ends it as kill -9 does once the clip was placed, `waiting FIFO` says over a
named pipe that the server works, and then waits for ever.
"""

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from diffava_resolve.cli.companion import serve_menu
from diffava_resolve.client.scripted_client import ScriptedClient
from diffava_resolve.editor.resolve_editor import ResolveEditor


class KilledPlacing(ResolveEditor):
    @contextmanager
    def changing(self):
        with super().changing() as change:
            yield change
            os.kill(os.getpid(), signal.SIGKILL)


class Waiting(ScriptedClient):
    fifo = ""

    def generate(self, *arguments, **named):
        Path(self.fifo).write_text(str(os.getpid()))
        threading.Event().wait()
        yield


def main() -> int:
    media, answers, how = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
    client = Waiting() if how[:1] == ["waiting"] else ScriptedClient()
    if isinstance(client, Waiting):
        client.fifo = how[1]
    editor = KilledPlacing if how == ["killed placing"] else ResolveEditor
    return serve_menu(lambda: client, lambda resolve: editor(resolve, media), own=(lambda form: answers,))


if __name__ == "__main__":
    sys.exit(main())
