"""Is the machine fit: Python, torch and its GPU, the media library, disk, memory, folders.

What must be loaded to be known is asked of a process of its own: a broken library then breaks that process and not the
doctor.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryFile

import platformdirs

from diffava_installer.findings import Finding
from diffava_installer.packages import REPAIR

Ask = Callable[[str], str]

_TORCH = (
    "import json, torch; has = torch.cuda.is_available(); "
    "print(json.dumps([torch.__version__, torch.version.cuda, torch.cuda.get_device_name(0) if has else None]))"
)
_MEDIA = "import av, soundfile; print(av.__version__, '.'.join(map(str, av.library_versions['libavcodec'])))"
_GB = 1e9
LOW_DISK_BYTES = int(2e9)
LOW_MEMORY_BYTES = int(4e9)


def ask_python(code: str) -> str:
    """What a process of this Python prints when it runs `code`.

    Raises:
        RuntimeError: It failed; the message is its last line.
    """
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    if answer.returncode != 0:
        said = answer.stderr.strip().splitlines()
        raise RuntimeError(said[-1] if said else f"it ended with {answer.returncode}")
    return answer.stdout.strip()


def check_python(found: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Python must be one of those that every package has a build for."""
    text = f"{found[0]}.{found[1]} in {sys.prefix}."
    if (3, 11) <= found <= (3, 13):
        return Finding("ok", "Python", text)
    return Finding("problem", "Python", text, "Use Python 3.11, 3.12 or 3.13; installer/bootstrap.py finds one.")


def check_torch(ask: Ask = ask_python, has_nvidia: bool | None = None) -> Finding:
    """The build of torch must suit the machine's GPU."""
    if has_nvidia is None:
        has_nvidia = shutil.which("nvidia-smi") is not None
    try:
        torch_version, cuda, gpu = json.loads(ask(_TORCH))
    except (RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
        advice = f"{REPAIR} Without it, name a server elsewhere with --server."
        return Finding("note", "PyTorch", f"it does not start ({error}).", advice)
    if gpu:
        return Finding("ok", "PyTorch", f"{torch_version} on {gpu} (CUDA {cuda}).")
    if not has_nvidia:
        return Finding("ok", "PyTorch", f"{torch_version} on the CPU.")
    if cuda is None:
        advice = "Run `python3 installer/bootstrap.py --torch cuda install`."
        return Finding("note", "PyTorch", f"{torch_version} is the CPU build, and there is an NVIDIA driver.", advice)
    advice = "See what `nvidia-smi` says; the driver may be too old for this CUDA."
    return Finding("note", "PyTorch", f"{torch_version} is built for CUDA {cuda} and finds no GPU.", advice)


def check_media(ask: Ask = ask_python) -> Finding:
    """The library that reads video and the one that writes audio must load."""
    try:
        return Finding("ok", "media", f"PyAV and libavcodec {' '.join(ask(_MEDIA).split())}, soundfile.")
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return Finding("problem", "media", f"video or audio files cannot be read ({error}).", REPAIR)


def check_disk(place: Path, free_bytes: int | None = None) -> Finding:
    """Takes, previews and models need room."""
    free = shutil.disk_usage(place).free if free_bytes is None else free_bytes
    sentence = f"{free / _GB:.1f} GB free at {place}."
    if free >= LOW_DISK_BYTES:
        return Finding("ok", "disk", sentence)
    return Finding("note", "disk", sentence, "Free some space; ten minutes of one take are about 90 MB.")


def memory_bytes() -> int | None:
    """The machine's memory, or None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def check_memory(total_bytes: int | None) -> Finding:
    """The model and a decoder must fit beside the editor."""
    if total_bytes is None:
        return Finding("ok", "memory", "this system does not say how much there is.")
    sentence = f"{total_bytes / _GB:.1f} GB."
    if total_bytes >= LOW_MEMORY_BYTES:
        return Finding("ok", "memory", sentence)
    return Finding("note", "memory", sentence, "Close other programs, or name a server elsewhere with --server.")


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where local servers leave their addresses and tokens: the plugin's rule, which a test compares."""
    given = environment.get("DIFFAVA_STATE_DIR")
    return Path(given).absolute() if given else platformdirs.user_state_path("diffava", appauthor=False) / "servers"


def check_state_folder(folder: Path) -> Finding:
    """The local server must be able to write there."""
    standing = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with TemporaryFile(dir=standing):
            return Finding("ok", "local server", f"its state goes into {folder}.")
    except OSError as error:
        advice = "Give yourself the right to write there, or set DIFFAVA_STATE_DIR to a folder of yours."
        return Finding("problem", "local server", f"{standing} cannot be written ({error.strerror}).", advice)
