// The compressed forms that an InputFile opens by itself, as streams: gzip (several members after each other,
// too) and zstd (several frames). A decoder keeps its window only: 32 KiB for gzip, at most 128 MiB for zstd.
// One thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace standard {

class Decoder {
 public:
  struct Step {
    size_t taken = 0, made = 0;  // bytes of `in`, bytes of `out`
    bool damaged = false;
  };

  virtual ~Decoder() = default;
  // "gzip" or "zstd", for sentences.
  virtual const char* name() const = 0;
  // Decodes what it can. Called with an empty `in` it gives what it still holds back.
  virtual Step decode(std::string_view in, char* out, size_t room) = 0;
  // May the data end after what was decoded so far?
  virtual bool complete() const = 0;
};

// By the first bytes of the file; null: not compressed.
std::unique_ptr<Decoder> make_decoder(std::string_view first_bytes);

}  // namespace standard
