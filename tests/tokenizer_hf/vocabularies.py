"""Vocabularies in the shapes of the well-known model families, trained here on text made here: nothing is copied. Each is a
tokenizer.json as a dict. Needs Hugging Face's `tokenizers`."""
import json
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

SYLLABLES = ("ka lo mi ter ban sho ve run pla dri ing tion un re ed est por gra ni zu wey fo ma ti sen der lich "
             "qua vo stu kle bri ome alt orn yst ai ou ee th wh ck").split()
OTHER = ["Straße", "naïve", "coöp", "žluť", "приве", "тока", "данные", "数据", "模型", "測試", "かな", "テスト", "한국", "어절",
         "سرعة", "שלום", "ไทย", "हिन्दी", "🙂", "🚀", "👩‍💻", "é", "Å", "ﬁ", "½", "Ⅷ", "①"]


def word(rng):
    if rng.random() < 0.15:
        return rng.choice(OTHER)
    made = "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 4)))
    style = rng.random()
    return made.capitalize() if style < 0.15 else made.upper() if style < 0.2 else made


def prose(rng, words):
    parts = []
    for _ in range(words):
        parts.append(word(rng))
        parts.append(rng.choice([" "] * 12 + [", ", ". ", "\n", "\n\n", "'s ", "'LL ", " - ", "(", ") ", "  ", str(rng.randint(0, 99999)) + " "]))
    return "".join(parts)


def corpus():
    rng = random.Random(11)
    return [prose(rng, 60) for _ in range(400)]


def train(tokenizer, vocab_size, alphabet=(), special=()):
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, initial_alphabet=list(alphabet), special_tokens=list(special))
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(pre_tokenizer, vocab_size, normalizer=None, **model):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    train(tokenizer, vocab_size, pre_tokenizers.ByteLevel.alphabet())
    tokenizer.decoder = decoders.ByteLevel()
    for key, value in model.items():
        setattr(tokenizer.model, key, value)
    return tokenizer


def level():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def begin_of_text(tokenizer, token, also=()):
    id_ = tokenizer.token_to_id(token)
    template = processors.TemplateProcessing(single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=[(token, id_)])
    tokenizer.post_processor = processors.Sequence([*also, template])


def llama3(vocab_size):
    tokenizer = byte_level(pre_tokenizers.Sequence([split(LLAMA3), level()]), vocab_size, ignore_merges=True)
    tokenizer.add_special_tokens(["<|begin|>", "<|end|>", "<|header|>", "<|end|><|pad|>"])
    begin_of_text(tokenizer, "<|begin|>", [processors.ByteLevel(trim_offsets=False)])
    return tokenizer


def qwen(vocab_size):
    tokenizer = byte_level(pre_tokenizers.Sequence([split(QWEN), level()]), vocab_size, normalizers.NFC())
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])
    return tokenizer


def o200k(vocab_size):
    tokenizer = byte_level(pre_tokenizers.Sequence([split(O200K, "removed", True), level()]), vocab_size, ignore_merges=True)
    tokenizer.add_special_tokens(["<|return|>", "<|start|>"])
    return tokenizer


def deepseek(vocab_size):
    parts = [split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split(DEEPSEEK), level()]
    tokenizer = byte_level(pre_tokenizers.Sequence(parts), vocab_size, normalizers.Sequence([]))
    tokenizer.add_special_tokens(["<｜begin▁of▁sentence｜>", AddedToken("<｜User｜>", lstrip=False)])
    tokenizer.add_tokens([AddedToken("word", single_word=True, normalized=False), AddedToken("[BOX]", lstrip=True, rstrip=True, normalized=True)])
    begin_of_text(tokenizer, "<｜begin▁of▁sentence｜>")
    return tokenizer


def gpt2(vocab_size):
    tokenizer = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True), vocab_size, normalizers.NFKC())
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


def digits(vocab_size):
    parts = [split(r"[\s]"), split(r"\w+"), split(r"[^\S\d]+|[\S\d]+", "removed", True), pre_tokenizers.Digits(individual_digits=True),
             split(r"\p{Han}+", "contiguous"), split(",", "merged_with_previous"), split(r"\(", "merged_with_next"), level()]
    return byte_level(pre_tokenizers.Sequence(parts), vocab_size, normalizers.NFD())


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def sentence_piece(vocab_size, normalizer, pre_tokenizer, unknown=True, **model):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>" if unknown else None, fuse_unk=True, byte_fallback=True))
    # Trained word by word; used without, as Llama 2's.
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    train(tokenizer, vocab_size, special=["<unk>", "<s>", "</s>", *BYTES])
    tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    else:
        whole = json.loads(tokenizer.to_str())
        whole["pre_tokenizer"] = None
        tokenizer = Tokenizer.from_str(json.dumps(whole))
    whole = json.loads(tokenizer.to_str())
    whole["added_tokens"] = [token for token in whole["added_tokens"] if token["content"] not in BYTES]
    whole["model"].update(model)
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    begin_of_text(tokenizer, "<s>")
    return tokenizer


def llama2(vocab_size):
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer = sentence_piece(vocab_size, normalizer, None)
    tokenizer.add_tokens([AddedToken("\n\n\n", normalized=True), AddedToken("<mark>", rstrip=True, normalized=False)])
    return tokenizer


def metaspace(vocab_size):
    return sentence_piece(vocab_size, normalizers.NFC(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=True))


def gemma(vocab_size):
    tokenizer = sentence_piece(vocab_size, normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"))
    tokenizer.add_special_tokens([AddedToken("<turn>", rstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("\n" * n, normalized=False) for n in range(2, 6)] + [AddedToken("▁" * n, normalized=False) for n in range(2, 6)])
    return tokenizer


FAMILIES = {"llama3": llama3, "qwen": qwen, "o200k": o200k, "deepseek": deepseek, "gpt2": gpt2, "digits": digits,
            "llama2": llama2, "metaspace": metaspace, "gemma": gemma}
