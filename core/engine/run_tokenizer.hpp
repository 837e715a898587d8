// The tokenizer of a run (model.tokenizer): counts what the data do not say, and is what datasets get as
// "tkm.tokenizer/1". One instance for a plan, shared by its datasets, which are used one after the other:
// never two threads at once.
#pragma once

#include <tokometer/abi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "plugin/handles.hpp"

namespace tokometer {

class RunTokenizer {
 public:
  static Result<std::shared_ptr<RunTokenizer>> make(const Component& component, const CreateOptions& options);
  RunTokenizer(const RunTokenizer&) = delete;
  RunTokenizer& operator=(const RunTokenizer&) = delete;

  // The tokens of the text alone. Error: the plugin's sentence; this text cannot be encoded.
  Result<int64_t> count(std::string_view text);

  // Lives as long as this.
  const tkm_host_tokenizer& table() const { return table_; }

 private:
  explicit RunTokenizer(Tokenizer tokenizer);

  Tokenizer tokenizer_;
  tkm_host_tokenizer table_;
  std::string sentence_;
};

}  // namespace tokometer
