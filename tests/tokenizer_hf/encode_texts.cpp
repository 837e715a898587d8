// encode_texts FILE: what oracle.py compares with. Reads texts from stdin, each with its size in bytes as
// decimal digits and a line feed in front; prints for each a line with its ids, and one with its ids as a
// prompt.
#include <cstdio>
#include <iostream>
#include <string>

#include "tokenizer.hpp"

namespace {

void print_ids(tokenizer_test::Tokenizer& tokenizer, const std::string& text, int32_t mode) {
  std::string line;
  for (const int32_t id : tokenizer.encode(text, mode))
    line += (line.empty() ? "" : " ") + std::to_string(id);
  if (tokenizer.status() != TKM_OK) line = "error: " + tokenizer.error();
  std::puts(line.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  tokenizer_test::Tokenizer tokenizer(argv[1]);
  if (tokenizer.status() != TKM_OK) {
    std::cerr << tokenizer.error() << '\n';
    return 1;
  }
  size_t size = 0;
  while (std::cin >> size && std::cin.get() == '\n') {
    std::string text(size, '\0');
    if (!std::cin.read(text.data(), static_cast<std::streamsize>(size))) return 1;
    print_ids(tokenizer, text, TKM_ENCODE_TEXT);
    print_ids(tokenizer, text, TKM_ENCODE_PROMPT);
  }
  return 0;
}
