"""The server's certificate: what is taken, what is refused in which sentence, and how a renewed one is noticed."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from diffava_server.errors import StartError
from diffava_server.machine.certificates import CertificateFiles, Certificates, read_identity
from support.certificates import studio


@pytest.fixture
def files(tmp_path):
    made = studio(tmp_path)
    return CertificateFiles(*made.issue("server", "localhost"), made.ca)


def key_pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def test_good_files_are_taken_as_they_are(files):
    identity = read_identity(files)
    assert identity.chain_pem == files.certificate.read_bytes()
    assert identity.client_ca_pem == files.client_ca.read_bytes()
    assert "PRIVATE" not in repr(identity)


def small_key():
    return rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    ("which", "content", "sentence"),
    [
        ("certificate", None, r"server\.pem cannot be read: No such file"),
        ("key", None, r"server\.key cannot be read: No such file"),
        ("client_ca", None, r"ca\.pem cannot be read: No such file"),
        ("certificate", b"hello", r"server\.pem holds no certificate in PEM form"),
        ("client_ca", b"", r"ca\.pem holds no certificate in PEM form"),
        ("key", b"hello", r"server\.key holds no private key in PEM form"),
        ("key", key_pem(ec.generate_private_key(ec.SECP256R1())), r"server\.key does not belong to the first certif"),
        (
            "key",
            key_pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"x")),
            "locked with a passph",
        ),
        ("key", key_pem(ed25519.Ed25519PrivateKey.generate()), r"use ECDSA \(P-256\) or RSA"),
        ("key", key_pem(small_key()), "has 1024 bits and clients want 2048"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_name(files, which, content, sentence):
    path = getattr(files, which)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(StartError, match=sentence) as caught:
        read_identity(files)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are not used on Windows")
@pytest.mark.parametrize(("mode", "is_taken"), [(0o600, True), (0o400, True), (0o640, True), (0o644, False)])
def test_a_key_that_every_user_can_read_is_refused(files, mode, is_taken):
    files.key.chmod(mode)
    if is_taken:
        read_identity(files)
    else:
        with pytest.raises(StartError, match=r"can be read by every user \(mode 644\); run: chmod 600"):
            read_identity(files)


@pytest.mark.parametrize(
    ("day", "sentence"), [(-366_000, r"is good from .* look at the clock"), (366_000, r"expired on \d{4}-.*; renew it")]
)
def test_a_certificate_out_of_its_time_is_refused_with_the_date(files, day, sentence):
    now = datetime.now(UTC) + timedelta(days=day)
    with pytest.raises(StartError, match=sentence):
        read_identity(files, now)


def test_a_certificate_that_names_no_host_is_refused(files, tmp_path):
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    command += ["-subj", "/CN=localhost", "-keyout", str(files.key), "-out", str(files.certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl, which makes the certificate without names that trustme does not")
    with pytest.raises(StartError, match="names no host as a subject alternative name"):
        read_identity(files)


def test_an_editors_certificate_in_the_place_of_the_authority_is_refused(files, tmp_path):
    made = studio(tmp_path / "other")
    cert, _ = made.issue("ada", "ada@studio.example")
    with pytest.raises(StartError, match="is not an authority's"):
        read_identity(CertificateFiles(files.certificate, files.key, cert))


def test_a_renewed_certificate_is_noticed_once(tmp_path):
    made = studio(tmp_path)
    certificates = Certificates(CertificateFiles(*made.issue("server", "localhost")))
    assert certificates.renewed() is None
    cert, _ = made.issue("server", "localhost", not_after=datetime.now(UTC) + timedelta(days=3))
    assert certificates.renewed().chain_pem == cert.read_bytes()
    assert certificates.renewed() is None
    assert certificates.not_after_s() < (datetime.now(UTC) + timedelta(days=4)).timestamp()


def test_a_half_written_renewal_is_said_once_and_leaves_the_old_one_in_use(tmp_path):
    made, said = studio(tmp_path), []
    cert, key = made.issue("server", "localhost")
    certificates = Certificates(CertificateFiles(cert, key), said.append)
    before, old_key = certificates.identity, key.read_bytes()
    made.issue("server", "localhost")
    new_key = key.read_bytes()
    key.write_bytes(old_key)
    assert certificates.renewed() is None
    assert certificates.renewed() is None
    assert certificates.identity is before
    assert len(said) == 1
    assert "The one from before stays in use" in said[0]
    key.write_bytes(new_key)
    os.utime(key, ns=(1, 1))  # whatever the clock's resolution, another time
    assert certificates.renewed() is not None


@pytest.mark.parametrize(("days", "is_said"), [(13, True), (15, False)])
def test_a_certificate_that_ends_soon_is_said_at_the_start(tmp_path, days, is_said):
    said = []
    end = datetime.now(UTC) + timedelta(days=days)
    Certificates(CertificateFiles(*studio(tmp_path).issue("server", "localhost", not_after=end)), said.append)
    assert bool(said) == is_said
    assert all(f"ends on {end:%Y-%m-%d}; renew it soon" in sentence for sentence in said)
