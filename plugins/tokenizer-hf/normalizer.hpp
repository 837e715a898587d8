// The section `normalizer`: what is done to a text before anything else. Immutable once made; one thread at a
// time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "part.hpp"

namespace tokenizer_hf {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(std::string& text) const = 0;
};

// Throws where a type is not known.
std::unique_ptr<Normalizer> read_normalizer(const Part& json);

}  // namespace tokenizer_hf
