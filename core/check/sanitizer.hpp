// Is this program built with a sanitizer? Its runtime allocates, makes system calls and changes signals of
// its own, so a few tests cannot tell what the plugin did.
#pragma once

namespace tokometer::check {

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
inline constexpr bool kIsSanitized = true;
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif
#else
inline constexpr bool kIsSanitized = false;
#endif

}  // namespace tokometer::check
