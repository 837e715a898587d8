"""make_fixtures.py: writes plugins/tokenizer-hf/fixtures anew: a small vocabulary of each family, and ids.json with strings
and the ids that Hugging Face's library (0.23.2) gives. Run by hand, in the environment that oracle.sh makes."""
import json
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import texts  # noqa: E402
import vocabularies  # noqa: E402

FOLDER = HERE.parents[1] / "plugins" / "tokenizer-hf" / "fixtures"
FIXED = ["", " ", "  two  blanks", "It's 12345 o'clock, isn't it?\r\n\n  ", "naïve Å ﬁ ½ 数据 한국 🚀", "a\0b"]


def main():
    FOLDER.mkdir(exist_ok=True)
    expected = {}
    for name, make in vocabularies.FAMILIES.items():
        tokenizer = make(420)
        tokenizer.save(str(FOLDER / f"{name}.json"), pretty=False)
        rng = random.Random("fixtures " + name)
        special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        strings = FIXED + special[:6] + [texts.text(rng, special) for _ in range(16)]
        expected[name] = [{"text": s, "ids": tokenizer.encode(s, add_special_tokens=False).ids, "prompt": tokenizer.encode(s).ids}
                          for s in strings]
    lines = [json.dumps(name) + ": [\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "]" for name, cases in expected.items()]
    (FOLDER / "ids.json").write_text("{" + ",\n".join(lines) + "}\n")
    (FOLDER / "setup.json").write_text('{"hf": {"options": {"file": "llama3.json"}}}\n')


if __name__ == "__main__":
    main()
