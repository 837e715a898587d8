#!/usr/bin/env bash
# language_modes.sh gcc|clang INCLUDE HERE: abi.h compiles in every language mode that it promises, without a warning and
# without padding; so does a file that uses each of its macros. Exit status 77: this compiler is not installed.
set -euo pipefail
compiler=$1
include=$2
here=$3
command -v "$compiler" >/dev/null || { echo "SKIPPED: $compiler is not installed" >&2; exit 77; }

flags=(-pedantic -Wall -Wextra -Wshadow -Wconversion -Wpadded -Werror -fsyntax-only "-I$include")
for mode in c11 c17 gnu11 c++11 c++14 c++17 c++20; do
  language=c
  [[ $mode = c++* ]] && language=c++
  echo "$compiler -std=$mode"
  "$compiler" -x $language -std=$mode "${flags[@]}" "$here/macros.c"
done
for mode in c++20 gnu++20; do
  echo "$compiler -std=$mode <tokometer/*.hpp>"
  printf '#include <tokometer/%s.hpp>\n' plugin options json random sse openai |
    "$compiler" -x c++ -std=$mode -pedantic -Wall -Wextra -Werror -fsyntax-only "-I$include" -
done
