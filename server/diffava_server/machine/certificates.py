"""The certificate that a server shows, and the authority that signs editors' ones: read, checked, and read anew.

Knows PEM files and X.509, nothing of gRPC. A certificate that is renewed on disk is taken over without a restart.
"""

import stat
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from diffava_server.errors import StartError

MIN_RSA_BITS = 2048
ENDS_SOON = timedelta(days=14)


@dataclass(frozen=True)
class CertificateFiles:
    """Where they are."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that there are."""
        return tuple(path for path in (self.certificate, self.key, self.client_ca) if path is not None)


@dataclass(frozen=True)
class Identity:
    """What the files say, checked."""

    chain_pem: bytes
    key_pem: bytes = field(repr=False)
    client_ca_pem: bytes | None
    not_after: datetime


class Certificates:
    """The files' content, kept up to date. Called from gRPC's threads, once a handshake.

    Args:
        files: Where they are.
        complain: Told in a sentence when the certificate ends soon, and when new files cannot be used and the old ones
            stay in use.

    Raises:
        StartError: They cannot be used, in one sentence.
    """

    def __init__(self, files: CertificateFiles, complain: Callable[[str], None] = lambda sentence: None) -> None:
        self._files = files
        self._complain = complain
        self._lock = threading.Lock()
        self._stamps = _stamps(files)
        self.identity = read_identity(files)
        if self.identity.not_after - datetime.now(UTC) < ENDS_SOON:
            complain(
                f"The certificate in {files.certificate} ends on {self.identity.not_after:%Y-%m-%d}; renew it soon."
            )

    def not_after_s(self) -> float:
        """Until when the certificate in use is good, as Unix time."""
        return self.identity.not_after.timestamp()

    def renewed(self) -> Identity | None:
        """The new identity if the files have changed since the last call and can be used, else None."""
        with self._lock:
            stamps = _stamps(self._files)
            if stamps == self._stamps:
                return None
            # Remembered also when it fails: certificate and key are replaced one after the other, and the half-way
            # state, which does not fit together, is tried and told of only once.
            self._stamps = stamps
            try:
                self.identity = read_identity(self._files)
            except StartError as error:
                self._complain(f"{error} The one from before stays in use.")
                return None
            return self.identity


def read_identity(files: CertificateFiles, now: datetime | None = None) -> Identity:
    """Read and check the files.

    Raises:
        StartError: One is missing, is not what it should be, does not fit the others, or is out of its time.
    """
    _refuse_open_key(files.key)
    chain_pem, key_pem = _read(files.certificate), _read(files.key)
    leaf = _certificates(files.certificate, chain_pem)[0]
    key = _private_key(files.key, key_pem)
    if _spki(key.public_key()) != _spki(leaf.public_key()):
        raise StartError(
            f"The key in {files.key} does not belong to the first certificate in {files.certificate}; that file must "
            "begin with the server's own certificate, and those that signed it follow.",
            exit_code=2,
        )
    _check_time(files.certificate, leaf, now or datetime.now(UTC))
    _check_names(files.certificate, leaf)
    client_ca_pem = _read(files.client_ca) if files.client_ca else None
    if files.client_ca and client_ca_pem is not None:
        for authority in _certificates(files.client_ca, client_ca_pem):
            _check_authority(files.client_ca, authority)
    return Identity(chain_pem, key_pem, client_ca_pem, leaf.not_valid_after_utc)


def _stamps(files: CertificateFiles) -> tuple[tuple[int, int] | None, ...]:
    def stamp(path: Path) -> tuple[int, int] | None:
        try:
            status = path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    return tuple(stamp(path) for path in files.paths)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"The file {path} cannot be read: {error.strerror}.", exit_code=2) from error


def _refuse_open_key(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # `_read` says why
    if sys.platform != "win32" and mode & 0o007:  # a group for keys, as Debian has it, is somebody's decision
        raise StartError(
            f"The private key {path} can be read by every user (mode {mode:o}); run: chmod 600 {path}", exit_code=2
        )


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise StartError(
            f"{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----); if it is in DER form, "
            "`openssl x509 -inform DER -in FILE -out FILE.pem` writes it anew.",
            exit_code=2,
        ) from error


def _private_key(path: Path, pem: bytes) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise StartError(
            f"The private key {path} is locked with a passphrase, which nobody can type when a server starts by "
            f"itself; `openssl pkey -in {path} -out FILE` writes it without one.",
            exit_code=2,
        ) from error
    except ValueError as error:
        raise StartError(
            f"{path} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----).", exit_code=2
        ) from error
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    if not isinstance(key, rsa.RSAPrivateKey):
        raise StartError(
            f"The private key {path} is of a kind that gRPC clients refuse; use ECDSA (P-256) or RSA.",
            exit_code=2,
        )
    if key.key_size < MIN_RSA_BITS:
        raise StartError(
            f"The private key {path} has {key.key_size} bits and clients want {MIN_RSA_BITS}; make a new one.",
            exit_code=2,
        )
    return key


def _spki(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check_time(path: Path, certificate: x509.Certificate, now: datetime) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise StartError(f"The certificate in {path} expired on {end:%Y-%m-%d}; renew it.", exit_code=2)
    if now < begin:
        raise StartError(
            f"The certificate in {path} is good from {begin:%Y-%m-%d %H:%M} UTC on and this machine says that it is "
            f"{now:%Y-%m-%d %H:%M}; look at the clock.",
            exit_code=2,
        )


def _check_names(path: Path, certificate: x509.Certificate) -> None:
    try:
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound as error:
        raise StartError(
            f"The certificate in {path} names no host as a subject alternative name, and clients look nowhere else; "
            "make one with the names by which editors reach this server.",
            exit_code=2,
        ) from error


def _check_authority(path: Path, certificate: x509.Certificate) -> None:
    try:
        is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = True  # certificates of version 1 say nothing about it
    if not is_authority:
        raise StartError(
            f"A certificate in {path} is not an authority's: it cannot sign editors' certificates; give the one that "
            "signed them.",
            exit_code=2,
        )
