// The smallest host for the one component of tokenizer-hf.so: called through the C ABI, as the program does.
// One thread.
#pragma once

#include <tokometer/abi.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace tokenizer_test {

inline tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}

class Tokenizer {
 public:
  // `file`: absolute, without quotes or backslashes. Look at status().
  explicit Tokenizer(const std::string& file) {
    const std::string config = R"({"file":")" + file + "\"}";
    const tkm_create_args args{sizeof(tkm_create_args), 0, 1, 0, &host_, str(config), nullptr, 0, 1};
    const tkm_writer err = errors();
    status_ = ops().create(&args, &err, &handle_);
  }
  ~Tokenizer() {
    if (handle_ != nullptr) ops().destroy(handle_);
  }
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  tkm_status status() const { return status_; }  // of the last call
  const std::string& error() const { return error_; }
  int64_t vocab_size() { return ops().vocab_size(handle_); }

  std::vector<int32_t> encode(std::string_view text, int32_t mode = TKM_ENCODE_TEXT) {
    std::vector<int32_t> all;
    const tkm_ids_out out{sizeof(tkm_ids_out), 0, &all, [](void* ctx, const int32_t* ids, size_t count) {
                            auto& list = *static_cast<std::vector<int32_t>*>(ctx);
                            list.insert(list.end(), ids, ids + count);
                          }};
    const tkm_writer err = errors();
    status_ = ops().encode(handle_, str(text), mode, &out, &err);
    return all;
  }

 private:
  static const tkm_tokenizer_ops& ops() {
    return *static_cast<const tkm_tokenizer_ops*>(tkm_module_v1()->components[0]->ops);
  }
  tkm_writer errors() {
    error_.clear();
    return {&error_,
            [](void* ctx, tkm_str bytes) { static_cast<std::string*>(ctx)->append(bytes.data, bytes.size); }};
  }

  tkm_host host_{sizeof(tkm_host), 0, nullptr, [](const tkm_host*, int32_t, tkm_str) {},
                 [](const tkm_host*, tkm_str) -> const void* { return nullptr; }};
  std::string error_;
  tkm_tokenizer* handle_ = nullptr;
  tkm_status status_;
};

}  // namespace tokenizer_test
