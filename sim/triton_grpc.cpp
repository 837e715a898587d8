#include "sim/triton_grpc.hpp"

#include <algorithm>
#include <cstring>
#include <tokometer/json.hpp>
#include <vector>

#include "base/text.hpp"
#include "sim/protobuf.hpp"
#include "sim/triton.hpp"

namespace tokometer::sim {
namespace {

constexpr size_t kPrefixBytes = 5;
constexpr std::string_view kHead = "content-type: application/grpc\r\n";

// "100%" must not look like an escape; a control character must not end the line.
std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    const bool is_plain = letter >= ' ' && letter <= '~' && letter != '%';
    char escaped[4] = {letter};
    if (!is_plain) std::snprintf(escaped, sizeof escaped, "%%%02X", static_cast<unsigned char>(letter));
    out += escaped;
  }
  return out;
}

std::string status_fields(int code, std::string_view message) {
  std::string fields = "grpc-status: " + std::to_string(code) + "\r\n";
  if (!message.empty()) fields += "grpc-message: " + percent_encoded(message) + "\r\n";
  return fields;
}

uint64_t little_endian(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i > 0; --i) number = number << 8u | static_cast<unsigned char>(bytes[i - 1]);
  return number;
}

struct Input {
  std::string_view name, datatype;
  std::vector<uint64_t> shape;
};

Input read_input(std::string_view message) {
  Input input;
  ProtobufReader reader(message);
  while (reader.next()) {
    if (reader.field() == 1) input.name = reader.text();
    if (reader.field() == 2) input.datatype = reader.text();
    if (reader.field() != 3) continue;
    if (reader.text().empty()) input.shape.push_back(reader.number());
    std::string_view packed = reader.text();
    for (; !packed.empty(); packed.remove_prefix(1))
      input.shape.push_back(static_cast<unsigned char>(packed[0]));
  }
  return input;
}

// One entry of raw_input_contents as JSON. False: it has another size than its datatype.
bool write_raw(const Input& input, std::string_view raw, tkm::JsonWriter& json) {
  if (input.datatype == "BYTES") {
    const bool is_one = raw.size() >= 4 && little_endian(raw.substr(0, 4)) == raw.size() - 4;
    if (is_one) json.value(raw.substr(4));
    return is_one;
  }
  if (input.datatype == "BOOL") {
    if (raw.size() == 1) json.value(raw[0] != 0);
    return raw.size() == 1;
  }
  const bool is_wide = input.datatype.ends_with("64");
  if (raw.size() != (is_wide ? 8U : 4U)) return false;
  const uint64_t number = little_endian(raw);
  if (input.datatype == "FP32") {
    const auto bits = static_cast<uint32_t>(number);
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    json.value(static_cast<double>(value));
  } else if (input.datatype == "INT32") {
    json.value(static_cast<int64_t>(static_cast<int32_t>(number)));
  } else {
    json.value(number);
  }
  return true;
}

struct InferRequest {
  std::string_view model;
  std::vector<Input> inputs;
  std::vector<std::string_view> raw;
};

// parameters: map<string, InferParameter>
void read_parameter(std::string_view entry, GrpcCall& call) {
  std::string_view key, value;
  ProtobufReader reader(entry);
  while (reader.next()) (reader.field() == 1 ? key : value) = reader.text();
  ProtobufReader parameter(value);
  if (key == "triton_enable_empty_final_response" && parameter.next() && parameter.field() == 1)
    call.wants_empty_final = parameter.number() != 0;
}

bool read_infer_request(std::string_view message, InferRequest& out, GrpcCall& call) {
  ProtobufReader reader(message);
  while (reader.next()) {
    if (reader.field() == 1) out.model = reader.text();
    if (reader.field() == 3) call.id = reader.text();
    if (reader.field() == 4) read_parameter(reader.text(), call);
    if (reader.field() == 5) out.inputs.push_back(read_input(reader.text()));
    if (reader.field() == 7) out.raw.push_back(reader.text());
  }
  return !reader.is_broken();
}

