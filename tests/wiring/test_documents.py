"""What the documents name exists, and what exists is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from dagster_project.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
OPERATING = ROOT / "docs" / "operating.md"


def commands() -> dict[str, set[str]]:
    """Subcommands by command; a command without any has none."""
    tree = typer.main.get_command(app)
    return {name: set(getattr(command, "commands", ())) for name, command in tree.commands.items()}


def code_of(page: Path) -> list[str]:
    """Everything set as code on a page, a line each."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line for block in blocks for line in block.splitlines()] + spans


def named(page: Path) -> list[tuple[str, list[str]]]:
    """Each `tieout` command on a page with the alternatives of its next word."""
    found = []
    for line in code_of(page):
        for command, following in re.findall(
            r"(?<![\w-])tieout ([a-z][a-z-]*)(?: ([a-z\\|-]+))?", line
        ):
            found.append((command, re.split(r"\\?\|", following) if following else []))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    known = commands()
    for command, following in named(page):
        assert command in known, command
        if known[command]:
            assert set(following) <= known[command], (command, following)


def test_every_command_is_named_where_operators_look() -> None:
    said: dict[str, set[str]] = {}
    for command, following in named(OPERATING):
        said.setdefault(command, set()).update(following)
    assert {name: subs - said.get(name, set()) for name, subs in commands().items()} == {
        name: set() for name in commands()
    }
    assert commands().keys() <= said.keys()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in commands() if f"`{name}`" not in readme] == []


def test_every_command_stands_under_a_heading_of_the_help() -> None:
    tree = typer.main.get_command(app)
    assert [name for name, c in tree.commands.items() if not c.rich_help_panel] == []


def test_every_setting_is_named_and_every_named_one_is_read() -> None:
    read = set()
    for folder in ("dagster_project", "ingest", "evidence", "dbt"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".yml", ".sql") and "simulator" not in path.parts:
                names = r"""["'](TIEOUT_[A-Z_]+|STRIPE_API_[A-Z]+)["']"""
                read |= set(re.findall(names, path.read_text(encoding="utf-8")))
    read -= {"TIEOUT_TABLES"}  # a name of ours in the code
    said = set(
        re.findall(r"`(TIEOUT_[A-Z_]+|STRIPE_API_[A-Z]+)`", OPERATING.read_text(encoding="utf-8"))
    )
    assert said == read


def test_every_target_of_make_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in PAGES:
        for line in code_of(page):
            assert set(re.findall(r"(?:^|\s)make ([a-z][a-z-]*)", line)) <= targets, (page, line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        to = (page.parent / path) if path else page
        assert to.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", to.read_text(encoding="utf-8"), flags=re.MULTILINE)
            made = {
                re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads
            }
            assert anchor in made, target
