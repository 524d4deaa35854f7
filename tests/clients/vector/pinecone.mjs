// The JavaScript client goes through its quick-start: pinecone.mjs URL. What it hears is printed as JSON.

import { Pinecone } from "@pinecone-database/pinecone";

const [url] = process.argv.slice(2);
const pc = new Pinecone({ apiKey: "test", controllerHostUrl: url });
const failing = async (promise) => promise.then(() => null, (error) => error.constructor.name);

const created = await pc.createIndex({
  name: "quick",
  dimension: 3,
  metric: "cosine",
  spec: { serverless: { cloud: "aws", region: "us-east-1" } },
  deletionProtection: "enabled",
  tags: { team: "search" },
  waitUntilReady: true,
});
const described = await pc.describeIndex("quick");
const index = pc.index({ name: "quick" });
await index.upsert({
  records: [
    { id: "a", values: [1, 0, 0], metadata: { genre: "drama", year: 2020 } },
    { id: "b", values: [0, 1, 0], metadata: { genre: ["comedy", "drama"], year: 2021 } },
    { id: "c", values: [1, 1, 0] },
  ],
});
const matches = (answer) => answer.matches.map(({ id, score }) => [id, Number(score.toFixed(4))]);
const query = await index.query({ vector: [1, 0, 0], topK: 3, includeMetadata: true, includeValues: true });
const filtered = await index.query({
  vector: [1, 0, 0],
  topK: 3,
  filter: { $and: [{ genre: { $in: ["comedy"] } }, { year: { $gte: 2021 } }] },
});
const fetched = await index.fetch({ ids: ["a", "none"] });
const listed = await index.listPaginated({ limit: 2 });
const rest = await index.listPaginated({ limit: 2, paginationToken: listed.pagination.next });
await index.update({ id: "c", metadata: { genre: "news" } });
const stats = await index.describeIndexStats();
const other = index.namespace("other");
await other.upsert({ records: [{ id: "x", values: [0, 0, 1] }] });
const namespaces = await index.listNamespaces();
await other.deleteAll();
const wrong = await failing(index.upsert({ records: [{ id: "a", values: [1, 0] }] }));
const unknown = await failing(pc.describeIndex("none"));
const twice = await failing(
  pc.createIndex({ name: "quick", dimension: 3, metric: "cosine", spec: { serverless: { cloud: "aws", region: "r" } } }),
);
const kept = await failing(pc.deleteIndex("quick"));
await pc.configureIndex({ name: "quick", deletionProtection: "disabled", tags: { team: "", env: "test" } });
const configured = await pc.describeIndex("quick");
await pc.deleteIndex("quick");

console.log(
  JSON.stringify({
    created: [created?.name, created?.dimension, created?.status?.ready],
    host: described.host.startsWith(`${url}/i/quick`),
    spec: described.spec.serverless.cloud,
    query: matches(query),
    metadata: query.matches[0].metadata,
    values: query.matches[0].values,
    namespace: query.namespace,
    filtered: matches(filtered),
    fetched: Object.keys(fetched.records),
    listed: [...listed.vectors, ...rest.vectors].map(({ id }) => id),
    last: rest.pagination ?? null,
    stats: [stats.totalRecordCount, stats.dimension, stats.namespaces],
    namespaces: namespaces.namespaces.map(({ name, recordCount }) => [name, recordCount]),
    errors: [wrong, unknown, twice, kept],
    configured: [configured.deletionProtection, configured.tags],
    left: (await pc.listIndexes()).indexes.length,
  }),
);
