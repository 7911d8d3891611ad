"""A saved AudioLDM model of a preset's real size with random weights and a stand-in tokenizer, for measuring alone.

The published weights may not be passed on with the project, and no figure of time or memory depends on them. What is
heard is noise, and the tokenizer knows bytes where RoBERTa's knows words; its length is the real one.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from diffava.builders import assemble, save
from diffava.config import ModelConfig, load_config
from diffava.features.tokenizer import SPECIAL_TOKENS
from diffava.model_parts import make_parts, set_moderate_level


def write_random_audioldm(folder: Path, name: str = "audioldm-s") -> None:
    """Save the preset `name` to `folder` in half precision; gigabytes of memory and a minute at real size."""
    write_random_model(folder, load_config(name))


def write_random_model(folder: Path, config: ModelConfig, seed: int = 0) -> None:
    """Save a model of this configuration in half precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = make_parts(config)
        set_moderate_level(parts["vae"], parts["vocoder"])
    save(assemble(config, parts, stand_in_tokenizer(config.clap.text.vocab_size)), folder, torch.float16)


def stand_in_tokenizer(vocab_size: int) -> PreTrainedTokenizerFast:
    """Bytes, and as many tokens that no text has as are missing."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    missing = vocab_size - len(SPECIAL_TOKENS) - len(alphabet)
    tokens = (*SPECIAL_TOKENS, *alphabet, *(f"<unused{number}>" for number in range(missing)))
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
