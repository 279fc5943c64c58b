"""What users read says it in the words of CONTRIBUTING.md: help, errors, notes and tables, README and docs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file())
CODE = sorted(path for folder in ("tvbench", "tasks") for path in (ROOT / folder).rglob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "models").glob("*/README.md"))]
PAGES.remove(ROOT / "docs" / "design.md")  # for who reads the code, in the words of its docstrings
OUTPUT_KEYS = {"sittings"}
"""Keys of JSON that scripts may read already."""


def replaced() -> dict[str, str]:
    """Each word that is not said, with the one that is: the table in CONTRIBUTING.md."""
    rows = re.findall(r"^\| (.+?) \| (`.+`) \|$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {word: said for said, words in rows for word in re.findall("`(.+?)`", words)}


WORDS = replaced()
PATTERN = re.compile(rf"\b({'|'.join(sorted(map(re.escape, WORDS), key=len, reverse=True))})\b", re.IGNORECASE)


def found(text: str, where: str) -> list[str]:
    """A line for each such word in `text`, with the one to say."""
    return [
        f"{where}: '{match[0]}' in '{text[max(0, match.start() - 30) : match.end() + 30].strip()}'; say: "
        f"{WORDS[match[0].lower()]}"
        for match in PATTERN.finditer(text)
    ]


def texts(source: str) -> Iterator[tuple[int, str]]:
    """The texts of a module with the lines they stand in; docstrings are not among them."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_in_code_are_plain(path: Path) -> None:
    lines = [
        line
        for number, text in texts(path.read_text(encoding="utf-8"))
        if text not in OUTPUT_KEYS
        for line in found(text, f"{path.relative_to(ROOT)}:{number}")
    ]
    assert not lines, "\n".join(lines)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_are_plain(path: Path) -> None:
    lines = [
        line
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for line in found(text, f"{path.relative_to(ROOT)}:{number}")
    ]
    assert not lines, "\n".join(lines)


def test_the_table_is_read() -> None:
    assert WORDS["beside"].startswith("next to") and len(WORDS) > 15
    assert found("It lies Beside it.", "x") == ["x: 'Beside' in 'It lies Beside it.'; say: next to, along with"]
    source = '"""beside."""\nA = "lies beside"\nB = f"{A} beside"\n'
    assert [text for _, text in texts(source)] == ["lies beside", " beside"]
