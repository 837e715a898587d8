"""A small server that speaks Ollama's chat API, the Anthropic messages API and OpenAI's chat API, for the example backends.

Prints its URL; serves until it is killed. The messages API wants the key "key-of-the-example" as x-api-key; OpenAI's wants
requests signed with it.
"""
import hashlib
import hmac
import http.server
import json
import re
import time

KEY = "key-of-the-example"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, body, status=200, kind="application/json"):
        body = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def refused(self):
        if not self.path.startswith("/v1/") or self.headers["x-api-key"] == KEY:
            return False
        self.reply({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}, 401)
        return True

    def do_GET(self):
        pages = {"/api/version": {"version": "0.0.1"}, "/api/tags": {"models": [{"name": "tiny:latest"}]},
                 "/v1/models": {"data": [{"type": "model", "id": "tiny"}]}}
        if not self.refused():
            self.reply(pages.get(self.path, {"error": "not found"}), 200 if self.path in pages else 404)

    def is_signed(self, body):
        found = re.fullmatch("HMAC-SHA256 key=team-7, time=([0-9]+), signature=([0-9a-f]{64})", self.headers["authorization"] or "")
        if not found or abs(int(found[1]) - time.time()) > 600:
            return False
        what = f"POST\n{self.headers['host']}\n{self.path}\n{found[1]}\n{hashlib.sha256(body).hexdigest()}"
        return hmac.compare_digest(hmac.new(KEY.encode(), what.encode(), "sha256").hexdigest(), found[2])

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        asked = json.loads(body)
        if self.path == "/v1/chat/completions":
            if self.is_signed(body):
                self.reply("".join(self.chunks(asked["max_completion_tokens"])), kind="text/event-stream")
            else:
                self.reply({"error": {"message": "the signature is not right", "code": 401}}, 401)
            return
        if self.refused():
            return
        if self.path == "/api/chat":
            self.reply("".join(self.lines(asked["options"]["num_predict"])), kind="application/x-ndjson")
        elif self.headers["anthropic-version"] == "2023-06-01":
            self.reply("".join(self.events(asked["max_tokens"])), kind="text/event-stream")

    def lines(self, count):
        for n in range(count):
            yield json.dumps({"message": {"role": "assistant", "content": f" t{n}"}, "done": False}) + "\n"
        yield json.dumps({"done": True, "done_reason": "length", "prompt_eval_count": 5, "eval_count": count}) + "\n"

    def chunks(self, count):
        def chunk(**members):
            return f"data: {json.dumps({'id': 'c', **members})}\n\n"
        for n in range(count):
            yield chunk(choices=[{"index": 0, "delta": {"content": f" t{n}"}, "finish_reason": None if n + 1 < count else "length"}])
        yield chunk(choices=[], usage={"prompt_tokens": 5, "completion_tokens": count})
        yield "data: [DONE]\n\n"

    def events(self, count):
        def event(kind, **members):
            return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n"
        yield event("message_start", message={"usage": {"input_tokens": 5, "output_tokens": 1}})
        for n in range(count):
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": f" t{n}"})
        yield event("message_delta", delta={"stop_reason": "max_tokens"}, usage={"output_tokens": count})
        yield event("message_stop")


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
