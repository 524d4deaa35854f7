// The JavaScript client goes through its quick-start: chroma.mjs PORT. What it hears is printed as JSON.

import { ChromaClient } from "chromadb";

const client = new ChromaClient({ host: "127.0.0.1", port: Number(process.argv[2]), ssl: false });
const letters = {
  name: "letters",
  generate: async (texts) => texts.map((text) => [..."abc"].map((letter) => text.split(letter).length - 1)),
  getConfig: () => ({}),
  buildFromConfig: () => letters,
  defaultSpace: () => "l2",
  supportedSpaces: () => ["l2", "cosine", "ip"],
};
const failing = async (promise) => promise.then(() => null, (error) => error.constructor.name);

const version = await client.version();
const books = await client.createCollection({
  name: "books",
  embeddingFunction: letters,
  configuration: { hnsw: { space: "l2" } },
  metadata: { about: "letters" },
});
await books.add({
  ids: ["1", "2", "3"],
  documents: ["aab", "ccc", "abc"],
  metadatas: [{ n: 1, tags: ["x"] }, { n: 2 }, { n: 3 }],
});
const query = await books.query({ queryTexts: ["cc"], nResults: 2, where: { n: { $gt: 1 } } });
await books.update({ ids: ["1"], documents: ["aa"], metadatas: [{ n: 5 }] });
await books.upsert({ ids: ["4"], documents: ["b"] });
const got = await books.get({ whereDocument: { $regex: "^a" }, include: ["documents", "embeddings"] });
await books.delete({ ids: ["4"] });
const again = await client.getOrCreateCollection({ name: "books", embeddingFunction: letters });
const count = await again.count();
await books.modify({ name: "novels" });
const listed = (await client.listCollections()).map((collection) => collection.name);
const errors = [
  await failing(client.getCollection({ name: "nope", embeddingFunction: letters })),
  await failing(client.createCollection({ name: "novels", embeddingFunction: letters })),
  await failing(books.add({ ids: ["9"], embeddings: [[1]] })),
];
await client.deleteCollection({ name: "novels" });

console.log(
  JSON.stringify({
    version,
    query: [query.ids, query.documents, query.distances, query.metadatas],
    got: [got.ids, got.documents, got.embeddings],
    metadata: again.metadata,
    count,
    listed,
    errors,
    left: await client.countCollections(),
  }),
);
