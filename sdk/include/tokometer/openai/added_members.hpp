// What the run file adds to a request's body, `sampling` and `extra`: neither may say what the processor says
// itself, nor both the same. Checked once as long as the texts stay the same. One a processor instance.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tkm {

namespace request_detail {

// The member names of a JSON object that comes with every prompt and hardly ever changes.
class MemberNames {
 public:
  // `what` names it in the error for text that is no JSON object.
  const std::vector<std::string>& of(std::string_view json, std::string_view what) {
    if (json == json_) return names_;
    names_.clear();
    json_.clear();
    JsonDocument root;
    if (!json.empty() && !(parse_json(json, root) && root.IsObject())) {
      throw input_error(std::string(what) + " is no JSON object: " + std::string(json.substr(0, 100)));
    }
    if (!json.empty()) {
      for (const auto& member : std::as_const(root).GetObject()) names_.emplace_back(text_of(member.name));
    }
    json_ = json;
    return names_;
  }

 private:
  std::string json_;
  std::vector<std::string> names_;
};

inline bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

inline std::string_view text_of_part(const tkm_part& part) {
  if (part.kind != TKM_PART_TEXT) throw unsupported("this processor sends text, no images, audio or video");
  return view(part.data);
}

}  // namespace request_detail

class AddedMembers {
 public:
  // `is_taken`: a name that the processor says itself. `is_sampling`: a name that `sampling` may have. Throws
  // Error.
  template <class IsTaken, class IsSampling>
  void check(const tkm_prompt& prompt, const IsTaken& is_taken, const IsSampling& is_sampling) {
    const auto& sampling = sampling_.of(view(prompt.sampling), "sampling");
    for (const std::string& name : sampling) {
      if (is_taken(name)) throw taken(name, "sampling");
      if (!is_sampling(name)) {
        throw unsupported("sampling \"" + name +
                          "\" is not of OpenAI's API: if the server takes it, put it in extra");
      }
    }
    for (const std::string& name : extra_.of(view(prompt.extra), "extra")) {
      if (is_taken(name)) throw taken(name, "extra");
      if (std::find(sampling.begin(), sampling.end(), name) != sampling.end()) {
        throw input_error("extra sets \"" + name + "\", which sampling sets already");
      }
    }
  }

 private:
  static Error taken(const std::string& name, std::string_view where) {
    return input_error(std::string(where) + " sets \"" + name +
                       "\", which the processor sets itself: use its option or the request's own keys");
  }

  request_detail::MemberNames sampling_, extra_;
};

}  // namespace tkm
