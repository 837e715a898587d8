# Writes OUT, a C++ file that holds the bytes of IN. Hex keeps every byte as it is, whatever the text contains.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
string(REGEX REPLACE "(('.x[0-9a-f][0-9a-f]',)('.x[0-9a-f][0-9a-f]',)('.x[0-9a-f][0-9a-f]',)('.x[0-9a-f][0-9a-f]',)('.x[0-9a-f][0-9a-f]',)('.x[0-9a-f][0-9a-f]',)('.x[0-9a-f][0-9a-f]',)('.x[0-9a-f][0-9a-f]',))" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "#include <string_view>
namespace tokometer::embedded {
extern const std::string_view ${SYMBOL};
namespace {
constexpr char bytes[] = {${bytes}'\\0'};
}
const std::string_view ${SYMBOL}{bytes, sizeof bytes - 1};
}
")
