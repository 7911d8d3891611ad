"""Certificates for tests, written as a studio's would lie on its disks."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import trustme


@dataclass(frozen=True)
class Studio:
    """An authority in a folder: `ca` is its certificate's file."""

    folder: Path
    authority: trustme.CA

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, *hosts: str, not_after: datetime | None = None) -> tuple[Path, Path]:
        """A certificate for these hosts, or an editor's name, as NAME.pem and NAME.key; one there is replaced."""
        issued = self.authority.issue_cert(*hosts, not_after=not_after, common_name=name)
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        for path, pems in ((cert, issued.cert_chain_pems), (key, [issued.private_key_pem])):
            path.unlink(missing_ok=True)
            path.write_bytes(b"".join(pem.bytes() for pem in pems))
        key.chmod(0o600)
        return cert, key

    def tls(self, *hosts: str, mutual: bool = False) -> dict[str, Any]:
        """A server's settings."""
        cert, key = self.issue("server", *(hosts or ("localhost", "127.0.0.1")))
        return {"tls_cert": cert, "tls_key": key, "tls_client_ca": self.ca if mutual else None}


def studio(folder: Path) -> Studio:
    folder.mkdir(parents=True, exist_ok=True)
    made = Studio(folder, trustme.CA())
    made.authority.cert_pem.write_to_path(made.ca)
    return made
