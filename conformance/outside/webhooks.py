"""What the library of the Standard Webhooks scheme thinks of our deliveries: a receiver that verifies with it, as docs/operate/webhooks.md shows."""

import base64
import http.server
import json
import os
import queue
import secrets
import tempfile
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon import PATIENCE_S, TOKEN, Daemon
from standardwebhooks import Webhook, WebhookVerificationError
from suites import Finding, Outcome, Unreadable


@dataclass(frozen=True)
class Delivery:
    """A request as it came: its fields and its very bytes."""

    headers: dict[str, str]
    body: bytes


class Receiver(http.server.ThreadingHTTPServer):
    """Takes whatever comes, and keeps it."""

    def __init__(self) -> None:
        self.taken: queue.Queue[Delivery] = queue.Queue()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers 204 to each delivery."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.taken.put(Delivery(dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the checks say what is wrong."""


def deliveries(program: Path) -> Outcome:
    """Has a daemon with two secrets, as during their exchange, deliver a change, and verifies it and what could be made of it."""
    with tempfile.TemporaryDirectory(prefix="rosterd-outside-") as folder, Receiver() as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        try:
            shared = [_secret(Path(folder) / f"{number}.secret") for number in range(2)]
            with Daemon(program, _settings(receiver.server_port, folder)) as daemon:
                _make_somebody(daemon.base_url)
                try:
                    delivery = receiver.taken.get(timeout=PATIENCE_S)
                except queue.Empty:
                    raise Unreadable(f"nothing was delivered:\n{daemon.said()}") from None
        finally:
            receiver.shutdown()
    return _judge(delivery, shared)


def _judge(delivery: Delivery, shared: list[str]) -> Outcome:
    findings, checks = [], 0

    def check(name: str, holds: Callable[[], bool]) -> None:
        nonlocal checks
        checks += 1
        try:
            if not holds():
                findings.append(Finding(name, "it does not hold"))
        except WebhookVerificationError as error:
            findings.append(Finding(name, f"refused: {error}"))

    def refuses(secret: str, headers: dict[str, str], body: bytes) -> bool:
        try:
            Webhook(secret).verify(body, headers)
        except WebhookVerificationError:
            return True
        return False

    headers = {name.lower(): value for name, value in delivery.headers.items()}
    said = json.loads(delivery.body)
    for number, secret in enumerate(shared):
        check(f"secret {number + 1} verifies", lambda: Webhook(secret).verify(delivery.body, headers) == said)
    check("the fields are found as they were sent", lambda: Webhook(shared[0]).verify(delivery.body, delivery.headers) == said)
    check("the event is the change", lambda: said["type"] == "user.created" and said["id"] == headers["webhook-id"])
    secret, body = shared[0], delivery.body
    tampered = body.replace(b"user.created", b"user.deleted")
    check("there is something to tamper with", lambda: tampered != body)
    check("another body is refused", lambda: refuses(secret, headers, tampered))
    check("a byte more is refused", lambda: refuses(secret, headers, body + b" "))
    check("another id is refused", lambda: refuses(secret, headers | {"webhook-id": "evt_1_1_0"}, body))
    later = str(int(headers["webhook-timestamp"]) + 1)
    check("another time is refused", lambda: refuses(secret, headers | {"webhook-timestamp": later}, body))
    check("another's secret is refused", lambda: refuses(_new_secret(), headers, body))
    check("no signature is refused", lambda: refuses(secret, headers | {"webhook-signature": ""}, body))
    return Outcome(findings, checks)


def _settings(port: int, folder: str) -> str:
    files = json.dumps([f"{folder}/{number}.secret" for number in range(2)])
    return f"""
[net]
allow = ["127.0.0.1"]

[[webhooks]]
name = "outside"
tenant = "main"
url = "http://127.0.0.1:{port}/hooks/rosterd"
secret_files = {files}
events = ["user.created"]
from = "beginning"
"""


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _secret(path: Path) -> str:
    secret = _new_secret()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
    return secret


def _make_somebody(base_url: str) -> None:
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@acme.test", "title": "Ünïcode"}
    request = urllib.request.Request(
        f"{base_url}/Users",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/scim+json"},
    )
    # No proxy of the surroundings: the daemon is on this machine.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE_S) as answer:
        if answer.status != 201:
            raise Unreadable(f"nobody was made: {answer.status}")
