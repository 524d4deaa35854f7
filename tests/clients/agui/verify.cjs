// Reads streams of events, one a line as a JSON array, and says of each where the official client fails it:
// a line with the index of the event, or null. What becomes of chunks is the client's affair too.
const { createRequire } = require("node:module");
const lines = require("node:readline").createInterface({ input: process.stdin });
const load = createRequire(process.argv[2] + "/");
const { transformChunks, verifyEvents, enforceEvents } = load("@ag-ui/client");
const { Subject } = load("rxjs");

console.warn = () => {};
lines.on("line", (line) => {
  const source = new Subject();
  let failed = null;
  source.pipe(enforceEvents(), transformChunks(), verifyEvents()).subscribe({ error: (error) => (failed = error) });
  let place = null;
  for (const [index, event] of JSON.parse(line).entries()) {
    source.next(event);
    if (failed !== null) {
      place = index;
      break;
    }
  }
  console.log(JSON.stringify({ place, message: failed && failed.message }));
});
