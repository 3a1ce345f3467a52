"""Secrets at rest: what the database holds is ciphertext; the key is a setting or a file of the data folder."""

import contextlib
import os
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from ringdown.config import Settings

_FILE_NAME = "secret.key"
_MIN_KEY_LENGTH = 16


class SecretUnreadable(ValueError):
    """A secret cannot be sealed or opened with the present key; the message is a sentence without its full stop."""


class SecretBox:
    """Seals and opens texts with one key (Fernet: AES-128-CBC and HMAC-SHA256).

    The key is read at the first use. Without a key of the settings it lies in the file `secret.key` of the data
    folder, which is made, readable by its owner only, when it is not there.
    """

    def __init__(self, *, key: str | None, path: Path) -> None:
        self._key = key
        self._path = path
        self._fernet: Fernet | None = None

    @classmethod
    def open(cls, settings: Settings) -> "SecretBox":
        """The box of these settings."""
        key = settings.secret_key.get_secret_value() if settings.secret_key is not None else None
        return cls(key=key, path=settings.data_dir / _FILE_NAME)

    def seal(self, text: str) -> str:
        """The ciphertext of `text`. Raises `SecretUnreadable` when the key file cannot be used."""
        return self._get_fernet().encrypt(text.encode()).decode()

    def unseal(self, ciphertext: str) -> str:
        """The text that was sealed. Raises `SecretUnreadable` when it was sealed with another key."""
        try:
            return self._get_fernet().decrypt(ciphertext.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable(
                f"a stored secret was sealed with another key than {self._name_key()}; "
                "bring that key back, or store the secret again"
            ) from None

    def _name_key(self) -> str:
        return f"the file {self._path}" if self._key is None else "RINGDOWN_SECRET_KEY"

    def _get_fernet(self) -> Fernet:
        if self._fernet is None:
            key = self._key if self._key is not None else self._read_file()
            # Any text may be the key: Fernet wants 32 bytes.
            self._fernet = Fernet(urlsafe_b64encode(sha256(key.encode()).digest()))
        return self._fernet

    def _read_file(self) -> str:
        try:
            if not self._path.exists():
                self._make_file()
            key = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeError) as error:
            raise SecretUnreadable(f"the key file {self._path} cannot be used: {error}") from error
        if len(key) < _MIN_KEY_LENGTH:
            raise SecretUnreadable(f"the key file {self._path} holds no key")
        return key

    def _make_file(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{_FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(f"{secrets.token_urlsafe(32)}\n")
                file.flush()
                os.fsync(file.fileno())
            # Complete or not there at all; of two programs that make it at once, the first one's stays.
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._path)
        finally:
            draft.unlink(missing_ok=True)
