#include "cli/options.hpp"

#include <algorithm>
#include <sstream>

#include <CLI/CLI.hpp>

#include "base/text.hpp"

namespace tokometer {
namespace {

using Arguments = std::vector<std::string>;

// A flag that may be given several times, its callback called in the order of the command line.
void add_each(CLI::App& app, const std::string& names, const std::string& help, const std::string& value,
              const std::function<void(const std::string&)>& take) {
  app.add_option_function<std::string>(names, take, help)->trigger_on_parse()->type_name(value);
}

void add_plugin_flags(CLI::App& app, CommandLine& line) {
  add_each(app, "--plugin-dir", "look for plugins here first; may be given several times", "DIR",
           [&line](const std::string& dir) { line.plugins.plugin_dirs.push_back(dir); });
  app.add_flag("--trust-plugin-dir", line.plugins.trust, "load plugins that others could have changed, too");
}

void add_set(CLI::App& app, CommandLine& line, const std::string& flag, SetOption::Kind kind,
             const std::string& help) {
  add_each(app, flag, help, kind == SetOption::Kind::file ? "KEY=PATH" : "KEY=VALUE",
           [&line, kind](const std::string& text) {
             line.sets.push_back({kind, text});
           });
}

void add_run_file_flags(CLI::App& app, CommandLine& line) {
  add_set(app, line, "--set", SetOption::Kind::yaml, "put a value over the run file's: load.options.rate=8");
  add_set(app, line, "--set-string", SetOption::Kind::text, "the same, the value is text as it stands");
  add_set(app, line, "--set-file", SetOption::Kind::file, "the same, the value is the text of a file");
  add_each(app, "--url", "the server; short for --set-string target.url=URL", "URL",
           [&line](const std::string& url) {
             line.url = url;
             line.sets.push_back({SetOption::Kind::text, "target.url=" + url});
           });
  add_each(app, "--model", "short for --set-string model.name=NAME", "NAME",
           [&line](const std::string& name) {
             line.sets.push_back({SetOption::Kind::text, "model.name=" + name});
           });
  add_plugin_flags(app, line);
}

void add_report_flags(CLI::App& app, CommandLine& line) {
  std::string names;
  for (const std::string& name : style_names()) names += (names.empty() ? "" : ", ") + name;
  app.add_option_function<std::string>(
         "--style",
         [&line, names](const std::string& name) {
           line.style = style_from_name(name);
           if (!line.style)
             throw CLI::ValidationError("--style: must be one of " + names + " (got \"" +
                                        escape_terminal(name, 60) + "\")");
         },
         "how the report looks: " + names)
      ->type_name("STYLE");
  app.add_flag("--strict", line.strict, "a SUSPECT run counts as INVALID (exit code 5)");
}

void add_json_flag(CLI::App& app, CommandLine& line) {
  app.add_flag("--json", line.json, "print JSON");
}

constexpr int kManyInputs = 1000;

// How many words may follow the verb; several files are merged.
size_t most_inputs(Verb verb) {
  const bool merges =
      verb == Verb::run || verb == Verb::validate || verb == Verb::render || verb == Verb::plan;
  return merges ? size_t{kManyInputs} : 1;
}

// The arguments and flags of one verb.
void add_verb(CLI::App& app, CommandLine& line) {
  const auto inputs = [&](int least, const char* name) {
    app.add_option("inputs", line.inputs, "")
        ->expected(least, kManyInputs)
        ->required(least > 0)
        ->type_name(name)
        ->group("");
  };
  switch (line.verb) {
    case Verb::run:
      inputs(1, "FILE");
      add_run_file_flags(app, line);
      app.add_option("--resume", line.resume,
                     "of a matrix or of repeats: run what is missing in this directory")
          ->type_name("DIR");
      return add_report_flags(app, line);
    case Verb::validate:
    case Verb::render:
    case Verb::plan:
      inputs(1, "FILE");
      return add_run_file_flags(app, line);
    case Verb::probe:
      inputs(1, "FILE|URL");
      add_run_file_flags(app, line);
      return add_json_flag(app, line);
    case Verb::report:
      inputs(1, "DIR");
      app.add_option("--point", line.point, "of a sweep or of several phases: only this one, in full")
          ->type_name("NAME");
      return add_report_flags(app, line);
    case Verb::verify:
      inputs(1, "DIR");
      return add_json_flag(app, line);
    case Verb::schema:
      inputs(0, "NAME");
      app.add_option("--with", line.with, "add the options of these plugins")
          ->delimiter(',')
          ->type_name("NAME,...");
      return add_plugin_flags(app, line);
    case Verb::init:
      inputs(0, "PRESET");
      app.add_option("--url", line.url, "the server: probed, its processor and model are filled in")
          ->type_name("URL");
      app.add_option("-o,--output", line.output, "write this file, never over an existing one")
          ->type_name("FILE");
      app.add_flag("--list", line.list, "list the presets");
      add_plugin_flags(app, line);
      return add_json_flag(app, line);
    case Verb::plugin_describe:
      inputs(1, "NAME");
      app.add_flag("--yaml", line.yaml, "print a skeleton for a run file");
      add_plugin_flags(app, line);
      return add_json_flag(app, line);
    case Verb::plugin_check:
      inputs(1, "FILE");
      app.add_option("--only", line.only, "run the tests whose id this regular expression finds")
          ->type_name("RE");
      app.add_option("--fixtures", line.fixtures, "recorded responses and setup.json of the plugin's author")
          ->type_name("DIR");
      app.add_flag("--in-process", line.in_process, "run the tests in this process, for a debugger");
      app.add_flag("--trust-plugin-dir", line.plugins.trust,
                   "load a file that others could have changed, too");
      return add_json_flag(app, line);
    case Verb::plugin_doctor:
      inputs(0, "NAME|FILE");
      add_plugin_flags(app, line);
      return add_json_flag(app, line);
    case Verb::selftest:
      return add_json_flag(app, line);
    case Verb::plugin_list:
      add_plugin_flags(app, line);
      return add_json_flag(app, line);
    case Verb::help:
    case Verb::version:
      return;
  }
}

void add_common_flags(CLI::App& app, CommandLine& line) {
  app.set_help_flag("-h,--help", "this text");
  app.add_flag("-q,--quiet", line.quiet, "no progress and no warnings");
  app.add_flag("-v,--verbose", line.verbosity, "more log lines; twice: all of them");
}

std::string help_of(CLI::App& app, const VerbInfo& verb) {
  std::string text = "Usage: tokometer " + std::string(verb.name) + " ";
  if (!verb.arguments.empty()) text += std::string(verb.arguments) + " ";
  text += "[FLAGS]\n\n" + std::string(verb.summary) + "\n";
  if (!verb.details.empty()) text += "\n" + std::string(verb.details) + "\n";
  text += "\nFlags:\n";
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    std::string flag = "  " + option->get_name(false, true);
    if (option->get_type_size() > 0) flag += " " + option->get_type_name();
    flag.resize(std::max<size_t>(flag.size() + 1, 30), ' ');
    text += flag + option->get_description() + "\n";
  }
  text += "\nExamples:\n";
  std::istringstream examples{std::string(verb.examples)};
  for (std::string example; std::getline(examples, example);) text += "  " + example + "\n";
  return text;
}

std::vector<std::string> flag_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string in_quotes(std::string_view text) {
  return "\"" + escape_terminal(text, 60) + "\"";
}

// What CLI11 could not place: an unknown flag, or one argument too many.
std::string misplaced(const CLI::App& app, const std::string& word, const std::string& hint) {
  if (!word.starts_with("-") || word == "-") return "unexpected argument " + in_quotes(word) + "; " + hint;
  const std::string flag = word.substr(0, word.find('='));
  const auto near = nearest_name(flag, flag_names(app));
  return "unknown flag " + in_quotes(flag) + (near ? "; did you mean \"" + *near + "\"? " : "; ") + hint;
}

// Only what our own calls of CLI11 can throw.
Error fault_of(const CLI::ParseError& error, const VerbInfo& verb, const std::string& hint) {
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return Error{std::string(verb.name) + ": " + std::string(verb.arguments) + " is missing; " + hint};
  }
  if (dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) return Error{error.what()};
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const std::string_view what = error.what();  // "--set: 1 required KEY=VALUE missing"
    return Error{std::string(what.substr(0, what.find(':'))) + ": its value is missing; " + hint};
  }
  return Error{escape_terminal(error.what()) + "; " + hint};
}

