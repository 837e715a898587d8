// Options for a component that nobody configured: what its schema gives as defaults, and for what is required
// its examples; or those of an author's setup.json. Canonical, as create() expects them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "plugin/component.hpp"

namespace tokometer::check {

// `options_json`: a JSON object as a run file would give it. `folder`: where relative paths start.
Result<std::string> canonical_options(const Component& component, std::string_view options_json,
                                      const std::string& folder);

// A JSON object with all required options; an error names the one that has no default, example or enum.
Result<std::string> sample_options(const Component& component);

// For each example and default of each option: the sample with this one value in its place, as
// {"what", options JSON}.
struct Variant {
  std::string what;  // `option "rate", example 8`
  std::string options_json;
};
std::vector<Variant> option_variants(const Component& component);

// The names of the top-level options of this format ("path"), or of all for "".
std::vector<std::string> option_names(const Component& component, std::string_view format);

// `options_json` with `name` set to the JSON text `value`.
std::string with_option(std::string_view options_json, std::string_view name, std::string_view value);

}  // namespace tokometer::check
