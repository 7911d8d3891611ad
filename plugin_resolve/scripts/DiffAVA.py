#!/usr/bin/env python3
"""DiffAVA Foley in Resolve's menu (Workspace, Scripts): starts the companion process and lets it call Resolve.

Standard library alone, syntax of Python 3.6: Resolve's Python has none of our packages. The installer copies this file
into Resolve's script folder with SETTINGS filled in; the package beside it stays where it is.

    DiffAVA.py --serve    answers a companion that started us, on stdin and stdout (Resolve Studio from outside)
    DiffAVA.py --probe    says in one line of JSON whether Resolve answers from outside
"""

import sys
from pathlib import Path

# The installer puts a dictionary here: companion (a command), log (a file), package (a folder), version.
SETTINGS = None


def main(given):
    """Start as Resolve or the companion asked; returns the exit code. `given` are this script's globals."""
    sys.dont_write_bytecode = True  # nothing of Resolve's Python is left in our folders
    sys.path.insert(0, SETTINGS["package"] if SETTINGS else str(Path(__file__).resolve().parent))
    try:
        from diffava_launcher import start
    except ImportError:
        print("DiffAVA Foley: its files have moved; run `python3 installer/bootstrap.py resolve repair`.")
        return 1
    options = getattr(sys, "argv", [])[1:]  # a Python inside another program need not have any
    if "--probe" in options:
        return start.probe()
    if "--serve" in options:
        return start.serve_stdio()
    return start.from_menu(given, SETTINGS)


if __name__ == "__main__":
    CODE = main(globals())
    if CODE and not globals().get("resolve"):
        sys.exit(CODE)  # inside Resolve the console has said it; an exit would only add a traceback there
