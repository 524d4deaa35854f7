"""The API of Chroma, as its open-source server has it: bodies to values, filters to predicates, answers, errors.

What is here is pure; the handlers are `aimock.surfaces.vector.chroma`.

Source: chromadb 1.5.9, the client and the server that come with it; /spec/wire-vector.md §3.
"""
