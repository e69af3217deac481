"""The official Python client over https, with nothing but the usual variable to say whom it trusts."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from stytch import B2BClient

from tests.certificates import server_files
from tests.process import Assay


def test_the_client_calls_over_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assay, files = Assay(tmp_path), server_files(tmp_path)
    project = assay.create_project("Acme", "b2b")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files.authority))
    with assay.serving(*files.options) as server, requests.Session() as session:
        client = B2BClient(project["project_id"], project["secret"], environment=f"{server.url}/", sync_session=session)
        assert server.url.startswith("https://")
        assert client.organizations.create(organization_name="Acme").status_code == 200
