#include "engine/server_actions.hpp"

#include <string>
#include <utility>

#include "base/text.hpp"
#include "engine/server_probe.hpp"
#include "plugin/probe.hpp"

namespace tokometer {
namespace {

// All probes of an action, in order, each to be answered as it says.
Result<void> act(const RunFile& file, const Preflight& found, const TargetServer& server,
                 const std::vector<Probe>& probes, const FillValues& values) {
  for (const Probe& probe : probes) {
    auto answer = ask_server(file, found, server, probe, values);
    auto done = answer ? check_answer(probe, answer->status, answer->body) : Result<void>(answer.errors());
    if (!done && !probe.optional) return done;
  }
  return {};
}

Error about(const char* key, const Preflight& found, const TargetServer& server, const std::string& what,
            const Error& why) {
  const std::string where = found.servers.size() > 1 ? server.url.text() + ": " : "";
  return Error{std::string(key) + ": " + where + what + why.message};
}

constexpr const char* kLoadAdapters = "target.prepare.load_adapters";
constexpr const char* kProfile = "target.prepare.profile";

std::string named(const std::string& adapter) {
  return "adapter \"" + escape_terminal(adapter, 100) + "\": ";
}

}  // namespace

Result<void> check_actions(const RunFile& file, const Profile& profile) {
  const auto unable = [&](const char* key) {
    return Error{std::string(key) + ": the processor \"" + file.processor.use + "\" knows no way to do it"};
  };
  if (file.target.load_adapters && (profile.load_adapter.empty() || profile.unload_adapter.empty()))
    return unable(kLoadAdapters);
  if (file.target.profile && (profile.start_profile.empty() || profile.stop_profile.empty()))
    return unable(kProfile);
  return {};
}

Result<void> load_adapters(const RunFile& file, Preflight& found) {
  if (!file.target.load_adapters) return {};
  for (size_t at = 0; at < found.servers.size(); ++at) {
    for (const RunFile::Adapter& adapter : file.model.adapters) {
      if (adapter.path.empty()) continue;
      const FillValues values{found.model, adapter.name, adapter.path, {}};
      const auto done = act(file, found, found.servers[at], found.profile.load_adapter, values);
      if (!done) return about(kLoadAdapters, found, found.servers[at], named(adapter.name), done.error());
      found.loaded.push_back({at, adapter.name});
    }
  }
  return {};
}

Result<void> start_profiler(const RunFile& file, Preflight& found) {
  if (!file.target.profile) return {};
  for (const TargetServer& server : found.servers) {
    const auto done = act(file, found, server, found.profile.start_profile, {found.model, {}, {}, {}});
    if (!done) return about(kProfile, found, server, "", done.error());
    ++found.profiled;
  }
  return {};
}

std::vector<Error> put_back(const RunFile& file, const Preflight& found) {
  std::vector<Error> failed;
  for (size_t at = 0; at < found.profiled; ++at) {
    const TargetServer& server = found.servers[at];
    const auto done = act(file, found, server, found.profile.stop_profile, {found.model, {}, {}, {}});
    if (!done) failed.push_back(about(kProfile, found, server, "not stopped: ", done.error()));
  }
  for (const Preflight::Loaded& it : found.loaded) {
    const TargetServer& server = found.servers[it.server];
    const auto done =
        act(file, found, server, found.profile.unload_adapter, {found.model, it.adapter, {}, {}});
    if (!done)
      failed.push_back(
          about(kLoadAdapters, found, server, named(it.adapter) + "not unloaded: ", done.error()));
  }
  return failed;
}

std::vector<Error> put_back(const Plan& plan, const std::vector<Preflight>& found) {
  std::vector<Error> failed;
  for (size_t i = 0; i < found.size(); ++i) {
    for (Error& error : put_back(plan.workloads[i].file, found[i])) failed.push_back(std::move(error));
  }
  return failed;
}

}  // namespace tokometer
