"""What the mini world is called in ten languages: one file a language, all with the methods of base.Grammar."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from tvbench.mini.grammars.base import Grammar

LANGUAGES = ("en", "de", "es", "fr", "pt", "ru", "hi", "zh", "ja", "ko")


@cache
def grammar(code: str) -> Grammar:
    """The grammar of one of LANGUAGES. Raises KeyError for any other code."""
    if code not in LANGUAGES:
        raise KeyError(code)
    made: Grammar = import_module(f"tvbench.mini.grammars.{code}").GRAMMAR
    return made
