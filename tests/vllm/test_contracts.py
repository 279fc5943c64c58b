"""vLLM keeps the protocol's contracts, and takes the arguments that it has, whatever is typed."""

from __future__ import annotations

import pytest

pytest.importorskip("vllm")

from tvbench.engines.conformance import broken_contracts
from tvbench.engines.open import EngineOptions, choose, open_engine
from tvbench.engines.vllm_arguments import installed_arguments
from tvbench.errors import UsageError
from tvbench.registry.catalog import resolve_model

pytestmark = [pytest.mark.vllm, pytest.mark.slow]


def test_the_names_in_its_source_are_those_of_its_class() -> None:
    from dataclasses import fields

    from vllm.engine.arg_utils import EngineArgs

    assert {field.name for field in fields(EngineArgs)} <= (installed_arguments() or set())


def test_it_keeps_the_contracts_with_the_arguments_that_were_typed() -> None:
    given = {"dtype": "float32", "max_num_seqs": 4, "enable_prefix_caching": False}
    chosen = choose(resolve_model("tower-mini"), "vllm", given)
    options = EngineOptions(chosen.arguments)
    assert broken_contracts(lambda: open_engine("vllm", chosen.card, options=options), pictures=True) == []
    engine = open_engine("vllm", chosen.card, options=options)
    try:
        assert engine.info.settings["dtype"] == "float32" and engine.info.settings["enable_prefix_caching"] is False
        assert "max_num_seqs" not in engine.info.settings
    finally:
        engine.close()


def test_what_it_does_not_know_is_refused_with_what_is_near() -> None:
    with pytest.raises(UsageError, match="Did you mean quantization"):
        choose(resolve_model("tower-mini"), "vllm", {"quantisation": "fp8"})
