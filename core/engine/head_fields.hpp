// The fields of a response's head as the plugin ABI has them: names in lower case, whatever the peer wrote.
// Made for reuse: a warm one allocates nothing. Values are views into what was assigned last.
#pragma once

#include <tokometer/abi.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "net/ascii.hpp"

namespace tokometer {

class HeadFields {
 public:
  // Any range of pairs of texts.
  template <class Fields>
  void assign(const Fields& fields) {
    names_.clear();
    fields_.clear();
    size_t bytes = 0;
    for (const auto& [name, value] : fields) bytes += name.size();
    names_.reserve(bytes);  // the views below stay valid
    fields_.reserve(fields.size());
    for (const auto& [name, value] : fields) {
      const size_t begin = names_.size();
      names_.resize(begin + name.size());
      std::transform(name.begin(), name.end(), names_.begin() + static_cast<ptrdiff_t>(begin),
                     [](char letter) { return ascii_lower(letter); });
      fields_.push_back({{names_.data() + begin, name.size()}, {value.data(), value.size()}});
    }
  }

  const tkm_field* data() const { return fields_.data(); }
  size_t size() const { return fields_.size(); }

 private:
  std::string names_;
  std::vector<tkm_field> fields_;
};

}  // namespace tokometer
