"""The suites that others wrote, each as a function from a server to the checks that did not pass."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
# Where the suites were installed: beside the Python that runs this.
TOOLS = Path(sys.executable).parent
SUITE_S_MAX = 300
SCHEMATHESIS_CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]


@dataclass(frozen=True)
class Finding:
    """A check that did not pass: its name, and what the suite says about it."""

    check: str
    says: str


@dataclass(frozen=True)
class Outcome:
    """What a suite found, and how many checks it made in all."""

    findings: list[Finding]
    checks: int


class Unreadable(Exception):
    """The suite did not run to its end, so that its findings mean nothing."""


def scim2(base_url: str, token: str) -> Outcome:
    """`scim2 test`: a line for each check that begins with its status, and indented lines of explanation below."""
    done = _run(["scim2", "--url", base_url, "test"], {"SCIM_CLI_HEADERS": f"Authorization: Bearer {token}"})
    checks: list[list[str]] = []
    # The first line says what is about to be done.
    for line in done.stdout.splitlines()[1:]:
        if line.startswith("  "):
            checks[-1].append(line.strip())
        else:
            checks.append([line])
    if not checks or done.stderr.strip() or done.returncode not in (0, 1):
        raise Unreadable(f"scim2 test ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    findings = []
    for head, *explanation in checks:
        status, _, check = head.partition(" ")
        if status != "SUCCESS":
            findings.append(Finding(check, f"{status}: {' '.join(explanation)}"))
    if (done.returncode != 0) != bool(findings):
        raise Unreadable(f"scim2 test ended with {done.returncode}, and its text names {len(findings)} failures")
    return Outcome(findings, len(checks))


def scim_sanity(base_url: str, token: str) -> Outcome:
    """`scim-sanity probe`, whose report is JSON."""
    command = ["scim-sanity", "probe", base_url, "--token", token, "--i-accept-side-effects", "--json-output"]
    done = _run(command, {})
    try:
        report = json.loads(done.stdout)
        results = report["results"]
    except (ValueError, KeyError) as error:
        raise Unreadable(f"scim-sanity ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}") from error
    if len(results) != report["summary"]["total"]:
        raise Unreadable(f"scim-sanity lists {len(results)} of {report['summary']['total']} checks")
    findings = [
        Finding(result["name"], f"{result['status']}: {result.get('message', '')}")
        for result in results
        if result["status"] != "pass"
    ]
    return Outcome(findings, len(results))


def client(base_url: str, token: str) -> Outcome:
    """Our own tests in `client/`, which speak through scim2-client and have every answer validated by scim2-models."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = ["pytest", "--quiet", "-p", "no:cacheprovider", f"--junitxml={report}", str(HERE / "client")]
        done = _run(command, {"ROSTERD_BASE_URL": base_url, "ROSTERD_TOKEN": token, "PYTHONDONTWRITEBYTECODE": "1"})
        if done.returncode not in (0, 1) or not report.exists():
            raise Unreadable(f"pytest ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        return _pytest_report(report.read_text(), done.stdout)


def schemathesis(admin_url: str, token: str) -> Outcome:
    """`schemathesis run` against the admin API's own description: no answer may be a failure of the server, and every answer must be
    one that the description names, in status, media type and form."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = ["schemathesis", "--no-color", "run", f"{admin_url}/admin/v1/openapi.json", f"--header=Authorization: Bearer {token}"]
        command += [f"--checks={','.join(SCHEMATHESIS_CHECKS)}", "--phases=examples,coverage,fuzzing", "--max-examples=25"]
        command += ["--generation-deterministic", "--seed=1", "--max-time=60", "--continue-on-failure"]
        command += ["--output-sanitize=true", "--report=json", f"--report-json-path={report}"]
        done = _run(command, {})
        if done.returncode not in (0, 1) or not report.exists():
            raise Unreadable(f"schemathesis ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        return _schemathesis_report(json.loads(report.read_text()), done)


def _schemathesis_report(report: dict, done: subprocess.CompletedProcess[str]) -> Outcome:
    operations, cases = report["operations"], report["test_cases"]
    # A token that was revoked on the way, or a description that was not understood, would look like success.
    if report["errors"] or operations["tested"] != operations["selected"] or not cases["generated"]:
        raise Unreadable(f"schemathesis did not get through:\n{done.stdout[-4000:]}")
    if "Unresolvable references" in done.stdout or "repeatedly returned 401" in done.stdout:
        raise Unreadable(f"schemathesis could not use what it found:\n{done.stdout[-4000:]}")
    findings = [
        Finding(failure["title"], operation) for failure in report["failures"] for operation in failure["operations"]
    ]
    if any(not finding.says.startswith("TRACE ") for finding in findings):
        print(done.stdout)
    return Outcome(findings, cases["generated"])


def _pytest_report(report: str, printed: str) -> Outcome:
    # Written a moment ago by our own pytest: nothing a stranger could have put there.
    from xml.etree import ElementTree

    cases = list(ElementTree.fromstring(report).iter("testcase"))
    findings = []
    for case in cases:
        for trouble in case:
            if trouble.tag in ("failure", "error", "skipped"):
                check = f"{case.get('classname')}::{case.get('name')}"
                findings.append(Finding(check, f"{trouble.tag}: {trouble.get('message', '')}"))
    if any(not finding.says.startswith("skipped") for finding in findings):
        print(printed)
    return Outcome(findings, len(cases))


def _run(command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    surroundings = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": os.environ.get("HOME", ""),
        "LANG": "C.UTF-8",
        "PYTHONUTF8": "1",
        # The daemon is on this machine, whatever proxies there are.
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    return subprocess.run(
        [str(TOOLS / command[0]), *command[1:]],
        capture_output=True,
        text=True,
        env=surroundings | variables,
        check=False,
        timeout=SUITE_S_MAX,
    )


# Through the public door, with the token of a connection.
ALL = {"scim2": scim2, "scim-sanity": scim_sanity, "client": client}
# Through the admin listener, with a token of an administrator.
ADMIN = {"schemathesis": schemathesis}
