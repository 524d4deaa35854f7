"""The vector database service: an exact store behind the APIs of Pinecone, Qdrant and Chroma."""
