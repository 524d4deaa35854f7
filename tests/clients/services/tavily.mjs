// Asks a server all that Tavily's SDK can ask, and prints what it makes of the answers.
import { tavily } from "@tavily/core";

const client = tavily({ apiKey: "tvly-test", apiBaseURL: process.argv[2] });
const failed = async (asked) => asked.then(() => null, (error) => error.message);

const found = await client.search("weather", {
  includeAnswer: true,
  includeRawContent: "markdown",
  includeImages: true,
  includeUsage: true,
  maxResults: 1,
});
const extracted = await client.extract(["https://a.org/"], { includeFavicon: true });
const crawled = await client.crawl("https://a.org", { limit: 1 });
const mapped = await client.map("https://a.org");
const task = await client.research("why?", { model: "mini" });
const polled = [await client.getResearch(task.requestId), await client.getResearch(task.requestId)];
let streamed = "";
for await (const piece of await client.research("why?", { stream: true })) streamed += piece.toString();
const told = await client.feedback({ requestId: found.requestId, agentScore: 1 });

console.log(
  JSON.stringify({
    answer: found.answer,
    titles: found.results.map((each) => [each.title, each.rawContent, each.score]),
    images: found.images,
    credits: found.usage.credits,
    time: found.responseTime,
    hasId: typeof found.requestId === "string",
    extracted: [extracted.results[0].rawContent, extracted.results[0].favicon, extracted.failedResults],
    crawled: [crawled.baseUrl, crawled.results.map((each) => each.rawContent)],
    mapped: mapped.results,
    task: [task.status, task.model],
    polled: polled.map((each) => each.status),
    report: [polled[1].content, polled[1].sources[0].url],
    streams: streamed.endsWith("event: done\n\n"),
    feedback: told.success,
    errors: [
      await failed(client.search("no")),
      await failed(client.search("x".repeat(401))),
      await failed(client.search("limit")),
    ],
  }),
);
