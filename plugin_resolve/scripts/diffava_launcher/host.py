"""Answers a companion's requests over two pipes, a JSON object a line, until it has ended.

A request has an `id` and one of call, get, names, ask, show, settle, end; the answer has the `id` and `value` or
`error`. It may carry in `release` the objects that the companion no longer holds.
"""

import json
import sys
import time

from diffava_launcher.journal import Journal
from diffava_launcher.names import ALLOWED
from diffava_launcher.objects import Objects, RefusalError

PROTOCOL = 1
MAX_LINE_BYTES = 8 * 1024 * 1024  # a shot list or a long track's clips are a few hundred kilobytes
ALIVE_EVERY_S = 5.0  # how often it is asked, while a companion works, whether Resolve is still there


class Host(object):
    """Answers a companion's requests, one after another, until it says that it has ended or its pipe closes."""

    def __init__(self, resolve, window, say, version="", clock_s=time.monotonic):
        self._resolve = resolve
        self._objects = Objects()
        self._journal = Journal(resolve)
        self._window = window
        self._say = say
        self._version = version
        self._clock_s = clock_s
        self._looked_s = clock_s()
        self.last_words = None
        self._stage = None

    def hello(self):
        """The first line: who we are, and Resolve itself."""
        return {
            "diffava": PROTOCOL,
            "version": self._version,
            "python": "{}.{}.{}".format(*sys.version_info[:3]),
            "product": str(self._resolve.GetProductName()),
            "resolve": list(self._resolve.GetVersion() or ()),
            "has_window": self._window.exists,
            "root": self._objects.packed(self._resolve),
        }

    def serve(self, reader, writer):
        """Answer until the end; True if the companion ended by its own word. What it left unsettled is undone."""
        ended = False
        try:
            send(writer, self.hello())
            while not ended:
                line = reader.readline(MAX_LINE_BYTES + 1)
                if not line:
                    break
                if len(line) > MAX_LINE_BYTES:
                    break  # not a companion of ours: what follows cannot be told apart any more
                answer, ended = self._answer(line)
                send(writer, answer)
        except (OSError, ValueError):  # the pipe broke: the companion is gone
            pass
        finally:
            self._window.close()
            for complaint in self._journal.undo():
                self._say(complaint)
        return ended

    def _answer(self, line):
        """The answer to one line, and whether it was the last."""
        number = None
        try:
            request = json.loads(line.decode("utf-8"))
            number = request["id"]
            self._objects.release(request.get("release", ()))
            value, ended = self._do(request)
            return {"id": number, "value": self._objects.packed(value)}, ended
        except RefusalError as refusal:
            return {"id": number, "error": {"kind": refusal.kind, "message": str(refusal)}}, False
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return {"id": number, "error": {"kind": "malformed", "message": repr(error)}}, False

    def _do(self, request):
        if "call" in request:
            handle, name, arguments = request["call"]
            return self._call(self._objects[handle], name, self._objects.unpacked(arguments)), False
        if "get" in request:
            handle, name = request["get"]
            if not name.isupper():
                raise RefusalError("refused", "{} is no constant.".format(name))
            return getattr(self._objects[handle], name, None), False
        if "names" in request:
            target = self._objects[request["names"]]
            known = set(dir(target)) & ALLOWED
            return sorted(known or (name for name in ALLOWED if callable(getattr(target, name, None)))), False
        if "ask" in request:
            return self._window.ask(request["ask"]), False
        if "show" in request:
            self._look_for_resolve()
            return self._show(str(request["show"])), False
        if "settle" in request:
            self._journal.settle()
            return True, False
        if "end" in request:
            self.last_words = request["end"]
            return True, True
        raise RefusalError("malformed", "The request asks for nothing that is known here.")

    def _show(self, text):
        """Without a window the console says each stage once."""
        stage = text.split(":")[0]
        if stage != self._stage and not self._window.exists:
            self._say(stage)
        self._stage = stage
        return self._window.show(text)

    def _call(self, target, name, arguments):
        if name not in ALLOWED:
            raise RefusalError("refused", "{} is not among the calls that are let through.".format(name))
        try:
            return self._journal.call(target, name, arguments)
        except RefusalError:
            raise
        except Exception as error:  # Resolve's library raises whatever it likes; the companion gets the words
            raise RefusalError("resolve", "Resolve failed in {}: {!r}".format(name, error)) from error

    def _look_for_resolve(self):
        """End if Resolve has ended: on Windows a script outlives it, and would keep the companion at work."""
        if self._clock_s() - self._looked_s >= ALIVE_EVERY_S:
            self._looked_s = self._clock_s()
            if not self._resolve.GetProductName():
                raise OSError("Resolve has ended")


def send(writer, message):
    """Write one line; one that is too long is told as an error in its place."""
    line = json.dumps(message, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
    if len(line) >= MAX_LINE_BYTES:
        text = "Resolve's answer has {} bytes, more than are passed on.".format(len(line))
        line = json.dumps({"id": message.get("id"), "error": {"kind": "too_large", "message": text}}).encode("ascii")
    writer.write(line + b"\n")
    writer.flush()
