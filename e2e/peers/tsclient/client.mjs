// A client made of the TypeScript SDK, the one that most agents are made of. It uses what the official server "everything"
// offers, in a fixed order, and prints what it sees as JSON lines, so that two ways to that server can be compared.
//
//   node client.mjs http|sse|ws URL        with the key in KEY
//   node client.mjs stdio COMMAND ARG...

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";
import * as types from "@modelcontextprotocol/sdk/types.js";

const [kind, target, ...args] = process.argv.slice(2);
const key = process.env.KEY;

function way() {
  const options = { requestInit: { headers: key ? { Authorization: "Bearer " + key } : {} } };
  switch (kind) {
    case "http":
      return new StreamableHTTPClientTransport(new URL(target), options);
    case "sse":
      return new SSEClientTransport(new URL(target), options);
    case "ws": {
      // The transport has no place for a key, as browsers have none; it goes among the subprotocols.
      const Plain = globalThis.WebSocket;
      globalThis.WebSocket = class extends Plain {
        constructor(url, protocol) {
          super(url, [protocol, "bearer." + key]);
        }
      };
      return new WebSocketClientTransport(new URL(target));
    }
    case "stdio":
      return new StdioClientTransport({ command: target, args, env: process.env, stderr: "inherit" });
  }
  throw new Error("no such transport: " + kind);
}

const say = (what, value) => console.log(JSON.stringify([what, value]));

const client = new Client({ name: "tsclient", version: "1" }, { capabilities: { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } } });
let heard;
const logged = new Promise((resolve) => (heard = resolve));
client.setRequestHandler(types.CreateMessageRequestSchema, (r) => {
  say("sampling", r.params.messages);
  return { model: "none", role: "assistant", content: { type: "text", text: "Paris" } };
});
client.setRequestHandler(types.ElicitRequestSchema, (r) => {
  say("elicitation", Object.keys(r.params.requestedSchema.properties));
  return { action: "decline" };
});
client.setRequestHandler(types.ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///home/ada/work", name: "work" }] }));
client.setNotificationHandler(types.LoggingMessageNotificationSchema, () => heard());

await client.connect(way());
say("server", client.getServerVersion());
say("capabilities", client.getServerCapabilities());
say("instructions", client.getInstructions());
// The server offers some tools only after it has learned what the client can do, and announces them.
const wanted = new Set(["trigger-sampling-request", "trigger-elicitation-request", "get-roots-list"]);
let tools = [];
for (const end = Date.now() + 20000; Date.now() < end; await new Promise((again) => setTimeout(again, 50))) {
  tools = (await client.listTools()).tools;
  if ([...wanted].every((name) => tools.some((t) => t.name === name))) break;
}
for (const tool of tools) say("tool " + tool.name, tool);
say("prompts", await client.listPrompts());
say("resources", await client.listResources());
say("templates", await client.listResourceTemplates());
await client.setLoggingLevel("debug");
for (const [name, given] of [
  ["echo", { message: "é 😀 \u2028" }],
  ["get-sum", { a: 0.1, b: 0.2 }],
  ["get-tiny-image", {}],
  ["get-annotated-message", { messageType: "error", includeImage: true }],
  ["get-structured-content", { location: "New York" }],
  ["get-resource-links", { count: 2 }],
  ["trigger-sampling-request", { prompt: "What is the capital of France?", maxTokens: 10 }],
  ["trigger-elicitation-request", {}],
  ["get-roots-list", {}],
  ["no-such-tool", {}],
  ["get-env", {}],
]) {
  say(name, await client.callTool({ name, arguments: given }).catch((e) => String(e)));
}
// The SDK drops progress whose result it has read in the same piece, so the handler is the client's own.
const steps = [];
client.setNotificationHandler(types.ProgressNotificationSchema, (n) => void steps.push(n.params));
await client.callTool({ name: "trigger-long-running-operation", arguments: { duration: 0.4, steps: 4 }, _meta: { progressToken: "steps" } });
say("progress", steps);
say("prompt", await client.getPrompt({ name: "args-prompt", arguments: { city: "Brno" } }));
say("completion", await client.complete({ ref: { type: "ref/prompt", name: "completable-prompt" }, argument: { name: "department", value: "E" } }));
const first = (await client.listResources()).resources[0];
say("resource", await client.readResource({ uri: first.uri }));
await client.callTool({ name: "toggle-simulated-logging", arguments: {} });
await Promise.race([logged, new Promise((_, fail) => setTimeout(() => fail(new Error("no log message has come")), 20000))]);
say("log", true);
await client.close();
process.exit(0);
