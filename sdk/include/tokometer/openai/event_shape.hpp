// The shape of a chunk, learned from one that was parsed in full. Chunks of the same kind differ in a few
// places only: the reply's id, when it was created, the choice's index or the event's number, the text, the
// token counts of the last one, and padding that is new each time and says nothing. If all other bytes equal
// those of the learned chunk, so does the meaning, and no JSON parser is needed (some 50 ns a chunk in place
// of 1,000).
//
// Shapes belong to a processor instance (EventShapes): its streams learn from each other, so even the first
// chunks of a reply need no parser, and a stream keeps none of it.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/openai/json_scratch.hpp>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tkm {

// What a chunk with one choice said, or one with usage and no choice, if a shape can say the same again.
struct ChunkMeaning {
  bool is_plain = false;   // false: there was more in it
  bool has_usage = false;  // it said that and nothing else
  Usage usage = {};
  std::string_view quoted_key;  // static; of the one piece of text; empty: there was none
  int32_t channel = 0;          // of the text
  uint32_t choice = 0;
  std::string_view finish;  // the server's word for why the choice ended; empty: it goes on
};

// A number that stands for the id of a reply; 0: it has none.
inline uint64_t id_number(std::string_view id) {
  uint64_t hash = id.size(), word = 0;
  for (; !id.empty(); id.remove_prefix(std::min(id.size(), sizeof word))) {
    word = 0;
    std::memcpy(&word, id.data(), std::min(id.size(), sizeof word));
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29u;
  }
  return hash;
}

namespace shape_detail {

// Where the value of the only `"key":` in `chunk` begins; nothing if the key is there twice or not at all.
inline std::optional<size_t> value_at(std::string_view chunk, std::string_view quoted_key) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t key = chunk.find(quoted_key);
  if (key == chunk.npos || chunk.find(quoted_key, key + 1) != chunk.npos) return std::nullopt;
  const size_t before = chunk.find_last_not_of(kBlank, key == 0 ? 0 : key - 1);
  if (before == chunk.npos || (chunk[before] != '{' && chunk[before] != ',')) return std::nullopt;
  size_t at = chunk.find_first_not_of(kBlank, key + quoted_key.size());
  if (at == chunk.npos || chunk[at] != ':') return std::nullopt;
  at = chunk.find_first_not_of(kBlank, at + 1);
  return at == chunk.npos ? std::nullopt : std::optional(at);
}

// The inside of a string up to its closing quote, which is in `text`; nothing if it is not.
inline std::optional<std::string_view> string_inside(std::string_view text) {
  size_t at = json_detail::plain_prefix(text);
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return at < text.size() ? std::optional(text.substr(0, at)) : std::nullopt;
}

// How many digits begin `text`; 0 also for a number that JSON does not allow, with a leading zero.
inline size_t digits(std::string_view text) {
  size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  return count > 1 && text.front() == '0' ? 0 : count;
}

inline int64_t number(std::string_view digits) {
  int64_t value = 0;
  for (const char digit : digits) value = value * 10 + (digit - '0');
  return value;
}

}  // namespace shape_detail

class EventShape {
 public:
  struct Match {
    uint32_t choice = 0;
    uint64_t id = 0;           // id_number(); 0: it has none
    std::string_view escaped;  // the inside of the text's JSON string
    bool is_escaped = false;   // false: it is the text itself
    Usage usage = {};          // [has_usage()]
  };

  // False: this chunk has no shape that could be told for sure. `id` is the one that the parser found.
  bool learn(std::string_view chunk, const ChunkMeaning& meaning, std::string_view id) {
    channel_ = meaning.channel;
    choice_ = meaning.choice;
    has_text_ = !meaning.quoted_key.empty();
    finish_.assign(meaning.finish);
    has_usage_ = meaning.has_usage;
    usage_ = meaning.usage;
    std::array<Hole, kMostHoles> holes;
    size_t count = 0;
    const auto add = [&](const std::optional<Hole>& hole) {  // in the order of the bytes
      if (!hole) return false;
      size_t at = count++;
      for (; at > 0 && holes[at - 1].at > hole->at; --at) holes[at] = holes[at - 1];
      holes[at] = *hole;
      return true;
    };
    if (has_text_ && !add(string_hole(chunk, meaning.quoted_key, Part::text))) return false;
    if (!id.empty()) add(id_hole(chunk, id));
    add(index_hole(chunk));
    add(number_hole(chunk, "\"created\"", Part::other_number));
    add(number_hole(chunk, "\"sequence_number\"", Part::other_number));  // of /v1/responses, as item_id
    for (const std::string_view key :
         {"\"item_id\"", "\"obfuscation\"", "\"tkm\""}) {  // OpenAI's padding, the simulator's stamp
      add(string_hole(chunk, key, Part::noise));
    }
    if (has_usage_) {
      add(count_hole(chunk, "\"prompt_tokens\"", Part::prompt_tokens));
      add(count_hole(chunk, "\"cached_tokens\"", Part::cached_tokens));
      add(count_hole(chunk, "\"completion_tokens\"", Part::output_tokens));
      add(count_hole(chunk, "\"reasoning_tokens\"", Part::reasoning_tokens));
      add(number_hole(chunk, "\"total_tokens\"", Part::other_number));
    }
    return store(chunk, std::span(holes.data(), count));
  }

