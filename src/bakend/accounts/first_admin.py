"""The first administrator: by a link that works once, or from the environment.

As long as there is none, each start of a server makes a link and prints it; it is good for that
server as long as it runs, and is stored nowhere. Who can read the terminal or the log may have it.
"""

from __future__ import annotations

import hmac
from typing import Final

from bakend.accounts.administration import Accounts
from bakend.auth.authenticator import Authenticator, Client, Login
from bakend.auth.credentials import normal_email, require_good_password
from bakend.auth.passwords import Passwords
from bakend.auth.user import User
from bakend.auth.users import UserStore
from bakend.database.connection import Database
from bakend.errors import PermissionDeniedError
from bakend.ids import new_secret

_NO_LONGER: Final = (
    "This link is no longer valid: as long as there is no administrator, each start of the server"
    " prints a new one"
)


class FirstAdmin:
    """Makes the first administrator, and no other. Thread: any."""

    def __init__(
        self,
        database: Database,
        users: UserStore,
        accounts: Accounts,
        passwords: Passwords,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._users = users
        self._accounts = accounts
        self._passwords = passwords
        self._authenticator = authenticator
        self._token: str | None = None

    def is_missing(self) -> bool:
        """Tell whether there is no administrator."""
        with self._database.read() as snapshot:
            return self._users.count_admins(snapshot) == 0

    def ensure(self, email: str, password: str) -> User | None:
        """Make the one that the environment names, unless there is an administrator.

        Somebody who has the address already stays what he is: it may be anybody's registration.

        Returns:
            Who was made, or None.

        Raises:
            InvalidInputError: No address, or a password that is too short or too long.
        """
        email = normal_email(email)
        require_good_password(password)
        if not self.is_missing():
            return None
        password_hash = self._passwords.hash(password)
        with self._database.write() as tx:
            if self._users.count_admins(tx) or self._users.find_by_email(tx, email) is not None:
                return None
            return self._accounts.insert(tx, email, password_hash, "admin")

    def new_token(self) -> str | None:
        """Return a token that makes the first administrator, in place of the one before.

        None where there is an administrator.
        """
        self._token = new_secret() if self.is_missing() else None
        return self._token

    def set_up(self, token: str, email: str, password: str, client: Client) -> Login:
        """Make the administrator and log him in.

        Raises:
            InvalidInputError: No address, or a password that is too short or too long.
            PermissionDeniedError: The token is not valid, or was used.
            ConflictError: Somebody has that address.
            RateLimitedError: Too many from that address.
        """
        email = normal_email(email)
        require_good_password(password)
        self._authenticator.count_registration(client)
        wanted = (self._token or "").encode()
        if not wanted or not hmac.compare_digest(wanted, token.encode()):
            raise PermissionDeniedError(_NO_LONGER)
        password_hash = self._passwords.hash(password)
        with self._database.write() as tx:
            if self._users.count_admins(tx):
                raise PermissionDeniedError(_NO_LONGER)
            user = self._accounts.insert(tx, email, password_hash, "admin")
            return self._authenticator.admit(tx, user, client)
