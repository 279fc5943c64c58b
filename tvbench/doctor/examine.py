"""One examination: all checks over one model, in the order in which they can be done.

What cannot be read at all raises; what can be read and is wrong becomes a finding. Knows the checks and who to ask for
the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.checkpoints.corrections import choose_dtype, is_gemma2_llava, read_config
from tvbench.checkpoints.hostile import check_files, one_sentence
from tvbench.checkpoints.image_scale import with_assumed_scale
from tvbench.checkpoints.small_files import check_readable
from tvbench.doctor.configuration import check_configuration, check_tensors
from tvbench.doctor.findings import Examination, Finding
from tvbench.doctor.small_files import check_pictures, check_text
from tvbench.errors import EngineError, UsageError
from tvbench.types import ModelCard

if TYPE_CHECKING:
    from tvbench.doctor.sight import PictureLosses

FATAL = frozenset(
    {"image-token", "video-token", "tensors", "own-head", "no-processor", "no-grids", "template-refuses", "not-finite"}
)
"""Errors after which a model cannot be asked, unless a corrected copy fixes them."""
VLLM_HINT = "pip install 'tvbench[vllm]' (on a GPU machine)"


@dataclass(frozen=True, slots=True)
class Whole:
    """How the whole model is measured: by whose numbers, in which dtype, `compared` with plain transformers' or only
    looked at for what it sees."""

    engine: str | None = None
    dtype: str | None = None
    compared: bool = True


def examine(
    folder: Path, card: ModelCard, *, engine: str | None = None, dtype: str | None = None, quick: bool = False
) -> Examination:
    """Everything that is wrong with the checkpoint in `folder`.

    `engine` is whose numbers are compared with plain transformers': None means vLLM too where it is installed. `quick`
    loads no whole model. Raises EngineError for a checkpoint that cannot be read, UsageError when `engine` is vllm and
    not installed.
    """
    if engine == "vllm":
        _need_vllm()
    return _examine(folder, card, "--quick" if quick else Whole(engine, dtype))


def examine_copy(folder: Path, card: ModelCard, *, skip: str = "") -> Examination:
    """The same without a comparison of numbers: what an import cannot put right, or has not. `skip` is a reason to load
    no whole model. Raises EngineError for a checkpoint that cannot be read."""
    return _examine(folder, card, skip or Whole(compared=False))


OTHER_KIND = (
    "a {kind} model: the doctor knows LLaVA-type models around Gemma2 (TowerVision) only, and has checked nothing"
)


def _examine(folder: Path, card: ModelCard, whole: Whole | str) -> Examination:
    config = read_config(folder)
    check_files(folder)
    check_readable(folder)
    if not is_gemma2_llava(config):
        return Examination(card.name, folder, (), (OTHER_KIND.format(kind=config.get("model_type")),))
    remarks: list[str] = []
    with one_sentence(folder):
        findings = [
            *check_configuration(folder, config, card),
            *check_tensors(folder, config),
            *check_text(folder),
            *check_pictures(folder, config),
        ]
        _check_weights(folder, config, card, findings, remarks, whole)
    return Examination(card.name, folder, tuple(findings), tuple(remarks))


def _check_weights(
    folder: Path,
    config: dict[str, Any],
    card: ModelCard,
    findings: list[Finding],
    remarks: list[str],
    whole: Whole | str,
) -> None:
    """Findings in the numbers; `whole` is a reason where no whole model is loaded."""
    from tvbench.doctor.scale import check_scale, measure_sizes
    from tvbench.doctor.sight import findings_of
    from tvbench.doctor.weights import check_numbers, look_through

    numbers = look_through(folder)
    findings += check_numbers(numbers)
    errors = {finding.code for finding in findings if finding.severity == "error"}
    hopeless = sorted(errors & FATAL - _fixed_by_a_copy(folder, config))
    if hopeless:
        remarks.append(f"no numbers were measured: first fix {', '.join(hopeless)}")
        return
    if numbers.untrained:
        remarks.append("the text model holds random numbers: it was never trained, and its answers are by chance")
    sizes = measure_sizes(folder)
    sight = _measure(folder, card, config, findings, remarks, whole)
    if sight is not None:
        findings += findings_of(sight, numbers.untrained)
    unknown = [finding for finding in findings if finding.code == "image-scale-unknown"]
    scale, told = check_scale(folder, config, card, sizes, None if numbers.untrained else sight)
    if unknown or scale is not None:
        findings[:] = [
            *([scale] if scale is not None else []),
            *(finding for finding in findings if finding not in unknown),
        ]
    remarks[:0] = told


def _fixed_by_a_copy(folder: Path, config: dict[str, Any]) -> set[str]:
    """Fatal codes that the corrected copy of our engines has put right."""
    from tvbench.checkpoints.corrections import corrected_config

    try:
        corrected_config(folder, config)
    except EngineError:
        return set()
    return {"image-token"}


def _measure(
    folder: Path,
    card: ModelCard,
    config: dict[str, Any],
    findings: list[Finding],
    remarks: list[str],
    whole: Whole | str,
) -> PictureLosses | None:
    """Everything that needs the whole model; what it sees, where that could be measured."""
    from tvbench.doctor.memory import without_room
    from tvbench.doctor.numerics import measure, measure_vllm, see, vllm_is_installed

    dtype = choose_dtype(config, None if isinstance(whole, str) else whole.dtype)
    reason = whole if isinstance(whole, str) else without_room(folder, dtype)
    if reason or isinstance(whole, str):
        remarks.append(f"nothing was asked of the whole model: {reason}")
        return None
    known = with_assumed_scale(folder, card)
    try:
        if not whole.compared:
            return see(folder, known, dtype=dtype)
        measured = measure(folder, known, dtype=dtype)
        sight, ours = measured.sight, measured.ours
        findings += measured.findings
        remarks += measured.remarks
        if whole.engine != "transformers" and vllm_is_installed():
            measured = measure_vllm(folder, known, ours, dtype=dtype)
            findings += measured.findings
            remarks += measured.remarks
        elif whole.engine != "transformers":
            remarks.append(f"vLLM is not installed here, so that its numbers were not compared: {VLLM_HINT}")
        return sight
    except EngineError as error:
        findings.append(Finding("error", "engine", error.message, error.hint))
        return None


def _need_vllm() -> None:
    from tvbench.doctor.numerics import vllm_is_installed

    if not vllm_is_installed():
        raise UsageError("vLLM is not installed here", VLLM_HINT)
