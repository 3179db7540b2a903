"""A rosterd of its own for each suite: a fresh folder, free ports of 127.0.0.1, stopped by its own process id whatever happens."""

import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

PATIENCE_S = 40.0
TOKEN = "token-of-the-outside-suites-0123456789abcdef"
PLACES = re.compile(r"SCIM base URL\s+(?P<scim>http://\S+).*?administration\s+(?P<admin>http://\S+)", re.DOTALL)


class Broken(Exception):
    """The daemon did not do what a suite relies on before it asks anything."""


class Daemon:
    """Serves while a `with` block runs. Afterwards it must end well, and what it kept must agree with itself."""

    def __init__(self, program: Path, settings: str = "") -> None:
        self._program = program
        self._settings = settings
        self._home = tempfile.TemporaryDirectory(prefix="rosterd-outside-")
        self._data = Path(self._home.name) / "data"
        self._said = Path(self._home.name) / "said.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self.base_url = ""
        self.admin_url = ""

    def __enter__(self) -> "Daemon":
        token_file = Path(self._home.name) / "token"
        token_file.write_text(TOKEN)
        command = [self._program, "serve", "--data", self._data, "--listen", "127.0.0.1:0"]
        command += ["--admin-listen", "127.0.0.1:0", "--bootstrap-token-file", token_file]
        if self._settings:
            file = Path(self._home.name) / "rosterd.toml"
            file.write_text(self._settings)
            command += ["--config", file]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, env={}
            )
        try:
            self.base_url, self.admin_url = self._until_it_says_where()
            self._until_ready(self.admin_url)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = self._stop()
        try:
            if error is None:
                if ended != 0:
                    raise Broken(f"the daemon ended with {ended}:\n{self.said()}")
                if "panicked" in self.said():
                    raise Broken(f"a request made the daemon panic:\n{self.said()}")
                for arguments in (["check"], ["audit", "verify"]):
                    self.cli(*arguments)
        finally:
            self._home.cleanup()

    def token(self, profile: str) -> str:
        """Returns a token for a connection of that profile; the connection of the first start is an `auto` one."""
        if profile == "auto":
            return TOKEN
        self.cli("connection", "create", profile, "--tenant", "main", "--profile", profile)
        return self.cli("token", "create", "--tenant", "main", "--connection", profile).strip()

    def admin_token(self) -> str:
        """Returns a token of an administrator who may see everything, of a tenant in which there is something to see."""
        self.cli("admin", "create", "ada@acme.test", "--tenant", "main")
        self.cli("connection", "create", "okta", "--tenant", "main", "--profile", "okta")
        self.cli("client", "create", "--tenant", "main", "--connection", "okta")
        scopes = "admin,audit,financials,users:read"
        return self.cli("token", "create", "--tenant", "main", "--connection", "local", "--scopes", scopes).strip()

    def cli(self, *arguments: str) -> str:
        """Runs another command of the program on the same folder, and returns what it prints."""
        command = [self._program, *arguments, "--data", self._data]
        done = subprocess.run(command, capture_output=True, text=True, env={}, check=False, timeout=PATIENCE_S)
        if done.returncode != 0:
            raise Broken(f"rosterd {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def said(self) -> str:
        return self._said.read_text(errors="replace")

    def _until_it_says_where(self) -> tuple[str, str]:
        for _ in self._attempts("it did not say where it listens"):
            if found := PLACES.search(self.said()):
                return found["scim"], found["admin"]
        raise AssertionError("the attempts end by raising")

    def _until_ready(self, admin: str) -> None:
        # No proxy of the surroundings: the daemon is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in self._attempts("it did not become ready"):
            try:
                with opener.open(f"{admin}/readyz", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                continue

    def _attempts(self, otherwise: str):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            yield
            if self._process is None or self._process.poll() is not None:
                raise Broken(f"the daemon ended at once:\n{self.said()}")
            time.sleep(0.02)
        raise Broken(f"{otherwise} within {PATIENCE_S:.0f} s:\n{self.said()}")

    def _stop(self) -> int | None:
        if self._process is None:
            return None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None
