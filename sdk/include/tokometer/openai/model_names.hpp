// Which models a server has, from /v1/models: tells whether a reply came from the model that was asked for.
// Servers answer with another name than the asked one where a model has aliases (vLLM: same root) or where
// any name is taken.
#pragma once

#include <tokometer/json.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tkm {

class ModelNames {
 public:
  // From the body of /v1/models. What is no such list leaves nothing known.
  void learn(std::string_view body) {
    JsonDocument root;
    names_.clear();
    if (!parse_json(body, root)) return;
    const Json* list = find(root, "data");
    if (list == nullptr || !list->IsArray()) return;
    for (const Json& model : list->GetArray()) {
      const std::string_view id = get_string(model, "id");
      names_.push_back({std::string(id), std::string(get_string(model, "root", id))});
    }
  }

  // True where nothing is known against it.
  bool may_answer(std::string_view asked, std::string_view answered) const {
    if (names_.empty() || answered == asked) return true;
    if (answered.starts_with(asked) && answered.substr(asked.size()).starts_with('-'))
      return true;  // name-2026-01-31
    const Model* to = model(answered);
    const Model* from = model(asked);
    return to != nullptr && (from == nullptr || from->root == to->root);
  }

 private:
  struct Model {
    std::string id, root;
  };

  const Model* model(std::string_view id) const {
    const auto found =
        std::find_if(names_.begin(), names_.end(), [&](const Model& it) { return it.id == id; });
    return found == names_.end() ? nullptr : &*found;
  }

  std::vector<Model> names_;
};

}  // namespace tkm
