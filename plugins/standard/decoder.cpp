#include "decoder.hpp"

#include <zlib.h>
#include <zstd.h>

#include <new>

namespace standard {
namespace {

constexpr std::string_view kGzipMagic = "\x1F\x8B", kZstdMagic = "\x28\xB5\x2F\xFD";
constexpr int kGzipOnly = 16;  // added to the window bits: a gzip header is expected

class Gzip : public Decoder {
 public:
  Gzip() {
    if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Gzip() override { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  const char* name() const override { return "gzip"; }
  bool complete() const override { return complete_; }

  Step decode(std::string_view in, char* out, size_t room) override {
    if (complete_ && in.empty()) return {};
    if (complete_) inflateReset(&stream_);  // the next member
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    complete_ = result == Z_STREAM_END;
    return {.taken = in.size() - stream_.avail_in,
            .made = room - stream_.avail_out,
            .damaged = result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR};
  }

 private:
  z_stream stream_{};
  bool complete_ = false;
};

class Zstd : public Decoder {
 public:
  Zstd() : stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) throw std::bad_alloc();
  }

  const char* name() const override { return "zstd"; }
  bool complete() const override { return complete_; }

  Step decode(std::string_view in, char* out, size_t room) override {
    if (complete_ && in.empty()) return {};
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out, room, 0};
    const size_t hint = ZSTD_decompressStream(stream_.get(), &to, &from);
    complete_ = hint == 0;
    return {.taken = from.pos, .made = to.pos, .damaged = ZSTD_isError(hint) != 0};
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  std::unique_ptr<ZSTD_DStream, Free> stream_;
  bool complete_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(std::string_view first_bytes) {
  if (first_bytes.substr(0, kGzipMagic.size()) == kGzipMagic) return std::make_unique<Gzip>();
  if (first_bytes.substr(0, kZstdMagic.size()) == kZstdMagic) return std::make_unique<Zstd>();
  return nullptr;
}

}  // namespace standard
