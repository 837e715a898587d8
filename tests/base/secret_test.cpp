#include "base/secret.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

namespace tokometer {
namespace {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(!Printable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<std::string, Secret>);

}  // namespace

TEST_CASE("secrets are masked in every form in which they come back") {
  Redactor redactor;
  redactor.add(Secret("s3cret/key+\"quoted\""));
  redactor.add(Secret("other-canary"));
  const auto redact = [&](const std::string& text) { return redactor.redact(text); };

  CHECK(redact("Bearer s3cret/key+\"quoted\"!") == "Bearer ***!");
  CHECK(redact(R"({"error":"bad key s3cret/key+\"quoted\""})") == R"({"error":"bad key ***"})");
  CHECK(redact("?key=s3cret%2Fkey%2B%22quoted%22&x=1") == "?key=***&x=1");
  CHECK(redact("?key=s3cret%2fkey%2b%22quoted%22") == "?key=***");
  CHECK(redact("other-canary other-canary") == "*** ***");
  CHECK(redact("nothing here") == "nothing here");
  CHECK(redact("").empty());
}

TEST_CASE("secrets are masked inside Base64, whatever stands before them") {
  Redactor redactor;
  redactor.add(Secret("canary-secret"));
  // base64 of "canary-secret", "u:canary-secret", "us:canary-secret", "usr:canary-secret"
  for (const char* text : {"Y2FuYXJ5LXNlY3JldA==", "dTpjYW5hcnktc2VjcmV0",
                           "dXM6Y2FuYXJ5LXNlY3JldA==", "dXNyOmNhbmFyeS1zZWNyZXQ="}) {
    const std::string redacted = redactor.redact(std::string("Basic ") + text);
    CAPTURE(redacted);
    CHECK(redacted.find("***") != std::string::npos);
    // What is left names the user at most: no run of 6 characters of the encoded secret.
    CHECK(redacted.size() <= std::string("Basic dXNy***xx==").size());
  }
}

TEST_CASE("one secret inside another, and secrets too short to be told from text") {
  Redactor redactor;
  redactor.add(Secret("abcd"));
  redactor.add(Secret("abcdefgh"));
  redactor.add(Secret("xyz"));
  redactor.add(Secret(""));
  CHECK(redactor.redact("abcdefgh abcd xyz") == "*** *** xyz");
  CHECK(Redactor().empty());
  CHECK_FALSE(redactor.empty());
}

TEST_CASE("names that mean a secret") {
  for (const char* name : {"Authorization", "Proxy-Authorization", "X-API-Key", "api_key", "apikey",
                           "HF_TOKEN", "X-Auth-Token", "token", "client_secret", "password", "Cookie",
                           "Set-Cookie", "aws-access-key", "privateKey", "DB_PASSWD", "credentials"}) {
    CAPTURE(name);
    CHECK(is_secret_name(name));
  }
  for (const char* name :
       {"max_tokens", "input_tokens", "token_ids", "first_token", "stop_token", "eos-token", "Content-Type",
        "X-Team", "key", "cache_salt", "", "time_per_token"}) {
    CAPTURE(name);
    CHECK_FALSE(is_secret_name(name));
  }
}

}  // namespace tokometer