  std::optional<Match> match(std::string_view chunk) const {
    Match it;
    it.choice = choice_;
    it.usage = usage_;
    const char* fixed = bytes_.data();
    for (const Piece& piece : std::span(pieces_.data(), piece_count_)) {
      if (chunk.size() < piece.fixed || std::memcmp(chunk.data(), fixed, piece.fixed) != 0)
        return std::nullopt;
      fixed += piece.fixed;
      chunk.remove_prefix(piece.fixed);
      const size_t filled = fill(piece.then, chunk, it);
      if (filled == chunk.npos) return std::nullopt;
      chunk.remove_prefix(filled);
    }
    return it;
  }

  bool has_text() const { return has_text_; }
  bool has_usage() const { return has_usage_; }
  int32_t channel() const { return channel_; }
  const std::string& finish() const { return finish_; }

 private:
  enum class Part : uint8_t {
    text,
    id,
    index,
    noise,
    other_number,
    prompt_tokens,
    cached_tokens,
    output_tokens,
    reasoning_tokens,
    end
  };
  struct Hole {
    size_t at, size;
    Part part;
  };
  struct Piece {
    uint16_t fixed;  // so many bytes that must be equal ...
    Part then;       // ... and what follows them
  };
  static constexpr size_t kMostHoles = 12, kMostCountDigits = 9;

  static std::optional<Hole> string_hole(std::string_view chunk, std::string_view quoted_key, Part part) {
    const auto at = shape_detail::value_at(chunk, quoted_key);
    if (!at || chunk[*at] != '"') return std::nullopt;
    const auto inside = shape_detail::string_inside(chunk.substr(*at + 1));
    return inside ? std::optional(Hole{*at + 1, inside->size(), part}) : std::nullopt;
  }
  static std::optional<Hole> number_hole(std::string_view chunk, std::string_view quoted_key, Part part) {
    const auto at = shape_detail::value_at(chunk, quoted_key);
    const size_t size = at ? shape_detail::digits(chunk.substr(*at)) : 0;
    return size > 0 ? std::optional(Hole{*at, size, part}) : std::nullopt;
  }
  // The only "id", and the one that the parser took for the reply's.
  static std::optional<Hole> id_hole(std::string_view chunk, std::string_view id) {
    const auto hole = string_hole(chunk, "\"id\"", Part::id);
    return hole && chunk.substr(hole->at, hole->size) == id ? hole : std::nullopt;
  }
  std::optional<Hole> index_hole(std::string_view chunk) const {
    const auto hole = number_hole(chunk, "\"index\"", Part::index);
    return hole && chunk.substr(hole->at, hole->size) == std::to_string(choice_) ? hole : std::nullopt;
  }

  // The only one of its key, and the one that the parser took.
  std::optional<Hole> count_hole(std::string_view chunk, std::string_view quoted_key, Part part) const {
    const auto hole = number_hole(chunk, quoted_key, part);
    if (!hole || hole->size > kMostCountDigits) return std::nullopt;
    Usage usage = usage_;
    return shape_detail::number(chunk.substr(hole->at, hole->size)) == count_of(part, usage) ? hole
                                                                                             : std::nullopt;
  }

  static int64_t& count_of(Part part, Usage& usage) {
    switch (part) {
      case Part::prompt_tokens:
        return usage.prompt_tokens;
      case Part::cached_tokens:
        return usage.cached_tokens;
      case Part::output_tokens:
        return usage.output_tokens;
      default:
        return usage.reasoning_tokens;
    }
  }

