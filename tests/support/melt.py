"""Rendering a project with `melt`, the player inside Kdenlive and Shotcut, and finding a take in what it plays."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

needs_melt = pytest.mark.skipif(shutil.which("melt") is None, reason="melt (Debian package `melt`) is not installed")

ATTEMPTS = 6
STEP_OF_16_BITS = 2.0**-14  # melt mixes in 16 bits; two of its steps


def rendered(project: Path, timeout_s: float = 15) -> np.ndarray:
    """What melt plays of a project, from its first frame to its last: float32 `[S]` at 48 kHz.

    Melt 7.12 now and then never leaves a busy machine's last frame, or leaves it without finishing its file: then it is
    asked once more. What it plays is not looked at here.
    """
    out = project.with_suffix(".rendered.wav")
    command = ["melt", str(project), "-consumer", f"avformat:{out}", "acodec=pcm_s24le", "ar=48000", "ac=1"]
    # Without `video_off` melt decodes and mixes every picture, only to throw it away.
    command += ["vn=1", "video_off=1", "real_time=-1", "terminate_on_pause=1"]
    for _ in range(ATTEMPTS):
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=True)
            audio, rate_hz = soundfile.read(out, dtype="float32")
        except (subprocess.TimeoutExpired, soundfile.LibsndfileError):
            continue
        assert rate_hz == 48000
        return audio
    raise AssertionError(f"melt did not play {project} to its end in {ATTEMPTS} attempts")


def where_found(audio: np.ndarray, take: np.ndarray) -> int:
    """The sample at which a take of noise begins, by cross-correlation."""
    length = 1 << (len(audio) + len(take)).bit_length()
    spectrum = np.fft.rfft(audio, length) * np.conj(np.fft.rfft(take, length))
    return int(np.argmax(np.fft.irfft(spectrum, length)))
