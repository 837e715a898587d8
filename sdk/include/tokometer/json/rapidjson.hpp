// RapidJSON with the vector instructions that every CPU of the target has. Each header that needs RapidJSON
// includes this one first, so that all of a program sees the same library.
#pragma once

#if defined(__SSE2__) && !defined(RAPIDJSON_SSE2) && !defined(RAPIDJSON_SSE42)
#define RAPIDJSON_SSE2
#elif defined(__ARM_NEON) && !defined(RAPIDJSON_NEON)
#define RAPIDJSON_NEON
#endif

#include <rapidjson/document.h>
#include <rapidjson/reader.h>