  // Outside of the holes no escapes: keys stand there as they are.
  bool store(std::string_view chunk, std::span<const Hole> holes) {
    piece_count_ = 0;
    char* end = bytes_.data();
    size_t from = 0;
    const auto keep = [&](size_t to, Part then) {
      end = std::copy(chunk.data() + from, chunk.data() + to, end);
      pieces_[piece_count_++] = {static_cast<uint16_t>(to - from), then};
    };
    if (chunk.size() > bytes_.size()) return false;
    for (const Hole& hole : holes) {
      keep(hole.at, hole.part);
      from = hole.at + hole.size;
    }
    keep(chunk.size(), Part::end);
    return std::find(bytes_.data(), end, '\\') == end;
  }

  // How many bytes of `rest` fill the hole; npos: they do not.
  static size_t fill(Part part, std::string_view rest, Match& it) {
    switch (part) {
      case Part::text: {
        const size_t plain = json_detail::plain_prefix(rest);
        it.is_escaped = plain < rest.size() && rest[plain] != '"';
        const auto inside =
            it.is_escaped ? shape_detail::string_inside(rest) : std::optional(rest.substr(0, plain));
        if (!inside) return rest.npos;
        it.escaped = *inside;
        return inside->size();
      }
      case Part::id: {
        const size_t size = json_detail::plain_prefix(rest);
        it.id = id_number(rest.substr(0, size));
        return size;
      }
      case Part::noise:
        return json_detail::plain_prefix(rest);
      case Part::index: {
        const size_t size = shape_detail::digits(rest);
        if (size == 0 || size > 3) return rest.npos;  // 128 choices at most
        it.choice = 0;
        for (const char digit : rest.substr(0, size))
          it.choice = it.choice * 10 + static_cast<uint32_t>(digit - '0');
        return size;
      }
      case Part::other_number: {
        const size_t size = shape_detail::digits(rest);
        return size > 0 ? size : rest.npos;
      }
      case Part::prompt_tokens:
      case Part::cached_tokens:
      case Part::output_tokens:
      case Part::reasoning_tokens: {
        const size_t size = shape_detail::digits(rest);
        if (size == 0 || size > kMostCountDigits) return rest.npos;
        count_of(part, it.usage) = shape_detail::number(rest.substr(0, size));
        return size;
      }
      case Part::end:
        return rest.empty() ? 0 : rest.npos;
    }
    return rest.npos;
  }

  std::array<char, 512> bytes_;  // all fixed bytes, one after the other
  std::array<Piece, kMostHoles + 1> pieces_;
  size_t piece_count_ = 0;
  std::string finish_;
  int32_t channel_ = 0;
  uint32_t choice_ = 0;
  bool has_text_ = false;
  bool has_usage_ = false;
  Usage usage_;
};

// The shapes that the streams of one processor instance have seen lately.
class EventShapes {
 public:
  struct Found {
    const EventShape& shape;
    EventShape::Match match;
  };

  // Only shapes learned under the same `context`: what else than the bytes the meaning depends on.
  // `hint` (of the stream, 0 at first) is where the last one was found.
  std::optional<Found> find(std::string_view chunk, uint64_t context, uint8_t& hint) {
    if (auto found = try_at(hint, chunk, context)) return found;
    for (size_t at = 0; at < kept_.size(); ++at) {
      auto found = try_at(at, chunk, context);
      if (found) hint = static_cast<uint8_t>(at);
      if (found) return found;
    }
    return std::nullopt;
  }

  void learn(std::string_view chunk, const ChunkMeaning& meaning, std::string_view id, uint64_t context) {
    Kept& oldest = *std::min_element(kept_.begin(), kept_.end(),
                                     [](const Kept& a, const Kept& b) { return a.used < b.used; });
    const bool is_learned = oldest.shape.learn(chunk, meaning, id);
    oldest.context = is_learned ? context : kNoContext;
    oldest.used = is_learned ? ++now_ : 0;
  }

 private:
  struct Kept {
    EventShape shape;
    uint64_t context = kNoContext;
    uint64_t used = 0;
  };

  std::optional<Found> try_at(size_t at, std::string_view chunk, uint64_t context) {
    Kept& kept = kept_[at];
    if (kept.context != context) return std::nullopt;
    const auto match = kept.shape.match(chunk);
    if (!match) return std::nullopt;
    kept.used = ++now_;
    return Found{kept.shape, *match};
  }

  static constexpr size_t kMost = 24;
  static constexpr uint64_t kNoContext = UINT64_MAX;

  std::array<Kept, kMost> kept_;
  uint64_t now_ = 0;
};

}  // namespace tkm
