#include "check/fixtures.hpp"

#include <tokometer/json.hpp>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/file.hpp"
#include "check/finding.hpp"
#include "check/player.hpp"

namespace tokometer::check {
namespace {

namespace fs = std::filesystem;
using tkm::Json;

constexpr size_t kMaxFileBytes = size_t{64} << 20U;
constexpr std::string_view kEnd = ".events.json";

std::string text_member(const Json& object, std::string_view key) {
  return std::string(tkm::get_string(object, key));
}

Result<tkm::JsonDocument> read_json(const fs::path& path) {
  const auto text = read_file(path, kMaxFileBytes);
  if (!text) return text.errors();
  tkm::JsonDocument root;
  size_t at = 0;
  if (!tkm::parse_json(*text, root, &at))
    return Error{"not valid JSON (byte " + std::to_string(at) + ")", path.string()};
  if (!root.IsObject()) return Error{"must be a JSON object", path.string()};
  return root;
}

Response read_response(const Json& about) {
  Response it;
  it.is_stream = tkm::get_bool(about, "stream");
  it.choices = static_cast<uint32_t>(std::clamp<int64_t>(tkm::get_int(about, "choices", 1), 1, 1'000'000));
  it.inputs = static_cast<uint32_t>(std::clamp<int64_t>(tkm::get_int(about, "inputs", 0), 0, 10'000));
  it.model = text_member(about, "model");
  it.adapter = text_member(about, "adapter");
  it.status = static_cast<int32_t>(tkm::get_int(about, "status", 200));
  it.grpc_status = static_cast<int32_t>(tkm::get_int(about, "grpc_status", -1));
  it.has_clean_end = tkm::get_bool(about, "clean_end", true);
  const std::string type = text_member(about, "content_type");
  if (!type.empty()) it.headers.emplace_back("content-type", type);
  if (const Json* headers = tkm::find(about, "headers"); headers != nullptr && headers->IsObject()) {
    for (const auto& field : headers->GetObject()) {
      it.headers.emplace_back(tkm::text_of(field.name), tkm::text_of(field.value));
    }
  }
  return it;
}

// gRPC: "messages" gives the size of each.
bool read_messages(const Json& about, Response& it) {
  const Json* sizes = tkm::find(about, "messages");
  if (sizes == nullptr || !sizes->IsArray()) return true;
  size_t end = 0;
  for (const Json& size : sizes->GetArray()) {
    end += static_cast<size_t>(std::max<int64_t>(tkm::int_of(size).value_or(0), 0));
    it.message_ends.push_back(end);
  }
  return end == it.body.size();
}

Result<Fixture> read_fixture(const fs::path& path) {
  auto root = read_json(path);
  if (!root) return root.errors();
  const Json* about = tkm::find(*root, "response");
  const Json* events = tkm::find(*root, "events");
  if (about == nullptr || !about->IsObject())
    return Error{"\"response\" is missing: an object", path.string()};
  if (events == nullptr || !events->IsArray()) return Error{"\"events\" is missing: a list", path.string()};
  Fixture it;
  it.name = path.filename().string();
  it.name.resize(it.name.size() - kEnd.size());
  it.component = text_member(*about, "component");
  it.response = read_response(*about);
  const auto body = read_file(path.parent_path() / (it.name + ".body"), kMaxFileBytes);
  if (!body) return body.errors();
  it.response.body = *body;
  if (!read_messages(*about, it.response)) {
    return Error{"\"messages\" must add up to the size of " + it.name + ".body", path.string()};
  }
  for (const Json& event : events->GetArray()) {
    if (!event.IsArray()) return Error{"each event must be a list, such as [\"done\"]", path.string()};
    it.expected += event_line(event);
  }
  return it;
}

Result<std::map<std::string, Setup>> read_setup(const fs::path& path) {
  auto root = read_json(path);
  if (!root) return root.errors();
  std::map<std::string, Setup> all;
  for (const auto& member : std::as_const(*root).GetObject()) {
    Setup& setup = all[std::string(tkm::text_of(member.name))];
    if (const Json* options = tkm::find(member.value, "options")) {
      tkm::JsonWriter(setup.options_json).value(*options);
    }
    const Json* learned = tkm::find(member.value, "learn");
    if (learned == nullptr || !learned->IsArray()) continue;
    for (const Json& answer : learned->GetArray()) {
      Learned one{
          text_member(answer, "probe"), static_cast<int32_t>(tkm::get_int(answer, "status", 200)), {}};
      const Json* body = tkm::find(answer, "body");
      if (body != nullptr && body->IsString()) one.body = tkm::text_of(*body);
      if (body != nullptr && !body->IsString()) tkm::JsonWriter(one.body).value(*body);
      setup.learned.push_back(std::move(one));
    }
  }
  return all;
}

}  // namespace

Result<Fixtures> read_fixtures(const std::string& folder) {
  Fixtures all{fs::absolute(folder).string(), {}, {}};
  std::error_code failure;
  std::vector<fs::path> paths;
  for (auto entry = fs::directory_iterator(folder, failure); !failure && entry != fs::directory_iterator();
       entry.increment(failure)) {
    if (entry->path().string().ends_with(kEnd)) paths.push_back(entry->path());
  }
  if (failure) return Error{"cannot be read: " + failure.message(), folder};
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    auto fixture = read_fixture(path);
    if (!fixture) return fixture.errors();
    all.responses.push_back(std::move(*fixture));
  }
  const fs::path setup = fs::path(all.folder) / "setup.json";
  if (!fs::exists(setup, failure)) return all;
  auto read = read_setup(setup);
  if (!read) return read.errors();
  all.setup = std::move(*read);
  return all;
}

}  // namespace tokometer::check
