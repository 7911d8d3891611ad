"""How it begins: from Resolve's menu, where it starts the companion, or started by the companion from outside."""

import importlib
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from diffava_launcher.host import PROTOCOL, Host, send
from diffava_launcher.window import Window

# Where Resolve keeps its scripting module, by platform (README of its scripting API).
MODULES = {
    "linux": "/opt/resolve/Developer/Scripting",
    "darwin": "/Library/Application Support/Blackmagic Design/DaVinci Resolve/Developer/Scripting",
    "win32": os.path.expandvars("%PROGRAMDATA%\\Blackmagic Design\\DaVinci Resolve\\Support\\Developer\\Scripting"),
}
LIBRARIES = {
    "linux": "/opt/resolve/libs/Fusion/fusionscript.so",
    "darwin": "/Applications/DaVinci Resolve/DaVinci Resolve.app/Contents/Libraries/Fusion/fusionscript.so",
    "win32": "C:\\Program Files\\Blackmagic Design\\DaVinci Resolve\\fusionscript.dll",
}
# What Resolve sets for itself and what would break another program's libraries.
RESOLVES_OWN = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "LD_LIBRARY_PATH", "LD_PRELOAD", "QT_PLUGIN_PATH")


def from_outside():
    """Resolve, its Fusion and its library, for a script that Resolve did not start; None if it does not answer."""
    folder = os.environ.get("RESOLVE_SCRIPT_API") or MODULES.get(sys.platform, "")
    os.environ.setdefault("RESOLVE_SCRIPT_LIB", LIBRARIES.get(sys.platform, ""))
    sys.path.append(str(Path(folder) / "Modules"))
    library = importlib.import_module("DaVinciResolveScript")
    resolve = library.scriptapp("Resolve")
    return (resolve, resolve.Fusion(), library) if resolve else (None, None, library)


def probe():
    """Whether Resolve answers from outside, in one line of JSON."""
    try:
        resolve = from_outside()[0]
        found = {"module": True, "answers": bool(resolve)}
        if resolve:
            found.update(product=str(resolve.GetProductName()), version=list(resolve.GetVersion() or ()))
    except ImportError as error:
        found = {"module": False, "answers": False, "reason": str(error)}
    print(json.dumps(found))
    return 0


def serve_stdio():
    """Answer the companion that started us, on our own stdin and stdout."""
    reader, writer = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but answers may go to the companion
    try:
        resolve, fusion, bmd = from_outside()
    except ImportError as error:
        resolve, fusion, bmd = None, None, error
    if not resolve:
        why = "no_module" if isinstance(bmd, ImportError) else "no_answer"
        send(writer, {"diffava": PROTOCOL, "error": {"kind": why, "message": str(bmd)}})
        return 1
    return 0 if Host(resolve, Window(resolve, fusion, bmd), complain).serve(reader, writer) else 1


def complain(text):
    """Tell the person in Resolve's console."""
    print("DiffAVA Foley: {}".format(text))
    getattr(sys.stdout, "flush", str)()  # the console's stand-in for a file may have none


def start_companion(command, log):
    """The companion's process, with an environment that is not Resolve's."""
    environment = {name: value for name, value in os.environ.items() if name not in RESOLVES_OWN}
    quiet = {"creationflags": 0x08000000} if sys.platform == "win32" else {}  # no console window
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, **quiet
    )


def last_lines(path):
    """The end of the companion's log, for a sentence."""
    lines = [line for line in Path(path).read_bytes()[-2000:].decode("utf-8", "replace").splitlines() if line.strip()]
    return " ".join(lines[-2:])


def from_menu(given, settings):
    """Start the companion and serve it to its end; returns the exit code.

    `given` holds what Resolve puts into a script: resolve, fusion (or fu) and bmd.
    """
    bmd = given.get("bmd")
    resolve = given.get("resolve") or (bmd.scriptapp("Resolve") if bmd else None)
    if not resolve:
        complain("choose it in Resolve's menu: Workspace, Scripts, DiffAVA.")
        return 1
    if not settings:
        complain("this file was copied by hand; run `python3 installer/bootstrap.py resolve install` instead.")
        return 1
    fusion = given.get("fusion") or given.get("fu") or resolve.Fusion()
    try:
        log_path = Path(settings["log"])
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("wb") as log:
            companion = start_companion(settings["companion"], log)
    except OSError as error:
        complain("its companion does not start ({}); run `bootstrap.py resolve repair`.".format(error))
        return 1
    remember_resolve(log_path.with_name("seen.json"), resolve)
    host = Host(resolve, Window(resolve, fusion, bmd), complain, version=settings["version"])
    try:
        ended = host.serve(companion.stdout, companion.stdin)
    finally:
        see_off(companion)
    if not ended:
        complain("the companion ended early; what it had begun was undone. {}".format(last_lines(settings["log"])))
        return 1
    words = host.last_words or {}
    complain(words.get("text", "done."))
    return 0 if words.get("ok") else 1


def remember_resolve(path, resolve):
    """Leave word for `diffava doctor` of which Resolve and which Python started us: only in here can that be known."""
    seen = {
        "product": str(resolve.GetProductName()),
        "version": list(resolve.GetVersion() or ()),
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
    }
    partial = path.with_name(path.name + ".partial")
    with suppress(OSError):
        partial.write_text(json.dumps(seen), encoding="utf-8")
        partial.replace(path)


def see_off(companion):
    """Wait for a companion that has ended or is no longer wanted; one that ignores its closed pipes is stopped."""
    timer = threading.Timer(10.0, companion.kill)
    timer.daemon = True
    timer.start()
    for pipe in (companion.stdin, companion.stdout):
        with suppress(OSError):
            pipe.close()
    companion.wait()
    timer.cancel()
