#include "plugin/describe.hpp"

#include <tokometer/json.hpp>

#include "fixtures.hpp"

namespace tokometer {
namespace {

using fixtures::component, fixtures::good;

TEST_CASE("the table of a component's options") {
  CHECK(render_component_table(component(good("plain-cpp"), TKM_KIND_PROCESSOR)) ==
        "plain-cpp: processor, module plain-cpp 0.4.0\n"
        "Echoes the prompt\n"
        "File: " +
            good("plain-cpp").string() +
            "\n"
            "Capabilities: proto.http reply.stream\n"
            "\n"
            "OPTION       TYPE                                             DEFAULT   HELP\n"
            "api          one of chat, completions                         required  Which API to speak\n"
            "timeout      duration                                         30s       How long to wait\n"
            "retry        object                                           -\n"
            "retry.times  integer, >= 0                                    2         Tries after the first\n"
            "retry.old    boolean                                          -         (deprecated)\n"
            "length       integer or object, >= 1, <= 10000000             -\n"
            "length.mean  number                                           -\n"
            "files        list of string, length >= 2, at least 1 of them  [\"a b\"]\n"
            "key          secret                                           -\n");
  CHECK(render_component_table(component(good("plain-c"), TKM_KIND_DATASET)) ==
        "plain-c/words: dataset, module plain-c 1.2.3\n"
        "Two words and a bad record\n"
        "File: " +
            good("plain-c").string() +
            "\n"
            "Capabilities: com.acme.later\n"
            "\n"
            "No options.\n");
}

TEST_CASE("the skeleton of a run file's section") {
  CHECK(render_component_yaml(component(good("plain-cpp"), TKM_KIND_PROCESSOR)) ==
        "# plain-cpp: processor, module plain-cpp 0.4.0\n"
        "# Echoes the prompt\n"
        "processor:\n"
        "  use: plain-cpp\n"
        "  options:\n"
        "    api: ...   # required: Which API to speak (one of chat, completions)\n"
        "    # timeout: 30s   # How long to wait (duration)\n"
        "    # retry:   # object\n"
        "    #   times: 2   # Tries after the first (integer, >= 0)\n"
        "    #   old: ...   # boolean\n"
        "    # length: 512   # integer or object, >= 1, <= 10000000\n"
        "    # files: [\"a b\"]   # list of string, length >= 2, at least 1 of them\n"
        "    # key: \"${API_KEY}\"   # secret\n");
  CHECK(render_component_yaml(component(good("plain-c"), TKM_KIND_PATTERN)) ==
        "# plain-c/ticks: load pattern, module plain-c 1.2.3\n"
        "# Three requests, 1 us apart\n"
        "load:\n"
        "  use: plain-c/ticks\n");
}

TEST_CASE("the same as JSON") {
  const Component& echo = component(good("plain-cpp"), TKM_KIND_PROCESSOR);
  tkm::JsonDocument json;
  REQUIRE(tkm::parse_json(render_component_json(echo), json));
  CHECK(tkm::get_string(json, "name") == "plain-cpp");
  CHECK(tkm::get_string(json, "kind") == "processor");
  CHECK(tkm::get_string(json, "version") == "0.4.0");
  CHECK(tkm::get_string(json, "path") == echo.path);
  CHECK(tkm::get_string(json, "sha256") == echo.sha256);
  CHECK(tkm::find(json, "capabilities")->Size() == 2);
  CHECK(tkm::find(*tkm::find(json, "options"), "properties")->MemberCount() == 6);
}

TEST_CASE("the list of modules") {
  const SearchPath path{{{"/opt/p", "--plugin-dir"}, {"/usr/lib/p", "installation"}}, false};
  ModuleInfo used{"vllm", "/opt/p/vllm.so", "--plugin-dir", {1, 0, 0, 3, "vllm", "0.2.0", ""}, "", ""};
  ModuleInfo shadowed = used;
  shadowed.path = "/usr/lib/p/vllm.so";
  shadowed.shadowed_by = "/opt/p/vllm.so";
  ModuleInfo broken{"x", "/opt/p/x.so", "--plugin-dir", {}, "", "not a shared object for this machine"};
  CHECK(render_plugin_list({used, shadowed, broken}, path) ==
        "MODULE  VERSION  ABI          FILE\n"
        "vllm    0.2.0    1.0 draft 3  /opt/p/vllm.so\n"
        "vllm    0.2.0    1.0 draft 3  /usr/lib/p/vllm.so  shadowed by /opt/p/vllm.so\n"
        "x       -        -            /opt/p/x.so         cannot be loaded: not a shared object for this "
        "machine\n"
        "\n"
        "Searched, first wins:\n"
        "  /opt/p  (--plugin-dir)\n"
        "  /usr/lib/p  (installation)\n");
  CHECK(render_plugin_list({}, {{}, true}) ==
        "No plugins found.\n\nSearched, first wins (without owner checks: --trust-plugin-dir):\n");
}

}  // namespace
}  // namespace tokometer
