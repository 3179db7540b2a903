"""Runs the outside suites against the real daemon, and fails at everything that `exceptions.toml` does not explain.

    target/outside-venv/bin/python conformance/outside/run.py [SUITE...]

Needs target/debug/rosterd (or the program that the variable ROSTERD names), and what `conformance/outside/install` installs.
"""

import os
import signal
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import suites
import webhooks
from daemon import Broken, Daemon

HERE = Path(__file__).parent
PROFILES = ("auto", "strict")
# What stands in the place of a profile where a suite is run as an administrator.
ADMIN = "admin"
# What is delivered to a receiver of the suite's own, by a daemon that the suite starts itself.
HOOKS = {"standardwebhooks": webhooks.deliveries}
HOOK = "hook"
EVERY = [*suites.ALL, *suites.ADMIN, *HOOKS]


@dataclass
class KnownFinding:
    """An entry of exceptions.toml: a finding that is the mistake of the suite, or that says what will end it."""

    tool: str
    profiles: list[str]
    check: str
    says: str
    why: str
    seen: int = 0

    def explains(self, tool: str, profile: str, finding: suites.Finding) -> bool:
        return (
            self.tool == tool
            and profile in self.profiles
            and self.check == finding.check
            and self.says in finding.says
        )


def read_exceptions() -> list[KnownFinding]:
    """Reads the list, and refuses entries that could explain anything."""
    with (HERE / "exceptions.toml").open("rb") as file:
        entries = [KnownFinding(**entry) for entry in tomllib.load(file).get("exception", [])]
    for entry in entries:
        if not (entry.check and entry.says and entry.why and entry.profiles):
            sys.exit(f"exceptions.toml: check, says, why and profiles must all be given: {entry}")
        if entry.tool not in EVERY or not set(entry.profiles) <= {*PROFILES, ADMIN, HOOK}:
            sys.exit(f"exceptions.toml: unknown tool or profile: {entry}")
    return entries


def run(program: Path, tool: str, profile: str, exceptions: list[KnownFinding]) -> list[str]:
    """Runs one suite on a daemon of its own, and returns what nobody explains."""
    try:
        if profile == HOOK:
            outcome = HOOKS[tool](program)
        else:
            with Daemon(program) as daemon:
                if profile == ADMIN:
                    outcome = suites.ADMIN[tool](daemon.admin_url, daemon.admin_token())
                else:
                    outcome = suites.ALL[tool](daemon.base_url, daemon.token(profile))
    except (Broken, suites.Unreadable) as error:
        return [f"{tool} ({profile}): {error}"]
    unexplained = []
    for finding in outcome.findings:
        known = [entry for entry in exceptions if entry.explains(tool, profile, finding)]
        for entry in known:
            entry.seen += 1
        if not known:
            unexplained.append(f"{tool} ({profile}): {finding.check}: {finding.says}")
    for entry in exceptions:
        if entry.tool == tool and profile in entry.profiles and entry.seen == 0:
            unexplained.append(
                f"{tool} ({profile}): {entry.check}: {entry.says!r} no longer occurs: remove it from exceptions.toml"
            )
        entry.seen = 0
    explained = len(outcome.findings) - sum(1 for line in unexplained if "no longer occurs" not in line)
    print(f"{tool} ({profile}): {outcome.checks} checks, {explained} of them in exceptions.toml", flush=True)
    return unexplained


def asked_through(tool: str) -> tuple[str, ...]:
    """Returns how a suite reaches the daemon, one run each."""
    if tool in suites.ADMIN:
        return (ADMIN,)
    return (HOOK,) if tool in HOOKS else PROFILES


def main() -> int:
    # An end from outside runs the `with` blocks too, which stop the daemon.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    program = Path(os.environ.get("ROSTERD", HERE.parent.parent / "target/debug/rosterd")).resolve()
    if not program.exists():
        sys.exit(f"expected the built daemon at {program}: cargo build")
    tools = sys.argv[1:] or EVERY
    if unknown := set(tools) - set(EVERY):
        sys.exit(f"unknown suite {', '.join(sorted(unknown))}; there are {', '.join(EVERY)}")
    exceptions = read_exceptions()
    unexplained = [
        line
        for tool in tools
        for profile in asked_through(tool)
        for line in run(program, tool, profile, exceptions)
    ]
    for line in unexplained:
        print(f"!! {line}", file=sys.stderr)
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
