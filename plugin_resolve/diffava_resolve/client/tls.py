"""TLS towards a server: whom to trust, and who we are; and in plain words why the two did not come together."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from diffava_resolve.errors import RequestError

# What gRPC says, by a part of it, and what that means to an editor.
_MEANINGS = (
    ("Hostname Verification Check failed", "its certificate is for another name; use the name that is in it"),
    ("certificate has expired", "its certificate has expired; have the studio renew it"),
    ("certificate is not yet valid", "its certificate is not valid yet; look at this machine's clock"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "its certificate is signed by nobody that is trusted here; give the studio's CA with --ca",
    ),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS; ask the studio for its TLS address"),
    (
        "Failed to create security handshaker",
        "the files of --ca, --cert and --key are no certificates in PEM, or the key is not the certificate's",
    ),
    (
        "Socket closed",
        "it closed the connection at once: it speaks TLS and was addressed without (give --ca), or it asks for a "
        "certificate of yours (give --cert and --key, signed by the studio's CA)",
    ),
)


@dataclass(frozen=True)
class Tls:
    """The CA that the server's certificate must come from (None: those that gRPC brings), and our own certificate."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel.

        Raises:
            RequestError: A file cannot be read, holds no PEM, or one of certificate and key is missing.
        """
        if (self.certificate is None) != (self.key is None):
            raise RequestError("A certificate and its key belong together; give both --cert and --key, or neither.")
        return grpc.ssl_channel_credentials(
            _pem(self.ca, "--ca"), _pem(self.key, "--key"), _pem(self.certificate, "--cert")
        )


def _pem(path: Path | None, option: str) -> bytes | None:
    if path is None:
        return None
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RequestError(f"The file {path} cannot be read ({error.strerror}); check {option}.") from error
    if b"-----BEGIN " not in text:
        raise RequestError(f"The file {path} is not in PEM; check {option}.")
    return text


def meaning_of(details: str) -> str | None:
    """Why no connection came about, if it was for TLS."""
    return next((meaning for part, meaning in _MEANINGS if part in details), None)
