"""AG-UI 1.0: how an agent tells a user interface what it does, as a stream of events (https://ag-ui.com).

`vocabulary` has the events, `order` the rules by which they follow each other, `parts` and `written` make runs of them,
`run_input` reads what a client asks for, and `playing` makes the stream that answers it.
"""
