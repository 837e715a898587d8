#!/usr/bin/env python3
"""Writes a small tokenizer folder, so that clients which insist on one need not ask a model hub.

    python3 tokenizer.py FOLDER

A token is a word: the vocabulary has 4,000 made-up words, and whatever else stands between blanks is "word". So each
word of the simulator counts as the one token that it is.
"""

import json
import pathlib
import sys

SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va"]
SPECIAL = ["[BOS]", "[EOS]", "[PAD]"]
UNKNOWN = "word"                   # not a special token: those are dropped when a prompt is decoded
REVISION = "0" * 40
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }} {% endfor %}"


def words():
    s = SYLLABLES
    return [a + b + c for a in s for b in s for c in s][:4000]


def files():
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, UNKNOWN, *words()])}
    added = [{"id": i, "content": word, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": True} for i, word in enumerate(SPECIAL)]
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
                 "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": None, "decoder": None,
                 "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": UNKNOWN}}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "[BOS]",
              "eos_token": "[EOS]", "pad_token": "[PAD]", "model_max_length": 131072,
              "clean_up_tokenization_spaces": False, "chat_template": CHAT_TEMPLATE}
    model = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": len(vocabulary),
             "max_position_embeddings": 131072, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1,
             "intermediate_size": 64}
    return {"tokenizer.json": tokenizer, "tokenizer_config.json": config, "config.json": model}


def write(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")
    return folder


def folder(cache):
    return write(cache / "tokenizer")


def hub_name(cache):
    """The same as a model hub's client caches it (HF_HOME: cache/hf), for clients that offline take hub names only."""
    model = cache / "hf" / "hub" / "models--tokometer--words"
    write(model / "snapshots" / REVISION)
    (model / "refs").mkdir(exist_ok=True)
    (model / "refs" / "main").write_text(REVISION)
    return "tokometer/words"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write(sys.argv[1])
