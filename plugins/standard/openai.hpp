// The processor `openai`: any server with OpenAI's API, standard fields only. module.cpp lists it.
#pragma once

#include <tokometer/abi.h>

namespace standard {

const tkm_component* openai_processor();  // static, made at the first call

}  // namespace standard
