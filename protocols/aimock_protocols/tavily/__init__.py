"""Tavily: web search and its relatives (wire-services §1). A module an endpoint, and what they share in `platform`."""
