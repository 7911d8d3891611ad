"""From a prompt to token ids. Knows vocabularies, no models.

Three vocabularies: RoBERTa's, which published CLAP text towers were trained on; plain bytes, which needs no download
and reads every language; and pieces of the words of given texts, from which a small tower learns in minutes.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from diffava.errors import CheckpointError

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")  # ids 0 to 3, as in RoBERTa: ClapTextConfig's defaults rely on it


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE without merges: 4 special tokens and the 256 bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())  # sorted: the library's own order is not fixed
    vocabulary = {token: index for index, token in enumerate((*SPECIAL_TOKENS, *alphabet))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return _framed(tokenizer)


def caption_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE whose merges are the commonest pieces of the words in `texts`, in lower case.

    It is a function of the texts. A word that they do not have is read in smaller pieces, at worst in bytes.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=1,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _framed(tokenizer)


def _framed(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def load_tokenizer(folder: Path, vocab_size: int) -> Any:
    """Read a tokenizer from a folder, without a network.

    `AutoTokenizer` and the check of its length guard against a trap: `RobertaTokenizer` on a folder without files
    silently becomes a tokenizer of 5 tokens, to which every prompt is the same.

    Raises:
        CheckpointError: There is none, or its vocabulary is not the `vocab_size` of the text tower.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:  # the library raises whatever a damaged file leads to
        raise CheckpointError(f"There is no usable tokenizer in {folder} ({error}); fetch the model again.") from error
    if len(tokenizer) != vocab_size:
        raise CheckpointError(
            f"The tokenizer in {folder} knows {len(tokenizer)} tokens, its text tower {vocab_size}; "
            "they are not from the same model. Fetch the model again."
        )
    return tokenizer
