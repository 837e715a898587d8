// A value that cannot print itself, and the mask that takes such values out of any text that leaves the
// program. API keys, credentials in headers and URLs, and options that a plugin marks as secret are held as
// Secret.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tokometer {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  // The only way to the text: call it where the value goes on the wire, nowhere else.
  const std::string& reveal() const noexcept { return value_; }
  bool empty() const noexcept { return value_.empty(); }

 private:
  std::string value_;
};

// Replaces every known secret by "***", in its plain, JSON-escaped, URL-encoded and Base64 forms. Values
// shorter than kShortest bytes cannot be told from ordinary text and are left alone. Filled at start;
// redact() from any thread.
class Redactor {
 public:
  static constexpr size_t kShortest = 4;

  void add(const Secret& secret);
  std::string redact(std::string_view text) const;
  bool empty() const noexcept { return forms_.empty(); }

 private:
  std::vector<std::string> forms_;  // longest first, so that a form inside another does not break it
};

// Names whose values are secret by default, in headers, options and queries: authorization, api-key, token,
// secret, password, cookie, in any spelling. Counts are not meant: "max_tokens", "input_tokens" are no
// secrets.
bool is_secret_name(std::string_view name);

}  // namespace tokometer
