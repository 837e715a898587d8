// What a test is about: a plugin file, or one component of it that is loaded in this process, with options
// that create() takes and what its author recorded. Made by suite.cpp in the process that runs the test.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "check/finding.hpp"
#include "check/fixtures.hpp"
#include "plugin/component.hpp"
#include "plugin/library.hpp"

namespace tokometer::check {

struct Subject {
  std::string path;  // of the .so
  Trust trust = Trust::check;
  const Component* component = nullptr;  // null in tests of the module: they load it themselves
  std::string options_json = {};         // canonical
  std::string sample_json = {};          // the same as a run file would say it
  std::vector<Learned> learned = {};     // answers for a processor, in order
  std::vector<const Fixture*> responses = {};
};

struct Test {
  std::string_view id;        // "module.one-symbol"
  std::string_view sentence;  // what holds if it passes
  Finding (*run)(const Subject&);
};

// One table a group, in its own file. Those of the module run before anything is loaded.
std::span<const Test> module_tests();
std::span<const Test> component_tests();  // of every component, whatever its kind
std::span<const Test> processor_tests();
std::span<const Test> wish_tests();  // of processors, too
std::span<const Test> response_tests();
std::span<const Test> dataset_tests();
std::span<const Test> pattern_tests();
std::span<const Test> tokenizer_tests();

}  // namespace tokometer::check
