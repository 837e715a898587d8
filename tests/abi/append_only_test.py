#!/usr/bin/env python3
"""append_only_test.py HEADER: makes each kind of change to a copy of abi.h, takes the header itself for the released one,
and sees that append_only.py refuses the bad changes and allows the good ones."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "sdk" / "abi"))
import append_only  # noqa: E402

# What somebody might do to the header: name, pattern (which must be there), replacement, must it be refused?
CHANGES = [
    ("member inserted at the front", r"(typedef struct tkm_usage \{\s*uint32_t struct_size;)", r"\1 int64_t more;", True),
    ("member inserted in the middle", r"(int64_t output_tokens;)(?=[^}]*\} tkm_usage;)", r"int64_t more; \1", True),
    ("member removed at the end", r"int64_t reasoning_tokens;", "", True),
    ("members swapped", r"(int32_t channel;)(.*?)(int32_t counted_by;)", r"\3\2\1", True),
    ("type of a member changed", r"int32_t channel;", "uint32_t channel;", True),
    ("member renamed", r"int32_t channel;", "int32_t lane;", True),
    ("parameter of a sink function changed", r"int64_t code, tkm_str message", "int32_t code, tkm_str message", True),
    ("sink function removed", r"void \(\*carry\)\(void\* ctx, tkm_str bytes\);", "", True),
    ("operation inserted", r"(tkm_status \(\*encode\))", r"void (*flush)(tkm_processor* p); \1", True),
    ("frozen struct extended", r"(} tkm_str;)", r"int64_t more; \1", True),
    ("frozen struct cut", r"int32_t reserved;(?=[^}]*\} tkm_part;)", "", True),
    ("struct removed", r"typedef struct tkm_calibration \{.*?\} tkm_calibration;", "", True),
    ("constant changed", r"TKM_END = 1", "TKM_END = 9", True),
    ("constant removed", r"TKM_FINISH_OTHER = 6", "TKM_FINISH_ODD = 6", True),
    ("entry point changed", r"const tkm_module\* tkm_module_v1\(void\)", "tkm_module* tkm_module_v1(void)", True),
    ("handle removed", r"typedef struct tkm_stream tkm_stream;", "", True),
    ("status type changed", r"typedef int32_t tkm_status;", "typedef int64_t tkm_status;", True),
    ("bool member", r"(} tkm_usage;)", r"_Bool more; \1", True),
    ("long member", r"(} tkm_usage;)", r"long more; \1", True),
    ("bit-field", r"(} tkm_usage;)", r"uint32_t more : 3; \1", True),
    ("sized struct inside another", r"(} tkm_events;)", r"tkm_usage more; \1", True),
    ("member added at the end", r"(} tkm_usage;)", r"int64_t more; \1", False),
    ("sink function added at the end", r"(} tkm_events;)", r"void (*more)(void* ctx, const tkm_usage* usage); \1", False),
    ("constant added", r"(TKM_MARK_DONE = 3)", r"\1, TKM_MARK_MORE = 4", False),
    ("struct added", r"(/\* Module\. \*/)", r"typedef struct tkm_more { uint32_t struct_size, reserved; } tkm_more; \1", False),
    ("comment changed", r"/\* Constants\. \*/", "/* Numbers. */", False),
]


def self_test(header):
    bad = 0
    for name, pattern, replacement, refused in CHANGES:
        changed, count = re.subn(pattern, replacement, header, count=1, flags=re.S)
        wrong = count != 1 or bool(append_only.faults(changed, [header])) != refused
        print(f"{'WRONG' if wrong else 'ok'}: {name}: {'refused' if refused else 'allowed'}")
        bad += wrong
    return bad


if __name__ == "__main__":
    sys.exit(1 if self_test(open(sys.argv[1], encoding="utf-8").read()) else 0)
