#include "engine/run_tokenizer.hpp"

#include <utility>

namespace tokometer {

RunTokenizer::RunTokenizer(Tokenizer tokenizer)
    : tokenizer_(std::move(tokenizer)),
      table_{
          .struct_size = sizeof(tkm_host_tokenizer),
          .reserved = 0,
          .ctx = this,
          .vocab_size = tokenizer_.vocab_size(),
          .encode = [](void* ctx, tkm_str text, int32_t mode, const tkm_ids_out* out, const tkm_writer* err) {
            auto& self = *static_cast<RunTokenizer*>(ctx);
            const tkm_status status = self.tokenizer_.encode(text, mode, *out, self.sentence_);
            if (status != TKM_OK) err->write(err->ctx, {self.sentence_.data(), self.sentence_.size()});
            return status;
          }} {}

Result<std::shared_ptr<RunTokenizer>> RunTokenizer::make(const Component& component,
                                                         const CreateOptions& options) {
  auto tokenizer = Tokenizer::create(component, options);
  if (!tokenizer) return tokenizer.errors();
  return std::shared_ptr<RunTokenizer>(new RunTokenizer(std::move(*tokenizer)));
}

Result<int64_t> RunTokenizer::count(std::string_view text) {
  int64_t tokens = 0;
  const tkm_ids_out out{sizeof(tkm_ids_out), 0, &tokens, [](void* ctx, const int32_t*, size_t count) {
                          *static_cast<int64_t*>(ctx) += static_cast<int64_t>(count);
                        }};
  if (tokenizer_.encode({text.data(), text.size()}, TKM_ENCODE_TEXT, out, sentence_) != TKM_OK)
    return Error{"tokenizer \"" + std::string(tokenizer_.component().name()) + "\": " + sentence_};
  return tokens;
}

}  // namespace tokometer
