// The JavaScript client of Qdrant asks everything: qdrant.mjs URL PREFIX. What it hears is printed as JSON.

import { QdrantClient } from "@qdrant/js-client-rest";

const [url, prefix] = process.argv.slice(2);
const warnings = [];
console.warn = (text) => warnings.push(text);
const client = new QdrantClient(prefix ? { url, prefix } : { url });
const name = "js";
const ids = (points) => points.map((point) => point.id);

const created = await client.createCollection(name, {
  vectors: { dense: { size: 3, distance: "Cosine" } },
  sparse_vectors: { words: {} },
});
const upserted = await client.upsert(name, {
  wait: true,
  points: [
    { id: 1, vector: { dense: [1, 0, 0], words: { indices: [1], values: [1] } }, payload: { city: "Berlin", n: 1 } },
    { id: 2, vector: { dense: [0, 3, 4] }, payload: { city: "London", n: 2 } },
    { id: "0a1b2c3d-0000-4000-8000-000000000001", vector: { dense: [1, 1, 0] }, payload: { city: "Moscow", n: 3 } },
  ],
});
const where = { must: [{ key: "city", match: { any: ["Berlin", "Moscow"] } }] };
const vector = { name: "dense", vector: [1, 0, 0] };
const searched = await client.search(name, { vector, filter: where, limit: 3 });
const queried = await client.query(name, { query: 1, using: "dense", with_payload: ["n"] });
const recommended = await client.recommend(name, { positive: [1], using: "dense", limit: 1 });
const fused = await client.query(name, {
  prefetch: [
    { query: [1, 0, 0], using: "dense" },
    { query: { indices: [1], values: [2] }, using: "words" },
  ],
  query: { fusion: "rrf" },
});
const page = await client.scroll(name, { limit: 2, with_vector: true });
await client.setPayload(name, { payload: { old: true }, points: [2], wait: true });
const [second] = await client.retrieve(name, { ids: [2] });
await client.delete(name, { points: [1], wait: true });
const { count } = await client.count(name);
const { exists } = await client.collectionExists(name);
const failed = await client.getCollection("nowhere").then(
  () => null,
  (error) => [error.status, error.data.status.error],
);
await client.deleteCollection(name);
const { collections } = await client.getCollections();

console.log(
  JSON.stringify({
    created,
    upserted: upserted.status,
    searched: searched.map((point) => [point.id, point.score]),
    queried: queried.points.map((point) => point.payload),
    recommended: ids(recommended),
    fused: ids(fused.points),
    page: [ids(page.points), page.next_page_offset, page.points[1].vector.dense],
    second: second.payload,
    count,
    exists,
    failed,
    collections: collections.map((each) => each.name),
    warnings,
  }),
);