// What Triton checks of an input by the model's configuration; empty: it is right.
std::string input_fault(const Input& input, const Options& options, const std::string& id) {
  const auto all = triton_tensors(options).inputs;
  const auto known =
      std::find_if(all.begin(), all.end(), [&](const TritonTensor& one) { return input.name == one.name; });
  const std::string name = "'" + escape_terminal(input.name) + "'", model = "'" + options.model + "'";
  if (known == all.end()) return "unexpected inference input " + name + " for model " + model;
  const std::string begin = "[request id: " + escape_terminal(id.empty() ? "<id_unknown>" : id) + "] ";
  if (input.datatype != known->datatype) {
    return begin + "inference input " + name + " data-type is '" + escape_terminal(input.datatype) +
           "', but model " + model + " expects '" + known->datatype + "'";
  }
  if (static_cast<int>(input.shape.size()) == known->dimensions) return {};
  return begin + "unexpected shape for input " + name + " for model " + model;
}

}  // namespace

bool is_grpc(const Request& request) {
  return request.field("content-type").starts_with("application/grpc");
}

bool read_grpc_message(std::string_view body, std::string_view& message) {
  if (body.size() < kPrefixBytes || body[0] != 0) return false;
  uint64_t size = 0;
  for (size_t i = 1; i < kPrefixBytes; ++i) size = size << 8u | static_cast<unsigned char>(body[i]);
  message = body.substr(kPrefixBytes);
  return message.size() == size;
}

std::string grpc_message(std::string_view message) {
  std::string out(1, '\0');
  for (unsigned shift = 32; shift > 0;) out += static_cast<char>(message.size() >> (shift -= 8));
  return out.append(message);
}

std::string grpc_reply(std::string_view framed, bool has_trailers) {
  ChunkBuffer chunk;
  chunk.begin();
  chunk.text().append(framed);
  std::string reply = response_head(200, std::string(kHead) + "transfer-encoding: chunked\r\n");
  reply.append(chunk.end());
  return reply.append(has_trailers ? grpc_trailers(0) : std::string(kLastChunk));
}

std::string grpc_trailers(int code, std::string_view message) {
  return "0\r\n" + status_fields(code, message) + "\r\n";
}

std::string grpc_refusal(int code, std::string_view message) {
  return response_head(200, std::string(kHead) + "content-length: 0\r\n" + status_fields(code, message));
}

std::string grpc_bad_message(FaultKind kind) {
  std::string framed = grpc_message("\xff\xff\xff");
  if (kind == FaultKind::compressed) framed[0] = 1;
  if (kind == FaultKind::huge_message) framed[1] = 4;  // times 16 MiB
  if (kind == FaultKind::cut_message) framed.pop_back();
  ChunkBuffer chunk;
  chunk.begin();
  chunk.text().append(framed);
  return std::string(chunk.end());
}

std::variant<Request, ErrorReply> read_triton_call(const Request& request, std::string_view message,
                                                   const Options& options, GrpcCall& call) {
  InferRequest infer;
  if (!read_infer_request(message, infer, call)) return ErrorReply{400, "no ModelInferRequest", "", ""};
  const std::string model(infer.model);
  if (model != options.model)
    return ErrorReply{404, "Request for unknown model: '" + escape_terminal(model) + "' is not found", "",
                      ""};
  Request out = request;
  out.grpc = call;
  out.target = "/v2/models/" + model + "/generate_stream";
  out.body.clear();
  tkm::JsonWriter json(out.body);
  json.begin_object();
  for (size_t i = 0; i < infer.inputs.size(); ++i) {
    const Input& input = infer.inputs[i];
    if (std::string fault = input_fault(input, options, call.id); !fault.empty())
      return ErrorReply{400, std::move(fault), "", ""};
    json.key(input.name);
    if (i >= infer.raw.size() || !write_raw(input, infer.raw[i], json))
      return ErrorReply{400, "unable to find data for input tensor '" + std::string(input.name) + "'", "",
                        ""};
  }
  json.end_object();
  return out;
}

std::string triton_grpc_error(const GrpcCall& call, std::string_view message) {
  std::string response, out;
  put_text(response, 3, call.id);
  put_text(out, 1, message);
  put_text(out, 2, response);
  return out;
}

}  // namespace tokometer::sim
