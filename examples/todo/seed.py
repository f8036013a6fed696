"""Fills the todo example with a user, lists and 1,000 todos, through the HTTP API of the server.

    python seed.py http://127.0.0.1:8080

The records are always the same ones. The last list is made when everything else is there, so a run
that was interrupted is completed by the next, and a finished one is left as people have changed it.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

TODOS: Final = 1000
CONNECTIONS: Final = 4
LISTS: Final = {
    "Home": "#2e7d32",
    "Work": "#1565c0",
    "Garden": "#558b2f",
    "Travel": "#6a1b9a",
    "Reading": "#ad1457",
    "Someday": "#616161",
}
LAST_LIST: Final = "Someday"

USER: Final = {"email": "demo@example.com", "password": "demo password"}
"""Whoever tries the example may be this user; everybody can read it here."""

_VERBS: Final = ("Plan", "Buy", "Repair", "Write", "Call about", "Clean", "Look up", "Finish")
_THINGS: Final = ("the bicycle", "a letter", "the roof", "new shoes", "the report", "the trip")
_TAGS: Final[Sequence[Sequence[str]]] = ((), ("quick",), ("quick", "outside"), ("waiting",))

Json = dict[str, Any]


class Server:
    """One keep-alive connection to the API, for one user."""

    def __init__(self, address: str, token: str = "") -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=60
        )
        self.token = token
        """The access token; empty as long as nobody is logged in."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def log_in(self) -> None:
        """Log the example's user in, who registers when it is the first time."""
        status, answer = self._answer("POST", "/api/auth/login", USER)
        if status == 401:
            answer = self.ask("POST", "/api/auth/register", USER)
        elif status >= 400:
            raise SystemExit(f"{USER['email']} cannot log in: {status} {answer}")
        self.token = answer["token"]

    def records(self, collection: str) -> list[Json]:
        """Return the records of a collection, newest first."""
        items: list[Json] = self.ask("GET", f"/api/{collection}")["items"]
        return items

    def create(self, collection: str, values: Json) -> Json:
        """Create a record and return it as it is stored."""
        return self.ask("POST", f"/api/{collection}", values)

    def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """Send a request and return the answer's JSON; end the program where it is refused."""
        status, answer = self._answer(method, path, body)
        if status >= 400:
            raise SystemExit(f"{method} {path} answered {status}: {answer}")
        return answer

    def _answer(self, method: str, path: str, body: Json | None) -> tuple[int, Json]:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, path, body=sent, headers=headers)
        response = self._connection.getresponse()
        answer: Json = json.loads(response.read() or b"{}")  # 204 has no body
        return response.status, answer


def todos(list_ids: Sequence[str]) -> Iterator[Json]:
    """Make the same todos each time; only the ids of the lists differ from server to server."""
    for number in range(1, TODOS + 1):
        verb = _VERBS[number % len(_VERBS)]
        thing = _THINGS[number % len(_THINGS)]
        yield {
            "title": f"{verb} {thing} ({number})",
            "notes": f"Number {number} of the todos that come with the example.",
            "done": number % 3 == 0,
            "priority": number % 6,
            "due": f"2027-{number % 12 + 1:02}-{number % 28 + 1:02}T09:00:00.000Z",
            "tags": list(_TAGS[number % len(_TAGS)]),
            "list": list_ids[number % len(list_ids)],
        }


class Progress:
    """A bar that redraws its line in a terminal, and a line per quarter elsewhere."""

    def __init__(self, total: int, done: int) -> None:
        self._total = total
        self._done = done
        self._lock = threading.Lock()

    def step(self) -> None:
        """Count one more; any thread may call it."""
        with self._lock:
            self._done += 1
            if sys.stdout.isatty():
                filled = 40 * self._done // self._total
                bar = "#" * filled + "-" * (40 - filled)
                end = "\n" if self._done == self._total else ""
                print(f"\r  [{bar}] {self._done}/{self._total} todos", end=end, flush=True)
            elif self._done * 4 // self._total != (self._done - 1) * 4 // self._total:
                print(f"  {self._done}/{self._total} todos", flush=True)


def create_all(address: str, token: str, missing: Sequence[Json]) -> None:
    """Create todos over several connections at once; the first failure ends it."""
    waiting: SimpleQueue[Json] = SimpleQueue()
    for values in missing:
        waiting.put(values)
    progress = Progress(TODOS, TODOS - len(missing))
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with Server(address, token) as server:
                while not failures:
                    server.create("todos", waiting.get_nowait())
                    progress.step()
        except Empty:
            return
        except (SystemExit, OSError, http.client.HTTPException) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"\nThe seed data is not complete: {failures[0]}")


def seed(address: str) -> None:
    """Create what is missing, unless an earlier run has finished."""
    with Server(address) as server:
        server.log_in()
        list_ids = {record["name"]: record["id"] for record in server.records("lists")}
        if LAST_LIST in list_ids:
            print("The seed data is there")
            return
        for name, color in LISTS.items():
            if name not in list_ids and name != LAST_LIST:
                list_ids[name] = server.create("lists", {"name": name, "color": color})["id"]
        ordered = [list_ids[name] for name in LISTS if name != LAST_LIST]
        present = {record["title"] for record in server.records("todos")}
        missing = [values for values in todos(ordered) if values["title"] not in present]
        print(f"Loading seed data: {len(LISTS)} lists, {TODOS} todos", flush=True)
        create_all(address, server.token, missing)
        server.create("lists", {"name": LAST_LIST, "color": LISTS[LAST_LIST]})


if __name__ == "__main__":
    try:
        seed(sys.argv[1].rstrip("/") if len(sys.argv) > 1 else "http://127.0.0.1:8080")
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, http.client.HTTPException) as reason:
        sys.exit(f"No answer from the server: {reason}")
