// The limits of the checks V1 to V17 (docs/methodology.md, "The run verdict"), all of them, here and nowhere
// else.
#pragma once

#include <cstdint>

namespace tokometer::limits {

constexpr double kMs = 1e6, kSecond = 1e9;  // ns

// V3 size
constexpr double kShortestWindowNs = 3 * kSecond, kWindowPerE2e = 10;
constexpr double kMlperfWindowNs = 600 * kSecond;
// V4 schedule lag p99, less policy holds and connecting: the larger of the two
constexpr double kLagNs = 1 * kMs, kLagPerInterArrival = 0.02, kLagInvalidFactor = 10;
constexpr double kClosedLagNs = 10 * kMs;  // of a closed loop at most, however long its cycle
// V5 load held
constexpr double kOpenOffSuspect = 0.005, kOpenOffInvalid = 0.02, kOpenOffRequests = 1;
constexpr double kUsersSuspect = 0.95, kUsersInvalid = 0.80;
// V6 client lag p99: the larger of the two
constexpr double kClientLagNs = 1 * kMs, kClientLagPerItl = 0.05;
constexpr double kUserStampLagNs = 5 * kMs, kUserStampLagPerItl = 0.25;
// V7 token events in flagged reads whose ambiguity is the client's: the larger of the two
constexpr double kAmbiguityNs = 0.1 * kMs, kAmbiguityPerItl = 0.05;
constexpr double kFlaggedSuspect = 0.001, kFlaggedInvalid = 0.01;
// V8 client CPU
constexpr double kCpuSuspect = 0.80, kCpuInvalid = 0.95, kStallNs = 50 * kMs;
// V9 host
constexpr double kHostSuspect = 0.02, kHostInvalid = 0.10;
// V10 steady state
constexpr double kSteadyWindowNs = 10 * kSecond;
// V11 tokens
constexpr double kSourcesDiffer = 0.01, kShortOutput = 0.01;
// V12 errors; INVALID at the run file's error_budget
constexpr double kErrorsSuspect = 0.001;
// V13 clocks
constexpr double kUserStampReads = 0.01;
constexpr double kSuspendedNs = 1 * kMs;  // differences of two clock readings, not a suspension, below this
// V14 same target
constexpr double kWrongModelInvalid = 0.01;
// V15 load shape
constexpr double kHeldSuspect = 0.01;
// V16 records
constexpr double kBacklogSuspect = 0.5;
// V17 cold prompts
constexpr double kCachedSuspect = 0.01;

}  // namespace tokometer::limits
