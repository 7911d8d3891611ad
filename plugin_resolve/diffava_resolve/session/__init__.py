"""What a person can have done, each a plain function of timeline, wishes and client; a file each."""

from diffava_resolve.session.clip import generate_clip, picture_of_movie
from diffava_resolve.session.finishing import Finishing
from diffava_resolve.session.generate import PlacedClip, Wanted, generate_foley
from diffava_resolve.session.leaks import LeakCheck
from diffava_resolve.session.regenerate import regenerate
from diffava_resolve.session.settings import FoleySettings
from diffava_resolve.session.shots import ShotBegun, generate_shots, shots_of_markers
from diffava_resolve.session.timing import Timing
from diffava_resolve.session.verify import Verdict, verify

__all__ = [
    "Finishing",
    "FoleySettings",
    "LeakCheck",
    "PlacedClip",
    "ShotBegun",
    "Timing",
    "Verdict",
    "Wanted",
    "generate_clip",
    "generate_foley",
    "generate_shots",
    "picture_of_movie",
    "regenerate",
    "shots_of_markers",
    "verify",
]
