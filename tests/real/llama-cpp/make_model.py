#!/usr/bin/env python3
"""make_model.py FILE: a tiny random-weight Llama in the GGUF form (0.5 MB), the same each time. Needs gguf and numpy.

The vocabulary holds the 256 bytes, so that any text can be read, and some words with all their beginnings, so that the
merges of SentencePiece can reach them. Answers hold mostly words: their rows of the head are larger.
"""
import sys

import gguf
import numpy as np

WIDTH, HEADS, LAYERS, INNER, CONTEXT = 64, 4, 2, 128, 4096
WORDS = ("the of and to in is that it was for on are as with at be this have from or one had by word but not what all were "
         "we when your can said there use an each which she do how their if will up other about out many then them").split()
SPACE = "\u2581"     # SentencePiece's blank
SPECIAL = ["<unk>", "<s>", "</s>"]
CHAT_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def pieces():
    words = [SPACE + word for word in WORDS]
    beginnings = {word[:end] for word in words for end in range(1, len(word))}
    return words + sorted((beginnings | set("abcdefghijklmnopqrstuvwxyz.,:")) - set(words))


def add_vocabulary(writer, words):
    kinds = gguf.TokenType
    tokens = SPECIAL + [f"<0x{byte:02X}>" for byte in range(256)] + words
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_scores([0.0] * (len(tokens) - len(words)) + [-1.0 - rank for rank in range(len(words))])
    writer.add_token_types([kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL] + [kinds.BYTE] * 256 + [kinds.NORMAL] * len(words))
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_vocab_size(len(tokens))
    writer.add_chat_template(CHAT_TEMPLATE)
    return len(tokens)


def add_shape(writer):
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def add_weights(writer, vocabulary):
    rng = np.random.default_rng(3)

    def add(name, rows, columns, scale):
        writer.add_tensor(f"{name}.weight", (rng.standard_normal((rows, columns)) * scale).astype(np.float32))

    add("token_embd", vocabulary, WIDTH, 1.0)
    head = rng.standard_normal((vocabulary, WIDTH)) * 0.6
    first_word = len(SPECIAL) + 256
    head[:first_word] = 0       # logit 0: bytes and the end stay rare
    writer.add_tensor("output.weight", head.astype(np.float32))
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{part}", WIDTH, WIDTH, 0.3)
        add(f"blk.{layer}.ffn_gate", INNER, WIDTH, 0.3)
        add(f"blk.{layer}.ffn_up", INNER, WIDTH, 0.3)
        add(f"blk.{layer}.ffn_down", WIDTH, INNER, 0.3)
        for part in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{part}.weight", np.ones(WIDTH, np.float32))


def main():
    writer = gguf.GGUFWriter(sys.argv[1], "llama")
    add_shape(writer)
    add_weights(writer, add_vocabulary(writer, pieces()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
