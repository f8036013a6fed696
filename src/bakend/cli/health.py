"""`bak health`: asks the running server."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final
from urllib.parse import urlsplit

import click

from bakend.cli.failures import NO_ANSWER
from bakend.cli.project import Project, config_option

ANSWER_MAX_BYTES: Final = 64 * 1024

_CONNECTIONS: Final = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}


@click.command()
@config_option
@click.option("--url", metavar="URL", help="Ask this server, not the one of the project.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.001, max=3_600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long for each step of the answer.",
)
@click.option("--deep", is_flag=True, help="Also ask whether it can read and write.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@click.pass_obj
def health(project: Project, url: str | None, timeout: float, *, deep: bool, as_json: bool) -> int:
    """Ask the running server whether it is well; exit code 0 if it is, 69 if not."""
    if url is None:
        configured = project.load(mode="command").settings
        host = configured.host or "127.0.0.1"
        url = f"http://{f'[{host}]' if ':' in host else host}:{configured.port}"
    answer, problem = ask(url, timeout, "/health?deep=true" if deep else "/health")
    if as_json:
        click.echo(json.dumps({"url": url, "ok": not problem, "answer": answer, "error": problem}))
    elif problem:
        click.echo(f"{url}: {problem}", err=True)
    else:
        click.echo(f"{url}: ok, version {answer['version']}")
        for warning in answer.get("warnings", ()):
            click.echo(f"  {warning}", err=True)
    return NO_ANSWER if problem else 0


def ask(url: str, timeout_s: float, path: str = "/health") -> tuple[dict[str, Any], str | None]:
    """Return the answer of `/health`, and what is wrong with it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a port that is none, half a bracket
        host, port = None, None
    if not host or parts.scheme not in _CONNECTIONS:
        return {}, "not a URL; write http://HOST:PORT"
    try:
        connection = _CONNECTIONS[parts.scheme](host, port, timeout=timeout_s)
        try:
            connection.request("GET", f"{parts.path.rstrip('/')}{path}")
            response = connection.getresponse()
            content = response.read(ANSWER_MAX_BYTES)
        finally:
            connection.close()
        answer = json.loads(content) if response.status == 200 else None
    except TimeoutError:
        return {}, f"no answer within {timeout_s:g} s"
    except OSError as error:
        return {}, f"no answer: {error.strerror or error}"
    except (ValueError, RecursionError, http.client.HTTPException):
        return {}, "the answer is not one of Bakend"
    if response.status != 200:
        return {}, f"not well: it answered {response.status}"
    if not isinstance(answer, dict) or answer.get("status") != "ok" or "version" not in answer:
        return {}, "the answer is not one of Bakend"
    return answer, None
