// Asks an agent for runs with the official client, and prints what it makes of each as a line of JSON.
// stdin: {"url", "headers"?, "runs": [{"text"?, "resume"?, "abortAfter"?, "agent"?}], "concurrent"?}
const { createRequire } = require("node:module");
const load = createRequire(process.argv[2] + "/");
const { HttpAgent } = load("@ag-ui/client");

console.warn = () => {};
console.error = () => {};

async function run(agent, index, wish) {
  const events = [];
  if (wish.text !== undefined) agent.addMessage({ id: `u${index}`, role: "user", content: wish.text });
  if (wish.result !== undefined) {
    agent.addMessage({ id: `t${index}`, role: "tool", toolCallId: wish.toolCallId, content: wish.result });
  }
  const told = { index, error: null };
  const subscriber = {
    onEvent: ({ event }) => {
      events.push(event);
      if (events.length === wish.abortAfter) agent.abortRun();
    },
  };
  try {
    const { result } = await agent.runAgent({ runId: `run-${index}`, resume: wish.resume }, subscriber);
    told.result = result;
  } catch (error) {
    told.error = error.message;
  }
  told.types = events.map((event) => event.type);
  told.ids = [...new Set(events.filter((event) => event.threadId).map((event) => [event.threadId, event.runId].join("/")))];
  told.messages = agent.messages;
  told.state = agent.state;
  told.interrupts = agent.pendingInterrupts ?? [];
  console.log(JSON.stringify(told));
}

(async () => {
  const { url, headers, runs, concurrent, state } = JSON.parse(require("node:fs").readFileSync(0, "utf-8"));
  const made = (thread) => new HttpAgent({ url, headers, threadId: thread, initialState: state });
  if (concurrent) {
    await Promise.all(runs.map((wish, index) => run(made(`thread-${index}`), index, wish)));
  } else {
    const agent = made("thread");
    for (const [index, wish] of runs.entries()) await run(agent, index, wish);
  }
})();
