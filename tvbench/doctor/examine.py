"""One examination: all checks over one model, in the order in which they can be done.

What cannot be read at all raises; what can be read and is wrong becomes a finding. Knows the checks and who to ask for
the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tvbench.doctor.configuration import check_configuration, check_tensors
from tvbench.doctor.findings import Examination, Finding
from tvbench.doctor.small_files import check_pictures, check_text
from tvbench.engines.checkpoint import choose_dtype, is_gemma2_llava, read_config
from tvbench.engines.small_files import check_readable
from tvbench.errors import EngineError, UsageError
from tvbench.types import ModelCard

FATAL = frozenset({"image-scale-unknown", "image-token", "video-token", "tensors", "own-head", "no-processor",
                   "no-grids", "template-refuses"})
"""Errors after which a model cannot be asked, unless a corrected copy mends them."""
VLLM_HINT = "pip install 'tvbench[vllm]' (on a GPU machine)"


def examine(folder: Path, card: ModelCard, *, engine: str | None = None, dtype: str | None = None) -> Examination:
    """Everything that is wrong with the checkpoint in `folder`.

    `engine` is whose numbers are compared with plain transformers': None means vLLM too where it is installed.
    Raises EngineError for a checkpoint that cannot be read, UsageError when `engine` is vllm and not installed.
    """
    config = read_config(folder)
    check_readable(folder)
    if engine == "vllm":
        _need_vllm()
    if not is_gemma2_llava(config):
        kind = config.get("model_type")
        return Examination(card.name, folder, (), (f"a {kind} model: the doctor knows LLaVA-type models around Gemma2 "
                                                   "(TowerVision) only, and has checked nothing",))
    findings = [*check_configuration(folder, config, card), *check_tensors(folder, config), *check_text(folder),
                *check_pictures(folder, config)]
    remarks: list[str] = []
    errors = {finding.code for finding in findings if finding.severity == "error"}
    hopeless = sorted(errors & FATAL - _mended(folder, config))
    if hopeless:
        remarks.append(f"no numbers were measured: first put right {', '.join(hopeless)}")
    else:
        _measure(folder, card, engine, choose_dtype(config, dtype), findings, remarks)
    return Examination(card.name, folder, tuple(findings), tuple(remarks))


def _mended(folder: Path, config: dict[str, Any]) -> set[str]:
    """Fatal codes that the corrected copy of our engines has put right."""
    from tvbench.engines.checkpoint import corrected_config

    try:
        corrected_config(folder, config)
    except EngineError:
        return set()
    return {"image-token"}


def _measure(
    folder: Path, card: ModelCard, engine: str | None, dtype: str, findings: list[Finding], remarks: list[str]
) -> None:
    from tvbench.doctor.numerics import measure, measure_vllm, vllm_is_installed

    try:
        measured = measure(folder, card, dtype=dtype)
        findings += measured.findings
        remarks += measured.remarks
        if engine == "transformers":
            return
        if not vllm_is_installed():
            remarks.append(f"vLLM is not installed here, so that its numbers were not compared: {VLLM_HINT}")
            return
        measured = measure_vllm(folder, card, measured.ours, dtype=dtype)
    except EngineError as error:
        findings.append(Finding("error", "engine", error.message, error.hint))
        return
    findings += measured.findings
    remarks += measured.remarks


def _need_vllm() -> None:
    from tvbench.doctor.numerics import vllm_is_installed

    if not vllm_is_installed():
        raise UsageError("vLLM is not installed here", VLLM_HINT)
