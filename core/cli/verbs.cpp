#include "cli/verbs.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr size_t kNameColumn = 36;

constexpr std::array kVerbs{
    VerbInfo{Verb::run, "run", "FILE...|PRESET|-",
             "run a benchmark, print its report, write its run directory",
             "Several files are merged: maps merge, lists replace; then --set and its like, in order. A "
             "PRESET is a run file\n"
             "that comes with the program (tokometer init --list) and needs --url.\n"
             "A run file with \"matrix\" or \"repeat\" makes many runs; --resume DIR runs what is missing of "
             "them.\n"
             "Ctrl-C once: no new requests, drain, report. Twice: cancel what is in flight, report. Three "
             "times: leave at once.\n"
             "Exit codes: 0 finished, 2 refused, 3 server not ready, 4 a gate failed, 5 INVALID, 6 files "
             "incomplete,\n"
             "130 stopped by Ctrl-C (129 HUP, 143 TERM).",
             "tokometer run quickstart.yaml\n"
             "tokometer run base.yaml h100.yaml --set load.options.rate=20 --set phases.main.duration=60s\n"
             "tokometer run chat --url http://localhost:8000 --model meta-llama/Llama-3.1-8B-Instruct\n"
             "tokometer run sweep --url http://localhost:8000\n"
             "tokometer run grid.yaml --resume runs/grid-20261122T043601Z-3f9c1a\n"
             "tokometer render old.yaml | tokometer run -"},
    VerbInfo{Verb::validate, "validate", "FILE...|PRESET|-",
             "check a run file and its plugins' options; opens no socket",
             "All faults are shown at once, as file:line:column. Exit code 2 if there are any.",
             "tokometer validate run.yaml\ntokometer validate run.yaml --set load.options.rate=fast"},
    VerbInfo{Verb::render, "render", "FILE...|DIR",
             "print the resolved run file: every default, secrets masked",
             "For a run directory, what that run was made of; of a sweep the points that were chosen, as a "
             "list. The "
             "output can\nbe run.",
             "tokometer render run.yaml\ntokometer render runs/chat-20261122T043601Z-3f9c1a > again.yaml"},
    VerbInfo{Verb::plan, "plan", "FILE...|PRESET|-",
             "dry run: phases, requests, first arrivals, limits, plan hash; opens no socket",
             "Equal plan hashes mean equal load, whatever the server.", "tokometer plan run.yaml"},
    VerbInfo{Verb::probe, "probe", "FILE|URL",
             "reach the server once: version, models, metrics page, one timed request",
             "With a URL, the processor is guessed: from the server's metrics page, or by who gets an answer "
             "over gRPC.\n"
             "Exit code 3 if the server is not ready.",
             "tokometer probe http://localhost:8000\ntokometer probe grpc://localhost:8001\ntokometer probe "
             "run.yaml --set target.wait_ready=60s"},
    VerbInfo{Verb::report, "report", "DIR",
             "rebuild summary and console from the records; exits as the run did", "",
             "tokometer report runs/chat-20261122T043601Z-3f9c1a\n"
             "tokometer report runs/chat-20261122T043601Z-3f9c1a --style vllm-bench\n"
             "tokometer report runs/sweep-20261122T043601Z-3f9c1a --point constant@4.77"},
    VerbInfo{Verb::verify, "verify", "DIR", "check a run's records: damage, gaps, and the law of counts",
             "Exit code 6 if a line is damaged or missing, or if the counts do not add up.",
             "tokometer verify runs/chat-20261122T043601Z-3f9c1a"},
    VerbInfo{
        Verb::selftest, "selftest", "",
        "measure this host: what can a client on it be trusted to measure? under 30 s",
        "Runs the real engine against the simulator on 127.0.0.1 for a few seconds at a time: as fast as it "
        "goes,\n"
        "then an open loop and many streams at half of that (at a quarter if the client had doubts at "
        "half).\n"
        "Believe other runs on this host up to the rates of its last line. Stop other work first: it counts, "
        "too.\n"
        "Nothing is kept; scratch files lie in $TMPDIR or /tmp meanwhile. Ctrl-C leaves without a result.",
        "tokometer selftest\ntokometer selftest --json > this-host.json"},
    VerbInfo{
        Verb::init, "init", "[PRESET]", "write a commented run file to start from",
        "Without PRESET: chat. With --url, the server is probed and its processor and model are filled in.",
        "tokometer init --list\n"
        "tokometer init chat --url http://localhost:8000 -o chat.yaml"},
    VerbInfo{Verb::schema, "schema", "[run|sim|summary|records]",
             "print the JSON Schema of run files, or of the simulator's options",
             "summary: of summary.json; records: of a line of records.jsonl. --with adds the options of "
             "plugins to the\n"
             "schema of run files, for editors.",
             "tokometer schema > run.schema.json\ntokometer schema --with vllm,poisson\n"
             "tokometer schema summary > summary.schema.json"},
    VerbInfo{Verb::plugin_list, "plugin list", "",
             "all plugin files: version, ABI, path, what shadows or breaks them", "",
             "tokometer plugin list\ntokometer plugin list --plugin-dir ./my-plugins --json"},
    VerbInfo{Verb::plugin_describe, "plugin describe", "NAME",
             "a component and its options: type, default, help",
             "NAME is a component (poisson), module/component (standard/poisson), a module (standard), or a "
             "path of a .so.",
             "tokometer plugin describe vllm\ntokometer plugin describe poisson --yaml"},
    VerbInfo{
        Verb::plugin_check, "plugin check", "FILE",
        "test a plugin against the rules of the ABI; needs no server",
        "FILE is the path of a .so. Each test runs in a process of its own with a time limit, and says in a "
        "sentence why\n"
        "it failed and how to run it alone. Exit codes: 0 none failed, 2 FILE cannot be loaded, 4 a test "
        "failed or crashed.",
        "tokometer plugin check ./my-backend.so\n"
        "tokometer plugin check ./my-backend.so --fixtures fixtures --json\n"
        "tokometer plugin check ./my-backend.so --only '^responses' --in-process"},
    VerbInfo{Verb::plugin_doctor, "plugin doctor", "[NAME|FILE]",
             "where plugins are looked for, and why a file there is or is not loaded",
             "Each file is loaded in a process of its own. Exit code 2 if one of them cannot be loaded.",
             "tokometer plugin doctor\ntokometer plugin doctor my-backend\ntokometer plugin doctor "
             "./build/my-backend.so"},
    VerbInfo{Verb::version, "version", "", "print version, plugin ABI and build id", "", "tokometer version"},
};