// Takes the verb off the front: one word, or two of a group.
Result<Verb> take_verb(Arguments& rest) {
  const std::string first = rest.front();
  std::string_view group;
  for (const VerbInfo& verb : verbs()) {
    if (verb.name == first) return rest.erase(rest.begin()), verb.verb;
    if (verb.name.starts_with(first + " ")) group = first;
  }
  if (group.empty()) {
    if (first.starts_with("-")) return Error{"flags come after the verb: tokometer VERB " + in_quotes(first)};
    return Error{unknown_verb("", first)};
  }
  const std::string second = rest.size() > 1 ? rest[1] : "";
  for (const VerbInfo& verb : verbs()) {
    if (verb.name != first + " " + second) continue;
    rest.erase(rest.begin(), rest.begin() + 2);
    return verb.verb;
  }
  if (second.empty()) return Error{"a verb is missing: `tokometer " + first + " --help` lists them"};
  return Error{unknown_verb(group, second)};
}

CommandLine help_line(std::string text) {
  CommandLine line;
  line.help = std::move(text);
  return line;
}

// As a shell would take it: quotes where they are needed.
std::string shell_text(const Arguments& arguments) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-";
  std::string text = "tokometer";
  for (std::string argument : arguments) {
    if (argument.empty() || argument.find_first_not_of(kPlain) != std::string::npos) {
      for (size_t at = 0; (at = argument.find('\'', at)) != std::string::npos; at += 4)
        argument.replace(at, 1, "'\\''");
      argument = "'" + argument + "'";
    }
    text += " " + argument;
  }
  return text;
}

