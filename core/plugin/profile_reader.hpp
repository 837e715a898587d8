// Reads one object of a profile key by key, collecting faults (plugin bugs) and the keys that nobody asked
// for. Used by profile.cpp only; refers to the document and the findings while it lives.
#pragma once

#include <tokometer/json.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace tokometer {

struct ProfileFindings {
  std::vector<Error> faults;
  std::vector<std::string> warnings;

  void fault(const std::string& path, const std::string& sentence);
  void fault(const std::string& path, const std::string& rule, const tkm::Json& got);
};

class ProfileReader {
 public:
  // A value that is no object is a fault; then every getter finds nothing.
  ProfileReader(ProfileFindings& findings, const tkm::Json& object, std::string path);
  // Warns of the keys that were never asked for.
  ~ProfileReader();
  ProfileReader(const ProfileReader&) = delete;
  ProfileReader& operator=(const ProfileReader&) = delete;

  // Missing, or of another type (which is a fault): nothing.
  const tkm::Json* get(std::string_view key);
  std::optional<std::string> text(std::string_view key);
  std::optional<bool> flag(std::string_view key);
  std::optional<double> number(std::string_view key);
  std::optional<int> whole(std::string_view key, int least, int most);
  std::vector<std::string> texts(std::string_view key);
  std::vector<std::pair<std::string, std::string>> text_members(std::string_view key);

  using Visit = std::function<void(const tkm::Json& value, const std::string& name, const std::string& path)>;
  void each(std::string_view key, const Visit& visit);         // items of a list; name: the index
  void each_member(std::string_view key, const Visit& visit);  // members of an object

  // About the value of `key`; nothing where there is no object, which is a fault by itself.
  void fault(std::string_view key, const std::string& sentence);
  void fault(std::string_view key, const std::string& rule, const tkm::Json& got);
  std::string path_of(std::string_view key) const;
  ProfileFindings& findings() { return findings_; }

 private:
  const tkm::Json* get_if(std::string_view key, bool (*is_right)(const tkm::Json&), const char* rule);

  ProfileFindings& findings_;
  const tkm::Json& object_;
  std::string path_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace tokometer
