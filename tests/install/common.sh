# For the scripts beside it, which set `build` and `scratch`, two folders.

step() { echo "== $*"; }
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# install_and_move: what was built lies in `prefix`, below `scratch`, which is emptied first. Without the program: the SDK.
install_and_move() {
  step "install, and move the copy"
  rm -rf "$scratch"
  mkdir -p "$scratch"
  scratch=$(cd "$scratch" && pwd)
  prefix=$scratch/moved
  if [ -x "$build/bin/tokometer" ]; then
    cmake --install "$build" --prefix "$scratch/first" >"$scratch/install.log"
  else
    cmake --install "$build" --component sdk --prefix "$scratch/first" >"$scratch/install.log"
  fi
  mv "$scratch/first" "$prefix"
}

# looks_like_a_plugin FILE: one exported symbol, and the note.
looks_like_a_plugin() {
  local exported
  exported=$(nm -D --defined-only "$1" | awk '{print $NF}')
  [ "$exported" = tkm_module_v1 ] || fail "$(basename "$1") exports: $exported"
  readelf --notes "$1" | grep -q tokometer || fail "$(basename "$1") has no note"
}
