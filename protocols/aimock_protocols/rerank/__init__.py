"""Reranking: documents ordered by how well they answer a query, in the words of those who offer it (wire-services §2).

`asking` and `ranking` are what all have in common, `reranker` puts an API together of them; Bedrock's InvokeModel has
rerankers among its families (`bedrock_invoke.reranking`).
"""
