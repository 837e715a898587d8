"""oracle.py ENCODE_TEXTS: trains a vocabulary in the shape of each family, and compares the ids of generated strings with
those of Hugging Face's library: the same, or this fails and shows the first differences."""
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import texts  # noqa: E402
import vocabularies  # noqa: E402

TEXTS = 1000  # for each family
SHOWN = 5


def ours(program, file, strings):
    data = b"".join(b"%d\n%s" % (len(s), s) for s in (string.encode() for string in strings))
    lines = subprocess.run([program, file], input=data, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")
    return list(zip(lines[0:-1:2], lines[1:-1:2]))


def theirs(tokenizer, string):
    return tuple(" ".join(map(str, tokenizer.encode(string, add_special_tokens=special).ids)) for special in (False, True))


def differences(program, name, folder):
    tokenizer = vocabularies.FAMILIES[name](1500)
    file = folder / f"{name}.json"
    tokenizer.save(str(file))
    rng = random.Random(name)
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    strings = [""] + [texts.text(rng, special) for _ in range(TEXTS - 1)]
    answers = ours(program, str(file), strings)
    assert len(answers) == len(strings), f"{name}: {len(answers)} answers for {len(strings)} strings"
    wrong = [(s, a, t) for s, a in zip(strings, answers) if a != (t := theirs(tokenizer, s))]
    tokens = sum(len(answer[0].split()) for answer in answers)
    print(f"{name}: {len(strings)} strings, {tokens} tokens, {len(wrong)} differ", flush=True)
    for string, answer, truth in wrong[:SHOWN]:
        print(f"  {string!r}\n    ours   {answer[0]}\n    theirs {truth[0]}\n    prompt {answer[1] == truth[1]}")
    return len(wrong)


def main():
    with tempfile.TemporaryDirectory() as folder:
        wrong = sum(differences(sys.argv[1], name, pathlib.Path(folder)) for name in vocabularies.FAMILIES)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
