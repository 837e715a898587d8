// Every refusal of a run file, with its exact message: the cases are data (bad_run_files.txt).
#include <doctest/doctest.h>

#include <fstream>

#include "golden_cases.hpp"

namespace tokometer::testing {

TEST_CASE("bad run files get the message beside them") {
  std::ifstream file(std::string(TOKOMETER_TEST_DIR) + "/bad_run_files.txt");
  const std::vector<GoldenCase> cases = parse_cases(file);
  REQUIRE(cases.size() >= 80);
  for (const GoldenCase& bad : cases) {
    CAPTURE(bad.title);
    CHECK(messages(read(bad.input)) == bad.expected);
  }
}

}  // namespace tokometer::testing
