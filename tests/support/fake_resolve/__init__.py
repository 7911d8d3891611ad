"""A fake of DaVinci Resolve's scripting interface: the documented calls, and how Resolve was measured to answer them.

    fake = FakeResolve(profile("20.3 Studio"), rate=Fraction(24))
    resolve = fake.resolve            # what a script finds as `resolve`
    fake.add_clip("video", 1, "/shot.mov", start=0, duration=48)

Standard library alone and Python 3.6, since it also runs where a launcher runs that has nothing else. Each way in which
Resolve departs from its documents is a switch in `quirks.py`, with its source. Resolve itself was not seen running: the
fake knows what was written about it, no more.
"""

from .profiles import PROFILES, profile
from .quirks import SWITCHES, Quirks
from .studio import FakeResolve
from .world import NotPlayed

__all__ = ["PROFILES", "SWITCHES", "FakeResolve", "NotPlayed", "Quirks", "profile"]
