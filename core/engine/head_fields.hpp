// The fields of a response's head as the plugin ABI has them: names in lower case, whatever the peer wrote.
// One a head; values are views into what it was made from, which must outlive it.
#pragma once

#include <tokometer/abi.h>

#include <string>
#include <string_view>
#include <vector>

#include "net/ascii.hpp"

namespace tokometer {

class HeadFields {
 public:
  // Any range of pairs of texts.
  template <class Fields>
  explicit HeadFields(const Fields& fields) {
    size_t bytes = 0;
    for (const auto& [name, value] : fields) bytes += name.size();
    names_.reserve(bytes);  // the views below stay valid
    fields_.reserve(fields.size());
    for (const auto& [name, value] : fields) {
      const size_t begin = names_.size();
      for (const char letter : name) names_.push_back(ascii_lower(letter));
      fields_.push_back({{names_.data() + begin, name.size()}, {value.data(), value.size()}});
    }
  }
  HeadFields(const HeadFields&) = delete;
  HeadFields& operator=(const HeadFields&) = delete;

  const tkm_field* data() const { return fields_.data(); }
  size_t size() const { return fields_.size(); }

 private:
  std::string names_;
  std::vector<tkm_field> fields_;
};

}  // namespace tokometer
