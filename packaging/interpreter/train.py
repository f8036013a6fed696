"""What a profile-guided build of the interpreter learns from: the work of a small web backend.

Standard library only, about two seconds without the profiling. It must end normally: a process that
leaves by os._exit writes no profile.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import datetime
import email.parser
import hashlib
import hmac
import html
import io
import json
import logging
import re
import sqlite3
import threading
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections import defaultdict, deque
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from string import Template

ROUTE = re.compile(r"^/api/(?P<collection>[a-z_]+)(?:/(?P<id>[A-Za-z0-9]+))?$")
SECRET = b"not a secret"


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """A row, as an application handles it."""

    id: int
    title: str
    body: str
    tags: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return what goes over the wire."""
        return {
            "id": self.id,
            "title": html.escape(self.title),
            "body": self.body,
            "tags": list(self.tags),
        }


class Store:
    """A table with an index for search."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection = sqlite3.connect(":memory:", check_same_thread=False)
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript(
            """
            CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT, tags TEXT);
            CREATE VIRTUAL TABLE search USING fts5(title, body);
            """
        )

    def add(self, title: str, body: str, tags: list[str]) -> int:
        """Insert a row."""
        with self.lock, self.connection:
            cursor = self.connection.execute(
                "INSERT INTO posts (title, body, tags) VALUES (:title, :body, :tags)",
                {"title": title, "body": body, "tags": json.dumps(tags)},
            )
            self.connection.execute("INSERT INTO search VALUES (?, ?)", (title, body))
            return cursor.lastrowid or 0

    def page(self, limit: int, offset: int) -> list[Record]:
        """Return some rows."""
        with self.lock:
            rows = self.connection.execute(
                "SELECT * FROM posts ORDER BY id DESC LIMIT ? OFFSET ?", (limit, offset)
            ).fetchall()
        return [Record(r["id"], r["title"], r["body"], tuple(json.loads(r["tags"]))) for r in rows]

    def find(self, word: str) -> int:
        """Count what a search finds."""
        with self.lock:
            rows = self.connection.execute("SELECT rowid FROM search WHERE search MATCH ?", (word,))
            return len(rows.fetchall())


def signed(claims: dict[str, object]) -> str:
    """Make a token, as JSON Web Tokens are made."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode())
        .rstrip(b"=")
        .decode()
        for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    ]
    text = ".".join(parts)
    signature = hmac.new(SECRET, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def verified(token: str) -> dict[str, object]:
    """Check a token, and return its claims."""
    text, _, signature = token.rpartition(".")
    wanted = hmac.new(SECRET, text.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(
        base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)), wanted
    ):
        raise ValueError("the signature is wrong")
    payload = text.partition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert isinstance(claims, dict)
    return claims


