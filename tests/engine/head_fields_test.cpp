// What the ABI promises of a head: names in lower case, whatever the peer wrote.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/head_fields.hpp"

using namespace tokometer;

TEST_CASE("names are lower case, values are as they came") {
  const std::vector<std::pair<std::string, std::string>> given{
      {"Content-Type", "Text/Event-Stream"}, {"x-request-id", "A"}, {"ETAG", ""}};
  HeadFields fields;
  fields.assign(std::vector<std::pair<std::string, std::string>>(40, {"Before", "it"}));
  fields.assign(given);
  REQUIRE(fields.size() == 3);
  const auto text = [](tkm_str it) { return std::string(it.data, it.size); };
  CHECK(text(fields.data()[0].name) == "content-type");
  CHECK(text(fields.data()[0].value) == "Text/Event-Stream");
  CHECK(text(fields.data()[1].name) == "x-request-id");
  CHECK(text(fields.data()[2].name) == "etag");
  CHECK(text(fields.data()[2].value).empty());
  fields.assign(std::vector<std::pair<std::string, std::string>>{});
  CHECK(fields.size() == 0);
}
