"""The first steps of the README work as they stand."""

from __future__ import annotations

from pathlib import Path

from tests.docs import pages
from tests.process import Assay


def test_the_first_steps_of_the_readme_run(tmp_path: Path) -> None:
    assay = Assay(tmp_path)
    project = assay.create_project("My product", "b2b")
    pages.run(pages.ROOT / "README.md", tmp_path, assay.environ | {"PROJECT_ID": project["project_id"]}, {})
    assert len(assay.run("project", "list")["projects"]) == 2
    assert assay.run("profile", "list", "--project-id", project["project_id"])["profiles"][0]["name"] == "My issuer"
