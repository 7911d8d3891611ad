"""The demo: a cut of its own, foley on it, a preview to play and a picture to look at."""
