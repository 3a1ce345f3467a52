"""Whether PEM texts are what they are said to be: certificates, and the private key that fits one; pure."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def check_certificates(pem: str) -> str:
    """`pem` itself when it holds one or more certificates. Raises `ValueError` that does not show it."""
    try:
        x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise ValueError("must be certificates in PEM form, beginning with -----BEGIN CERTIFICATE-----") from None
    return pem


def check_private_key(pem: str) -> str:
    """`pem` itself when it holds a private key without passphrase. Raises `ValueError` that does not show it."""
    _read_public_half(pem)
    return pem


def is_pair(certificate_pem: str, private_key_pem: str) -> bool:
    """Whether the key belongs to the first of the certificates."""
    certificate = x509.load_pem_x509_certificates(certificate_pem.encode())[0]
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return public == _read_public_half(private_key_pem)


def _read_public_half(private_key_pem: str) -> bytes:
    try:
        key = serialization.load_pem_private_key(private_key_pem.encode(), password=None)
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("must be a private key in PEM form without passphrase") from None
