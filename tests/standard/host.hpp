// The smallest host: calls the components of standard.so through the C ABI, as the program does, and keeps
// what they say. One test, one thread.
#pragma once

#include <doctest/doctest.h>
#include <tokometer/abi.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace host {

inline tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string copy(tkm_str text) {
  return {text.data, text.size};
}

inline const tkm_component& component(int32_t kind, std::string_view id) {
  const tkm_module* module = tkm_module_v1();
  for (size_t index = 0; index < module->component_count; ++index) {
    const tkm_component& it = *module->components[index];
    if (it.kind == kind && copy(it.id) == id) return it;
  }
  FAIL("no component " << id);
  std::abort();
}

struct Setup {
  std::string config = "{}";
  uint64_t seed = 1;
  uint32_t shard = 0, shard_count = 1;
  const tkm_calibration* calibration = nullptr;
  const tkm_host_tokenizer* tokenizer = nullptr;
};

// What `create` is given; outlives the handle.
class Host {
 public:
  explicit Host(Setup setup) : setup_(std::move(setup)) {}
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  tkm_create_args args() const {
    return {sizeof(tkm_create_args),
            setup_.shard,
            setup_.shard_count,
            0,
            &host_,
            str(setup_.config),
            nullptr,
            0,
            setup_.seed};
  }
  tkm_writer errors() {
    error_.clear();
    return {&error_,
            [](void* ctx, tkm_str bytes) { static_cast<std::string*>(ctx)->append(bytes.data, bytes.size); }};
  }
  const std::string& error() const { return error_; }
  const std::vector<std::string>& logged() const { return logged_; }

 private:
  static void log(const tkm_host* it, int32_t, tkm_str text) {
    static_cast<Host*>(it->ctx)->logged_.push_back(copy(text));
  }
  static const void* extension(const tkm_host* it, tkm_str id) {
    const Setup& setup = static_cast<Host*>(it->ctx)->setup_;
    if (copy(id) == "tkm.tokenizer/1") return setup.tokenizer;
    return copy(id) == "tkm.calibration/1" ? setup.calibration : nullptr;
  }

  Setup setup_;
  tkm_host host_{sizeof(tkm_host), 0, this, log, extension};
  std::string error_;
  std::vector<std::string> logged_;
};

class Pattern {
 public:
  Pattern(std::string_view id, Setup setup)
      : host_(std::move(setup)),
        ops_(static_cast<const tkm_pattern_ops*>(component(TKM_KIND_PATTERN, id).ops)) {
    const tkm_create_args args = host_.args();
    const tkm_writer err = host_.errors();
    status_ = ops_->create(&args, &err, &handle_);
  }
  ~Pattern() {
    if (handle_ != nullptr) ops_->destroy(handle_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  tkm_status status() const { return status_; }
  const std::string& error() const { return host_.error(); }

  tkm_load_step next(int64_t now_ns = 0, uint32_t active = 0, uint64_t ended = 0) {
    const tkm_load_state state{sizeof(tkm_load_state), active, active, 0, now_ns, -1,
                               active + ended,         ended,  0};
    return next(state);
  }
  tkm_load_step next(const tkm_load_state& state) {
    tkm_load_step step{sizeof(tkm_load_step), 0, 0, 0, 0};
    const tkm_writer err = host_.errors();
    REQUIRE(ops_->next(handle_, &state, &step, &err) == TKM_OK);
    return step;
  }

 private:
  Host host_;
  const tkm_pattern_ops* ops_;
  tkm_pattern* handle_ = nullptr;
  tkm_status status_;
};

struct Message {
  std::string role, extra;
  std::vector<std::pair<int32_t, std::string>> parts;  // kind, data
};

// Everything that one next() said.
struct Sample {
  tkm_status status = TKM_OK;
  std::string error;
  std::string text, answer;
  std::vector<int32_t> tokens;
  std::vector<Message> messages;
  int64_t prompt_tokens = -1, output_tokens = -1;
  int32_t output_mode = -1;
  int64_t arrival_ns = -1;
  std::vector<int64_t> arrivals;  // each time one was said
};

inline tkm_sample_out sink(Sample& sample) {
  tkm_sample_out out{};
  out.struct_size = sizeof out;
  out.ctx = &sample;
  out.message = [](void* ctx, tkm_str role, tkm_str extra) {
    static_cast<Sample*>(ctx)->messages.push_back({copy(role), copy(extra), {}});
  };
  out.part = [](void* ctx, const tkm_part* part) {
    static_cast<Sample*>(ctx)->messages.back().parts.emplace_back(part->kind, copy(part->data));
  };
  out.text = [](void* ctx, tkm_str text) { static_cast<Sample*>(ctx)->text = copy(text); };
  out.tokens = [](void* ctx, const int32_t* ids, size_t count) {
    static_cast<Sample*>(ctx)->tokens.assign(ids, ids + count);
  };
  out.lengths = [](void* ctx, int64_t prompt, int64_t output, int32_t mode) {
    auto& it = *static_cast<Sample*>(ctx);
    it.prompt_tokens = prompt, it.output_tokens = output, it.output_mode = mode;
  };
  out.arrival = [](void* ctx, int64_t ns) {
    static_cast<Sample*>(ctx)->arrival_ns = ns;
    static_cast<Sample*>(ctx)->arrivals.push_back(ns);
  };
  out.answer = [](void* ctx, tkm_str text) { static_cast<Sample*>(ctx)->answer = copy(text); };
  return out;
}

class Dataset {
 public:
  Dataset(std::string_view id, Setup setup)
      : host_(std::move(setup)),
        ops_(static_cast<const tkm_dataset_ops*>(component(TKM_KIND_DATASET, id).ops)) {
    const tkm_create_args args = host_.args();
    const tkm_writer err = host_.errors();
    status_ = ops_->create(&args, &err, &handle_);
  }
  ~Dataset() {
    if (handle_ != nullptr) ops_->destroy(handle_);
  }
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  tkm_status status() const { return status_; }
  const std::string& error() const { return host_.error(); }
  const std::vector<std::string>& logged() const { return host_.logged(); }
  int64_t size() { return ops_->size(handle_); }

  Sample next() {
    REQUIRE(status_ == TKM_OK);
    Sample sample;
    const tkm_sample_out out = sink(sample);
    const tkm_writer err = host_.errors();
    sample.status = ops_->next(handle_, &out, &err);
    sample.error = host_.error();
    return sample;
  }
  // Up to the end, bad records included; END stays END.
  std::vector<Sample> all() {
    std::vector<Sample> samples;
    for (Sample sample = next(); sample.status != TKM_END; sample = next()) {
      samples.push_back(sample);
      REQUIRE(samples.size() < 100'000);
    }
    CHECK(next().status == TKM_END);
    CHECK(next().status == TKM_END);
    return samples;
  }

 private:
  Host host_;
  const tkm_dataset_ops* ops_;
  tkm_dataset* handle_ = nullptr;
  tkm_status status_;
};

// A folder of the test's own, removed with everything in it.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tokometer-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path(std::string_view name) const { return (path_ / name).string(); }
  // Writes a file and says its path.
  std::string write(std::string_view name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

// How many words a text has.
inline int64_t words_in(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const char letter : text) {
    const bool blank = letter == ' ' || letter == '\n';
    words += !blank && !inside ? 1 : 0;
    inside = !blank;
  }
  return words;
}

// {"file": path, more}, with `more` as it is.
inline Setup reading(const std::string& path, std::string_view more = "") {
  return {.config = R"({"file":")" + path + "\"" + std::string(more) + "}"};
}

}  // namespace host
