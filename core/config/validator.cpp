#include "config/validator.hpp"

#include <algorithm>
#include <exception>

// Without exceptions valijson ends the process where a schema is malformed. With them it wants RapidJSON's
// assertions for itself; RapidJSON is included already, so its code stays the same as in every other file.
#define VALIJSON_USE_EXCEPTIONS 1
#undef RAPIDJSON_ASSERT
#include <valijson/adapters/rapidjson_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace tokometer {
namespace {

// valijson writes a place as "<root>", "[key]", "[0]".
Validator::Pointer pointer_of(const std::vector<std::string>& context) {
  Validator::Pointer pointer;
  for (size_t i = 1; i < context.size(); ++i) {
    pointer.push_back(context[i].substr(1, context[i].size() - 2));
  }
  return pointer;
}

}  // namespace

struct Validator::Compiled {
  valijson::Schema schema;
};

Validator::Validator(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Validator::Validator(Validator&&) noexcept = default;
Validator& Validator::operator=(Validator&&) noexcept = default;
Validator::~Validator() = default;

Result<Validator> Validator::compile(const tkm::Json& schema) {
  auto compiled = std::make_unique<Compiled>();
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    const valijson::adapters::RapidJsonAdapter adapter(schema);
    parser.populateSchema(adapter, compiled->schema);
  } catch (const std::exception& fault) {
    return Error{std::string("not a valid JSON Schema: ") + fault.what()};
  }
  return Validator(std::move(compiled));
}

std::vector<Validator::Pointer> Validator::faulty_places(const tkm::Json& value) const {
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  valijson::ValidationResults results;
  const valijson::adapters::RapidJsonAdapter adapter(value);
  validator.validate(compiled_->schema, adapter, &results);
  std::vector<Pointer> all;
  for (const auto& error : results) all.push_back(pointer_of(error.context));
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

}  // namespace tokometer