Result<CommandLine> parse_verb(CommandLine line, Arguments rest) {
  const VerbInfo& verb = info_of(line.verb);
  const std::string hint = "see `tokometer " + std::string(verb.name) + " --help`";
  CLI::App app;
  app.allow_extras();
  add_verb(app, line);
  add_common_flags(app, line);
  try {
    std::reverse(rest.begin(), rest.end());  // CLI11 takes them from the back
    app.parse(std::move(rest));
  } catch (const CLI::CallForHelp&) {
    return help_line(help_of(app, verb));
  } catch (const CLI::ParseError& error) {
    const Arguments unknown = app.remaining();
    if (!unknown.empty()) return Error{misplaced(app, unknown.front(), hint)};
    return fault_of(error, verb, hint);
  }
  const Arguments unknown = app.remaining();
  if (!unknown.empty()) return Error{misplaced(app, unknown.front(), hint)};
  const size_t most = most_inputs(line.verb);
  if (line.inputs.size() > most) return Error{misplaced(app, line.inputs[most], hint)};
  return line;
}

bool is_help(const std::string& word) {
  return word == "--help" || word == "-h" || word == "help";
}

}  // namespace

Result<CommandLine> parse_command_line(const Arguments& arguments) {
  Arguments rest = arguments;
  if (rest.size() > 1 && is_help(rest.front())) {  // `help run` is `run --help`
    rest.erase(rest.begin());
    rest.emplace_back("--help");
  }
  if (rest.empty())
    return Error{"a verb is missing, such as `tokometer run FILE`; `tokometer --help` lists them"};
  if (is_help(rest.front())) return help_line(overview());
  if (rest.front() == "--version" || rest.front() == "-V") rest.front() = "version";
  const bool asks_group = rest.size() == 2 && is_help(rest[1]);
  if (asks_group && rest.front() == "plugin") return help_line(group_overview("plugin"));
  auto verb = take_verb(rest);
  if (!verb) return verb.errors();
  CommandLine line;
  line.verb = *verb;
  line.text = shell_text(arguments);
  return parse_verb(std::move(line), std::move(rest));
}

}  // namespace tokometer
