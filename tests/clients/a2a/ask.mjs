// The JavaScript SDK asks an agent everything, over one binding: ask.mjs URL BINDING. What it hears is printed as JSON.

import { ClientFactory, JsonRpcTransportFactory, RestTransportFactory } from "@a2a-js/sdk/client";

const [url, binding] = process.argv.slice(2);
const transport = binding === "JSONRPC" ? new JsonRpcTransportFactory() : new RestTransportFactory();
const client = await new ClientFactory({ transports: [transport] }).createFromUrl(url, ".well-known/agent-card.json");

const ROLE_USER = 1;
const saying = (text, taskId = "") => ({
  tenant: "",
  message: {
    messageId: "m1",
    role: ROLE_USER,
    parts: [{ content: { $case: "text", value: text }, filename: "", mediaType: "" }],
    contextId: "",
    taskId,
    extensions: [],
    referenceTaskIds: [],
  },
});
const all = async (stream) => {
  const events = [];
  for await (const event of stream) events.push(event.payload.$case);
  return events;
};
const failing = async (promise) => promise.then(() => null, (error) => error.constructor.name);

const text = (part) => part.content.value;
const said = await client.sendMessage(saying("hello"));
const report = await client.sendMessage(saying("report"));
const streamed = await all(client.sendMessageStream(saying("stream")));
const asked = await client.sendMessage(saying("ask"));
const answered = await client.sendMessage(saying("London", asked.id));
const waiting = await client.sendMessage(saying("wait"));
const following = client.resubscribeTask({ tenant: "", id: waiting.id });
const first = (await following.next()).value.payload.$case;
const config = { tenant: "", id: "p", taskId: waiting.id, url: "http://127.0.0.1:1/hook", token: "t" };
const pushed = await client.createTaskPushNotificationConfig(config);
const got = await client.getTask({ tenant: "", id: report.id });
const listed = await client.listTasks({ tenant: "", contextId: "", status: 0, pageToken: "", pageSize: 2 });
const canceled = await client.cancelTask({ tenant: "", id: waiting.id });

console.log(
  JSON.stringify({
    said: said.parts.map(text),
    report: report.artifacts[0].parts.map(text),
    streamed,
    asked: asked.status.state,
    answered: answered.artifacts[0].parts.map(text),
    pushed: pushed.id,
    got: got.id === report.id,
    listed: [listed.tasks.length, listed.totalSize, listed.nextPageToken !== ""],
    canceled: canceled.status.state,
    followed: [first, ...(await all(following))],
    unknown: await failing(client.getTask({ tenant: "", id: "zzz" })),
  }),
);
