"""What can go wrong between the companion and Resolve, in the editor's words."""

from diffava_resolve.errors import FoleyError


class EditorGoneError(FoleyError):
    """Resolve, or the script that stood for it, has ended; what was begun there it undoes by itself."""


class EditorTimeoutError(EditorGoneError):
    """Resolve did not answer in time; a dialog may be open. The bridge is closed, so that no late answer is misread."""


class CallRefusedError(FoleyError):
    """The launcher does not let this call through, or this version of Resolve does not have it."""


class ResolveCallError(FoleyError):
    """Resolve's own library failed in a call."""


class LauncherVersionError(FoleyError):
    """The script in Resolve's menu is of another version than this companion."""