class Application(BaseHTTPRequestHandler):
    """Answers like a small REST API."""

    protocol_version = "HTTP/1.1"
    # Head and body in one packet: else the client's delayed acknowledgement costs 40 ms each time.
    wbufsize = 65536
    store: Store

    def answer(self, status: int, body: object) -> None:
        """Send JSON."""
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()[:16]}"')
        self.end_headers()
        self.wfile.write(data)

    def claims(self) -> dict[str, object]:
        """Return who asks."""
        return verified(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def do_GET(self) -> None:
        """List, or search."""
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        found = ROUTE.match(url.path)
        if not found:
            return self.answer(404, {"error": {"code": "not_found", "message": "No such route"}})
        claims = self.claims()
        if "search" in query:
            return self.answer(
                200, {"total": self.store.find(query["search"]), "by": claims["sub"]}
            )
        records = self.store.page(int(query.get("limit", "20")), int(query.get("offset", "0")))
        return self.answer(
            200, {"items": [record.as_json() for record in records], "by": claims["sub"]}
        )

    def do_POST(self) -> None:
        """Create."""
        self.claims()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            new = self.store.add(str(body["title"]), str(body["body"]), list(body.get("tags", [])))
        except KeyError as error:
            return self.answer(400, {"error": {"code": "validation_error", "message": str(error)}})
        return self.answer(201, {"id": new})

    def log_message(self, format: str, *args: object) -> None:
        """Log as applications do, but not to the terminal."""
        logging.getLogger("access").info(format, *args)


def serve_requests(rounds: int) -> None:
    """Ask a server on a real socket for what a browser asks for."""
    Application.store = Store()
    # ThreadingHTTPServer would ask the network for our name.
    server = ThreadingTCPServer(("127.0.0.1", 0), Application)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for number in range(rounds):
        token = signed({"sub": f"user{number % 7}", "exp": 2_000_000_000 + number})
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        post = json.dumps(
            {"title": f"Post & {number}", "body": "lorem ipsum " * 20, "tags": ["a", "ü"]}
        )
        for path, data in (
            ("/api/posts", post.encode()),
            ("/api/posts", b'{"title": "no body"}'),
            ("/api/posts?limit=20&offset=5", None),
            ("/api/posts?search=lorem", None),
            ("/nothing", None),
        ):
            try:
                with opener.open(urllib.request.Request(base + path, data, headers)) as answer:  # noqa: S310
                    json.load(answer)
            except urllib.error.HTTPError as error:
                error.read()
                error.close()
    server.shutdown()
    thread.join()
    server.server_close()
    Application.store.connection.close()


def render_templates(rounds: int) -> None:
    """Build pages and mails out of text."""
    page = Template("<li>$title <b>$when</b> ${tags}</li>")
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    for number in range(rounds):
        lines = [
            page.substitute(
                title=html.escape(f"<{number}:{row}>"),
                when=(start + datetime.timedelta(minutes=row)).isoformat(),
                tags=", ".join(sorted({f"t{row % 5}", f"t{row % 3}"})),
            )
            for row in range(40)
        ]
        text = "\n".join(lines)
        assert len(re.findall(r"<b>(\d{4})-(\d\d)", text)) == 40
        mail = email.parser.Parser().parsestr(
            f"Subject: =?utf-8?q?n{number}?=\nTo: a@example.org\n\n{text}"
        )
        assert mail["To"] == "a@example.org"
        assert zlib.decompress(zlib.compress(text.encode(), 6)).decode() == text


async def pass_messages(rounds: int) -> int:
    """Hand messages between tasks."""
    queue: asyncio.Queue[int] = asyncio.Queue(10)

    async def produce() -> None:
        for number in range(rounds):
            await queue.put(number)
        await queue.put(-1)

    async def consume() -> int:
        total = 0
        while (number := await queue.get()) >= 0:
            total += number
        return total

    _, total = await asyncio.gather(produce(), consume())
    return total


def plain_python(rounds: int) -> int:
    """Classes, closures, generators, dictionaries: what frameworks are made of."""
    counted: defaultdict[str, int] = defaultdict(int)
    recent: deque[tuple[str, int]] = deque(maxlen=50)

    def handler(name: str, *arguments: int, **options: int) -> int:
        counted[name] += 1
        recent.append((name, len(options)))
        return sum(arguments) + options.get("extra", 0)

    total = 0
    for number in range(rounds):
        name = f"route{number % 13}"
        total += handler(name, number, 2, extra=3)
        if number % 3:
            total -= max((length for _, length in recent), default=0)
        try:
            total += {"a": 1}[name]
        except KeyError:
            total += isinstance(name, str)
    return total


def compile_itself(rounds: int) -> None:
    """Compile this file, as a start without .pyc does."""
    text = Path(__file__).read_text(encoding="utf-8")
    for _ in range(rounds):
        compile(text, "train.py", "exec")


def main() -> None:
    """Do a little of everything."""
    logging.basicConfig(
        stream=io.StringIO(), level=logging.INFO, format="%(asctime)s %(name)s %(message)s"
    )
    serve_requests(150)
    render_templates(120)
    asyncio.run(pass_messages(5000))
    plain_python(150_000)
    compile_itself(8)
    for number in range(3000):
        assert (
            json.loads(json.dumps({"n": [number] * 5, "s": "ä" * 9, "f": number / 7}))["n"][0]
            == number
        )


if __name__ == "__main__":
    main()
