// The TypeScript SDK against the server at argv[2], in each revision that it speaks; prints what it saw as JSON.
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_PATH + "/");
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");
const types = require("@modelcontextprotocol/sdk/types.js");

const url = new URL(process.argv[2]);

async function visit(transport) {
  const errors = [];
  const changed = Promise.withResolvers();
  const client = new Client(
    { name: "test", version: "1" },
    { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
  );
  client.onerror = (error) => errors.push(String(error));
  client.setRequestHandler(types.ElicitRequestSchema, async () => ({ action: "accept", content: { name: "Ann" } }));
  client.setRequestHandler(types.CreateMessageRequestSchema, async (request) => ({
    role: "assistant",
    model: "m",
    content: { type: "text", text: "thought: " + [request.params.messages[0].content].flat()[0].text },
  }));
  client.setRequestHandler(types.ListRootsRequestSchema, async () => ({ roots: [{ uri: "file:///home" }] }));
  const logs = [];
  client.setNotificationHandler(types.LoggingMessageNotificationSchema, (note) => logs.push(note.params.data));
  client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, (note) => changed.resolve(note.params.uri));
  await client.connect(transport);

  const text = async (name, args = {}, options = undefined) =>
    (await client.callTool({ name, arguments: args }, undefined, options)).content[0].text;
  const names = [];
  let cursor;
  do {
    const page = await client.listTools(cursor === undefined ? {} : { cursor });
    names.push(...page.tools.map((tool) => tool.name));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  const progress = [];
  const told = {
    server: client.getServerVersion().name,
    names,
    echo: await text("echo", { text: "hi" }),
    sum: (await client.callTool({ name: "add", arguments: { a: 2, b: 3 } })).structuredContent,
    works: await text("works", {}, { onprogress: (note) => progress.push(note.progress) }),
    progress,
    greet: await text("greet"),
    thinks: await text("thinks", { of: "cats" }),
    roots: await text("roots"),
    ask: await text("ask"),
    resource: (await client.readResource({ uri: "user://7" })).contents[0].text,
    prompt: (await client.getPrompt({ name: "hello", arguments: { who: "Ann" } })).messages[0].content.text,
    completion: (
      await client.complete({ ref: { type: "ref/prompt", name: "hello" }, argument: { name: "who", value: "b" } })
    ).completion.values,
  };
  await client.setLoggingLevel("error");
  await text("logs");
  told.logs = logs.slice(-1);
  const gone = new AbortController();
  const slow = client.callTool({ name: "slow", arguments: {} }, undefined, { signal: gone.signal });
  setTimeout(() => gone.abort("enough"), 20);
  told.cancelled = await slow.then(() => false, () => true);
  told.ping = Object.keys(await client.ping()).length;
  await client.subscribeResource({ uri: "file:///a.txt" });
  console.log("READY"); // whoever runs this changes the resource now
  told.updated = await changed.promise;
  if (transport.terminateSession) await transport.terminateSession();
  await client.close();
  told.errors = errors;
  return told;
}

const transport =
  process.argv[3] === "sse" ? new SSEClientTransport(new URL(url + "/sse")) : new StreamableHTTPClientTransport(url);
console.log(JSON.stringify(await visit(transport)));
