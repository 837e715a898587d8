"""The path of a token allocates nothing: ten times the tokens, and the I/O thread takes no more from the allocator.

usage: allocation_test.py TOKOMETER MALLOC_COUNT_LIBRARY
Runs the program twice against its simulator: the same 20 requests with 200 and with 2,000 tokens each. A real run: socket,
HTTP, plugin, record. What is compared are counts of calls, so a loaded machine changes nothing.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

RUN_FILE = """
version: 1
target: {{sim: {{mode: fixed, ttft: 5ms, itl: 200us}}}}
processor: vllm
dataset: {{use: synthetic, options: {{input_tokens: 16, output_tokens: {tokens}}}}}
load: {{use: concurrency, options: {{users: 4}}}}
phases: [{{requests: 20}}]
"""


def allocations(tokometer, library, tokens):
    with tempfile.TemporaryDirectory() as folder:
        run_file = pathlib.Path(folder, "run.yaml")
        run_file.write_text(RUN_FILE.format(tokens=tokens))
        count = pathlib.Path(folder, "count")
        environment = dict(os.environ, LD_PRELOAD=library, MALLOC_COUNT_FILE=str(count))
        subprocess.run([tokometer, "run", "-q", str(run_file), "--set", f"output.dir={folder}/runs"], env=environment,
                       stdout=subprocess.DEVNULL, timeout=60, check=False)
        records = next(pathlib.Path(folder, "runs").iterdir()) / "records.jsonl"
        got = records.read_text().count(f'"output_tokens":{tokens},')
        assert got == 20, f"{got} of 20 requests gave {tokens} tokens"
        return int(count.read_text())


def main():
    tokometer, library = sys.argv[1:3]
    few, many = (allocations(tokometer, library, tokens) for tokens in (200, 2000))
    more_tokens = 20 * (2000 - 200)
    print(f"calls to the allocator on the I/O thread: {few} with 4,000 tokens, {many} with 40,000")
    # Per request and per tick some are made, and ticks follow the time that a run takes: far below one in a hundred tokens.
    assert few > 0, "nothing was counted"
    assert many - few < more_tokens / 100, "tokens cost allocations"


main()
