"""A2A (Agent2Agent) 1.0 and 0.3: what agents say to each other, as pure values.

Everything inside is 1.0 in ProtoJSON (`a2a.proto`, package `lf.a2a.v1`). A request in 0.3 is read into it, and an
answer to one written from it (`legacy`); the bindings (`bindings`) say how either goes over HTTP.
"""
