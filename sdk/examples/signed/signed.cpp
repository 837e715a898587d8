// OpenAI's chat API behind a gateway that wants each request signed: HMAC-SHA256 over what is sent, to whom
// and when. The capability auth.own lets a processor set `authorization`, and gives it the target's authority
// and the time: it has no clock.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <tokometer/openai.hpp>
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

std::string hex(const unsigned char* bytes, unsigned size) {
  std::string text(size_t{2} * size + 1, '\0');
  for (unsigned at = 0; at < size; ++at) std::snprintf(&text[size_t{2} * at], 3, "%02x", bytes[at]);
  text.pop_back();
  return text;
}

std::string sha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return hex(digest.data(), size);
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), code.data(), &size);
  return hex(code.data(), size);
}

struct Options {
  std::string key_id, secret;
  static void options(tkm::OptionSet<Options>& set) {
    set.add("key_id", &Options::key_id).required().not_empty().example(R"("team-7")").help("who signs");
    set.add("secret", &Options::secret)
        .required()
        .secret()
        .example(R"("${GATEWAY_SECRET}")")
        .help("what with");
  }
};

// No probes: the core asks them, and it cannot sign.
constexpr auto kProfile = R"({"profile":1,
"features":["proto.http","reply.whole","reply.stream","form.chat","route.model","auth.own"]})";

class Signed : public tkm::OpenAiProcessor {
 public:
  using Options = ::Options;
  static constexpr auto kId = "signed", kSummary = "OpenAI's chat API with signed requests";
  static constexpr std::array kCapabilities{"proto.http", "reply.whole", "reply.stream",
                                            "form.chat",  "route.model", "auth.own"};

  explicit Signed(const Options& options) : OpenAiProcessor({}), options_(options) {}
  std::string describe() const { return kProfile; }

  void encode(const tkm_prompt& prompt, tkm::RequestOut& out) {
    const std::string& body = request_.build(prompt);
    out.http("POST", request_.path());
    out.header("content-type", "application/json");
    out.header("accept", prompt.reply == TKM_REPLY_STREAM ? "text/event-stream" : "application/json");
    out.header("authorization", authorization(prompt, body));
    out.body(body);
  }

 private:
  std::string authorization(const tkm_prompt& prompt, const std::string& body) const {
    const std::string time = std::to_string(prompt.unix_time_s);
    const std::string what = "POST\n" + std::string(tkm::view(prompt.authority)) + "\n" +
                             std::string(request_.path()) + "\n" + time + "\n" + sha256(body);
    return "HMAC-SHA256 key=" + options_.key_id + ", time=" + time +
           ", signature=" + hmac_sha256(options_.secret, what);
  }

  Options options_;
  tkm::OpenAiRequest request_{tkm::OpenAiDialect{}};
};

}  // namespace

TKM_MODULE("signed", "0.1.0", "Apache-2.0", tkm::processor<Signed>());
