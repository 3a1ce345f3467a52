"""Makes certificates for the TLS tests: an authority of the test's own, and what it signs."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ringdown.sip.tls import TlsServer

_NOW = datetime.datetime.now(datetime.UTC)
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Certificate and private key as PEM."""

    certificate: str
    private_key: str

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Two files of it: certificate and private key."""
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        paths[0].write_text(self.certificate)
        paths[1].write_text(self.private_key)
        return paths

    def listen(self, folder: Path, *, client_ca: Path | None = None) -> TlsServer:
        """A listener on any free port that shows this certificate."""
        certificate, private_key = self.write(folder, "server")
        return TlsServer(port=0, certificate=certificate, private_key=private_key, client_ca=client_ca)


class Authority:
    """Signs certificates; `certificate` is its own, to be trusted."""

    def __init__(self, name: str = "Test Authority") -> None:
        self._name = _make_name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = _begin(self._name, self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = _to_pem(builder.sign(self._key, hashes.SHA256()))

    def sign(self, *names: str, is_expired: bool = False) -> Certificate:
        """A certificate for domains, addresses, or `sip:` URIs."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begin(_make_name(names[0]), self._name, key.public_key(), is_expired=is_expired)
        builder = builder.add_extension(x509.SubjectAlternativeName([_make_alternative(one) for one in names]), False)
        private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return Certificate(_to_pem(builder.sign(self._key, hashes.SHA256())), private_key)


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, is_expired: bool = False
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(_NOW - 2 * _DAY).not_valid_after(_NOW + (-_DAY if is_expired else _DAY))


def _make_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _make_alternative(text: str) -> x509.GeneralName:
    if text.startswith("sip:"):
        return x509.UniformResourceIdentifier(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _to_pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