constexpr VerbInfo kHelp{Verb::help,          "help", "[VERB]", "this text, or the help of a verb", "",
                         "tokometer help run"};

std::string line_of(const VerbInfo& verb) {
  std::string line = "  " + std::string(verb.name) + " " + std::string(verb.arguments);
  line.resize(std::max(line.size() + 1, kNameColumn), ' ');
  return line + std::string(verb.summary) + "\n";
}

// "plugin list" -> "plugin"; empty for a verb of one word.
std::string_view group_of(const VerbInfo& verb) {
  const size_t blank = verb.name.find(' ');
  return blank == std::string_view::npos ? std::string_view() : verb.name.substr(0, blank);
}

}  // namespace

std::span<const VerbInfo> verbs() {
  return kVerbs;
}

const VerbInfo& info_of(Verb verb) {
  const auto found =
      std::find_if(kVerbs.begin(), kVerbs.end(), [&](const VerbInfo& v) { return v.verb == verb; });
  return found == kVerbs.end() ? kHelp : *found;
}

std::string overview() {
  std::string text =
      "tokometer measures LLM inference servers: request processors, datasets and load patterns are "
      "plugins.\n\n"
      "Usage: tokometer VERB [ARGUMENTS] [FLAGS]\n\n";
  for (const VerbInfo& verb : kVerbs) text += line_of(verb);
  return text + line_of(kHelp) +
         "\nStart here:\n"
         "  tokometer probe http://localhost:8000                   is the server there, and what is it?\n"
         "  tokometer run chat --url http://localhost:8000          a first run, from a preset\n"
         "  tokometer init chat --url http://localhost:8000 -o chat.yaml   the same as a file, to change\n"
         "\nEach verb explains itself: tokometer VERB --help. Results go to stdout, logs to stderr.\n";
}

std::string group_overview(std::string_view group) {
  std::string text = "Usage: tokometer " + std::string(group) + " VERB [ARGUMENTS] [FLAGS]\n\n";
  for (const VerbInfo& verb : kVerbs) {
    if (group_of(verb) == group) text += line_of(verb);
  }
  return text;
}

std::string unknown_verb(std::string_view group, std::string_view word) {
  std::vector<std::string> names{group.empty() ? "help" : "list"};
  for (const VerbInfo& verb : kVerbs) {
    if (group.empty()) {
      names.emplace_back(group_of(verb).empty() ? verb.name : group_of(verb));
    } else if (group_of(verb) == group) {
      names.emplace_back(verb.name.substr(group.size() + 1));
    }
  }
  const std::string place = group.empty() ? "tokometer" : "tokometer " + std::string(group);
  const std::string shown = "\"" + escape_terminal(word, 60) + "\"";
  const auto near = nearest_name(word, names);
  return "unknown verb " + shown + (near ? "; did you mean \"" + *near + "\"?" : ";") + " `" + place +
         " --help` lists all verbs";
}

}  // namespace tokometer
