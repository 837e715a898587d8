"""Strings that are hard for tokenizers, made from a seed."""
import unicodedata

import vocabularies

SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\n\n\n", "\x0b", "\x85", "\xa0", "\u2003", "\u2028", "\u3000", "\u180e", "\u200b", "\ufeff"]
ODD = ["\0", "\x7f", "'s", "'S", "'\u017f", "'RE", "'ll", "\u0301", "\u0327\u0301", "\u200d", "\ufe0f", "\U0001f468\u200d\U0001f469", "\ud7a4", "\ufdfa",
       "\u1e9b\u0323", "\u2126", "\u212a", "\uff21", "<0x0A>", "▁", "▁▁", "Ġ", "Ċ", "İ", "ß", "ŉ", "ǅ", "\u0e33", "\u0ea3", "ㄱ", "각", "漢", "々", "〇", "ー", "゠", "龥", "龦",
       "\U00020000", "\U0001f1e9\U0001f1ea", "٣", "৪", "²", "½", "Ⅻ", "〹", "①", "Ⓐ", "🅰", "_", "‿", "$", "€", "++", "--", "&&", "[[", "]]", "\\", "/", "//", "...", "…"]


def random_letter(rng):
    while True:
        code = rng.choice([rng.randrange(0x20, 0x7f), rng.randrange(0x80, 0x800), rng.randrange(0x800, 0x10000), rng.randrange(0x10000, 0x32000)])
        # Newer letters differ by the age of the libraries' tables: Hugging Face's for normal forms are old.
        if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cs", "Cn", "Co"):
            return chr(code)


def text(rng, special):
    kind = rng.random()
    if kind < 0.25:
        return vocabularies.prose(rng, rng.randint(1, 25))
    if kind < 0.4:
        return "".join(random_letter(rng) for _ in range(rng.randint(1, 30)))
    pieces = []
    for _ in range(rng.randint(1, 14)):
        draw = rng.random()
        if draw < 0.3:
            pieces.append(vocabularies.word(rng))
        elif draw < 0.55:
            pieces.append(rng.choice(SPACES))
        elif draw < 0.75:
            pieces.append(rng.choice(ODD))
        elif draw < 0.85 and special:
            pieces.append(rng.choice(special))
        elif draw < 0.95:
            pieces.append(str(rng.randrange(10 ** rng.randint(1, 9))))
        else:
            pieces.append(rng.choice(["a", "=", "-", " ", "ab", "\n"]) * rng.randint(1, 40))
    return "".join(pieces)
