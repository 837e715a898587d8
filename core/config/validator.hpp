// valijson behind a small door: which places of a JSON value break a schema. It knows no sentences;
// schema.cpp writes them from the schema at that place. Used by schema.cpp alone.
#pragma once

#include <memory>
#include <string>
#include <tokometer/json.hpp>
#include <vector>

#include "base/error.hpp"

namespace tokometer {

class Validator {
 public:
  // Keys and indexes from the root to a place.
  using Pointer = std::vector<std::string>;

  // Fails for a schema that valijson cannot take. Annotations and formats are ignored.
  static Result<Validator> compile(const tkm::Json& schema);
  Validator(Validator&&) noexcept;
  Validator& operator=(Validator&&) noexcept;
  ~Validator();

  // Each faulty place once, from the root down. valijson repeats a fault at every level above it, so a place
  // may have no fault of its own.
  std::vector<Pointer> faulty_places(const tkm::Json& value) const;

 private:
  struct Compiled;
  explicit Validator(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace tokometer
