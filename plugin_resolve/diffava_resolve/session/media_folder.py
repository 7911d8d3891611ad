"""The folder beside a result that holds its takes: what a failed job put there is taken away again."""

from pathlib import Path
from types import TracebackType
from typing import Self

from diffava_resolve.files import make_folder
from diffava_resolve.timeline.audio_file import TakeFile, TakeWriter


class MediaFolder:
    """The folder of an output's takes during one command; leaving it by an exception (Ctrl-C too) undoes it all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_new = False
        self._new_files: list[Path] = []

    def __enter__(self) -> Self:
        self._is_new = not self.path.exists()
        try:
            make_folder(self.path)
        except BaseException:  # Ctrl-C too, just after the folder was made: nobody would leave what was not entered
            self._undo()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._undo()

    def _undo(self) -> None:
        for path in self._new_files:
            path.unlink(missing_ok=True)
        if self._is_new and self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    def writer(self, stem: str, sample_count: int | None = None) -> TakeWriter:
        """A writer for a WAV named `stem` and its content's hash, with exactly `sample_count` samples if given."""
        return TakeWriter(self.path / f"{stem}.wav", named_by_content=True, sample_count=sample_count)

    def finish(self, writer: TakeWriter) -> TakeFile:
        """Give the take its name; remembered, in case the command fails later."""
        take_file = writer.finish()
        if take_file.is_new:
            self._new_files.append(take_file.path)
        return take_file

    def take_back(self, path: Path) -> None:
        """Remove a take that is not wanted after all, unless it was there before."""
        if path in self._new_files:
            self._new_files.remove(path)
            path.unlink(missing_ok=True)
