"""What is handed out: an sdist, the wheel that is built from it, and the wheel's life in an empty environment.

The environment gets exactly what ``requirements/run.txt`` pins, as links to the files that are installed for these
tests: with an index at hand ``pip install --require-hashes -r requirements/run.txt`` would put the same there, but
tests need no network. What only tests have installed is missing in it, so an import of that would be found out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from assay import __version__
from tests.issuer import AUDIENCE, Issuer, make_key
from tests.process import Server

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "assay"
SECONDS = 60

_PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)
_JUNK = re.compile(
    r"(^|/)(\.venv|\.git|\.ci|\.demo|node_modules|mutants|dist|__pycache__|\.[a-z]+_cache|\.hypothesis|tests|bench)(/|$)"
    r"|\.(pyc|db|key|pem|root-key|log)$"
)


class Packages(NamedTuple):
    """The two files."""

    sdist: Path
    wheel: Path


class Environment(NamedTuple):
    """A virtual environment with nothing but the wheel and what it needs, and an empty folder to work in."""

    python: Path
    folder: Path

    @property
    def command(self) -> str:
        """Where the environment's ``assay`` is."""
        return str(self.python.with_name("assay"))

    @property
    def environ(self) -> dict[str, str]:
        """Nothing of ours: neither settings nor paths to the checkout."""
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}

    def run(self, *arguments: str) -> str:
        """What ``assay ARGUMENTS`` prints. Raises AssertionError with its words when it fails."""
        done = subprocess.run(
            [self.command, *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """The sdist of this checkout, and the wheel that the sdist alone is enough for."""
    folder = tmp_path_factory.mktemp("packages")
    _call(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Packages(sdist, wheel)


@pytest.fixture(scope="module")
def empty(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment without even pip, into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("empty")
    _call(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    [site] = (folder / "venv" / "lib").glob("python*/site-packages")
    for name, version in pins():
        _give(name, version, site)
    _call(*_pip(python), "install", "--no-deps", "--no-index", str(packages.wheel))
    (folder / "work").mkdir()
    return Environment(python, folder / "work")


def pins() -> Iterator[tuple[str, str]]:
    """Names and versions of ``requirements/run.txt``."""
    for found in _PIN.finditer((ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")):
        yield found[1], found[2]


def _give(name: str, version: str, site: Path) -> None:
    """Link the files of one installed distribution into another environment's packages."""
    known = metadata.distribution(name)
    assert known.version == version, f"{name} {known.version} is installed, requirements/run.txt pins {version}"
    for file in known.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).symlink_to(Path(str(file.locate())))


def _pip(python: Path) -> tuple[str, ...]:
    return sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)


def _call(*arguments: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(arguments, env=environ, cwd="/", capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}{done.stderr}"


def sources() -> set[str]:
    """Every file of the package, by its path below ``src``."""
    found = (path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(SOURCE.parent)) for path in found}


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(packages: Packages) -> None:
    with zipfile.ZipFile(packages.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == sources()
    kinds = {Path(name).suffix for name in names}
    assert {".py", ".sql", ".html", ".css"} <= kinds


def test_the_sdist_holds_sources_documents_and_packaging_and_nothing_that_lies_about(packages: Packages) -> None:
    with tarfile.open(packages.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {f"src/{name}" for name in sources()} <= names
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "requirements/run.txt"} <= names
    assert {"docs/README.md", "packaging/assay.service", "packaging/Containerfile"} <= names
    assert [name for name in names if _JUNK.search(name)] == []


def test_what_the_wheel_needs_is_pinned(packages: Packages, empty: Environment) -> None:
    [found] = metadata.distributions(name="assay", path=[str(_site(empty))])
    wanted = {re.split(r"[<>=!~ ;\[]", each)[0] for each in found.requires or () if "extra ==" not in each}
    assert wanted <= {name for name, _ in pins()}
    assert found.version == __version__
    assert packages.wheel.name.startswith(f"assay-{__version__}-py3-none-any")
    _call(*_pip(empty.python), "check")


def _site(empty: Environment) -> Path:
    [site] = (empty.python.parents[1] / "lib").glob("python*/site-packages")
    return site


def test_the_wheel_runs_in_an_empty_environment_outside_of_the_checkout(empty: Environment) -> None:
    assert empty.run("--version") == f"assay {__version__}\n"
    issuer = Issuer(keys=[make_key("RSA")])
    project = json.loads(empty.run("project", "create", "Acme", "--vertical", "consumer", "--json"))
    _trust(empty, project["project_id"], issuer)
    server = Server([empty.command, "serve", "--port", "0", "--metrics", "none"], empty.environ | _database(empty))
    try:
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            token = issuer.mint({"email": "ada@example.com", "email_verified": True})
            body = {"profile_id": "idp", "token": token, "session_duration_minutes": 60}
            made = client.post("/v1/sessions/attest", json=body, auth=(project["project_id"], project["secret"]))
            assert made.status_code == 200, made.text
            # The reference is made of templates, which only the wheel's own files can have brought here.
            assert {path: client.get(path).status_code for path in ("/readyz", "/docs", "/openapi.json")} == {
                "/readyz": 200,
                "/docs": 200,
                "/openapi.json": 200,
            }
    finally:
        code = server.stop()
    assert code == 0


def _trust(empty: Environment, project_id: str, issuer: Issuer) -> None:
    (empty.folder / "key.pem").write_text(issuer.keys[0].pem())
    whom = ("--name", "IdP", "--issuer", issuer.url, "--audience", AUDIENCE, "--pem", "key.pem")
    empty.run(
        *("profile", "create", "--project-id", project_id, "--id", "idp", *whom),
        *("--map", "email=email", "--map", "token_id=jti", "--jit"),
    )


def _database(empty: Environment) -> dict[str, str]:
    return {"ASSAY_DATABASE": f"sqlite:///{empty.folder / 'assay.db'}"}


def test_nothing_of_the_checkout_is_seen_from_the_empty_environment(empty: Environment) -> None:
    script = "import json, sys, assay; print(json.dumps([assay.__file__, sys.path]))"
    done = subprocess.run(
        [empty.python, "-c", script], cwd=empty.folder, env=empty.environ, capture_output=True, text=True, check=True
    )
    found: list[Any] = json.loads(done.stdout)
    assert found[0].startswith(str(_site(empty)))
    assert not any(str(path).startswith(str(ROOT)) for path in found[1])
