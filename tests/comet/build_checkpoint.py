"""Builds small COMET checkpoints with random weights, without a hub. Runs in COMET's own environment.

    python build_checkpoint.py FOLDER SENTENCES.txt CLASS...

Each class (regression_metric, referenceless_regression_metric, unified_metric, xcomet_metric) goes to FOLDER/CLASS; the
tokenizer of their encoder is trained on the sentences.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def build_encoder(folder: Path, sentences: list[str]) -> None:
    """A two-layer XLM-R and a Unigram tokenizer, as `from_pretrained` reads them."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import XLMRobertaConfig, XLMRobertaTokenizerFast

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    XLMRobertaTokenizerFast(tokenizer_object=tokenizer, model_max_length=512).save_pretrained(folder)
    XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=130,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    ).save_pretrained(folder)


def settings_of(kind: str, encoder: Path) -> dict[str, Any]:
    """The constructor's arguments for a class."""
    settings: dict[str, Any] = {
        "encoder_model": "XLM-RoBERTa",
        "pretrained_model": str(encoder),
        "load_pretrained_weights": False,
        "local_files_only": True,
        "hidden_sizes": [32],
        "layer_transformation": "softmax",
        "nr_frozen_epochs": 0.0,
    }
    if kind in ("unified_metric", "xcomet_metric"):
        settings |= {
            "word_layer": 2,
            "word_level_training": True,
            "cross_entropy_weights": None,
            "error_labels": ["minor", "major", "critical"],
        }
    return settings


def build(folder: Path, kind: str, encoder: Path) -> None:
    import pytorch_lightning
    import torch
    import yaml
    from comet.models import str2model

    torch.manual_seed(7)
    settings = settings_of(kind, encoder)
    model = str2model[kind](**settings)
    for parameter in model.parameters():
        # Larger than at the start of a training, so that scores differ by more than their last digits.
        parameter.data.mul_(3)
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(
        {
            "state_dict": model.state_dict(),
            "hyper_parameters": dict(model.hparams),
            "epoch": 0,
            "global_step": 0,
            "pytorch-lightning_version": pytorch_lightning.__version__,
        },
        folder / "checkpoints" / "model.ckpt",
    )
    (folder / "hparams.yaml").write_text(yaml.safe_dump({"class_identifier": kind, **settings}), encoding="utf-8")


def main() -> None:
    folder, sentences = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    encoder = folder / "encoder"
    encoder.mkdir(parents=True)
    build_encoder(encoder, sentences)
    for kind in sys.argv[3:]:
        build(folder / kind, kind, encoder)


if __name__ == "__main__":
    main()
