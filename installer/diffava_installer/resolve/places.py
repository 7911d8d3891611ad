"""Where Resolve looks for scripts, and where we keep what belongs to them, for one user on one platform. Pure.

Script folders by the README of Resolve's scripting API; the subfolder Utility is listed on every page.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Surroundings:
    """A user's machine as far as paths depend on it."""

    platform: str  # as `sys.platform`
    home: Path
    environment: Mapping[str, str]

    @classmethod
    def here(cls) -> "Surroundings":
        """This machine."""
        return cls(sys.platform, Path.home(), os.environ)

    @property
    def script_folder(self) -> Path:
        """Resolve's script folder of this user; it may not exist yet."""
        if self.platform == "darwin":
            base = self.home / "Library" / "Application Support" / "Blackmagic Design" / "DaVinci Resolve"
        elif self.platform == "win32":
            base = self._of("APPDATA", "AppData/Roaming") / "Blackmagic Design" / "DaVinci Resolve" / "Support"
        else:
            base = self.home / ".local" / "share" / "DaVinciResolve"  # whatever XDG_DATA_HOME says: Resolve asks nobody
        return base / "Fusion" / "Scripts" / "Utility"

    @property
    def own_folder(self) -> Path:
        """Where the manifest, the companion's log and the mailbox lie."""
        if self.platform == "darwin":
            base = self.home / "Library" / "Application Support"
        elif self.platform == "win32":
            base = self._of("LOCALAPPDATA", "AppData/Local")
        else:
            base = self._of("XDG_STATE_HOME", ".local/state")
        return base / "diffava" / "resolve"

    @property
    def sandboxed_builds(self) -> tuple[Path, ...]:
        """Folders of Resolve's builds from Apple's App Store, which cannot start other programs."""
        if self.platform != "darwin":
            return ()
        return tuple(sorted((self.home / "Library" / "Containers").glob("com.blackmagic-design.DaVinciResolve*")))

    def _of(self, variable: str, otherwise: str) -> Path:
        given = self.environment.get(variable)
        return Path(given) if given else self.home / otherwise
