"""The protocols that exist whose answers fixtures give, and what each listens on: one entry each.

A protocol is imported when it is first asked, so that a start costs no more for every provider that there is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple, cast

from aimock_protocols.canonical import ChatProtocol, Head, Route, WireProtocol
from aimock_protocols.members import member
from aimock_protocols.openai_compatible import PROVIDERS, Provider
from aimock_protocols.sessions import SocketProtocol


class SideRoute(NamedTuple):
    """A route beside the chat. `function` is a member of the protocol's module: (SideRequest) -> WireResponse, raising
    WireError for what it refuses."""

    method: str
    template: str
    function: str


class Registered(NamedTuple):
    """A protocol by the name of its module, or of a member of one (`openai_compatible:groq`)."""

    name: str
    routes: tuple[Route, ...]
    sides: tuple[SideRoute, ...] = ()
    known_by: tuple[tuple[str, str], ...] = ()
    """Request headers that its clients send (or query keys, written `?key`), and how the value of each begins: by any
    one of these they are told apart on paths that several APIs share. Side routes that an API before it has too are
    reached only so; paths that nobody has are then refused in this protocol's words."""
    known_routes: tuple[Route, ...] = ()
    known_sides: tuple[SideRoute, ...] = ()
    """Routes that only those clients reach: to others the paths are somebody else's."""
    sockets: tuple[str, ...] = ()
    """Path templates on which clients ask for a WebSocket (`sessions.SocketProtocol`)."""
    service: str | None = None
    """What the journal calls the service that it is a protocol of; None: it is one of models."""
    told_by: str | None = None
    """Where its routes are others' too, and bodies tell whose a request is: the name of a function (Head, body) -> the
    protocol that is meant."""

    def load(self) -> WireProtocol:
        return cast(WireProtocol, self._load())

    def load_socket(self) -> SocketProtocol:
        """The same, for a protocol that has sockets."""
        return cast(SocketProtocol, self._load())

    def load_among(self) -> Callable[[Head, bytes], WireProtocol] | None:
        """What tells whose a request is, if its routes are others' too."""
        if self.told_by is None:
            return None
        return cast(Callable[[Head, bytes], WireProtocol], _named(self.told_by))

    def _load(self) -> object:
        return _named(self.name)


def _named(name: str) -> object:
    module, _, member = name.partition(":")
    loaded = importlib.import_module(f"aimock_protocols.{module}")
    return getattr(loaded, member) if member else loaded


def _compatible(provider: Provider) -> Registered:
    """A provider under its name, and where it is at home: there only for those known to mean it, if others are there
    too."""
    named = tuple(f"/{provider.name}{base}" for base in provider.bases)
    open_bases = named + provider.bases if provider.is_alone else named
    known_bases = provider.bases if provider.known_by and not provider.is_alone else ()
    return Registered(
        f"openai_compatible:{provider.name}",
        _chat_below(open_bases),
        _models_below(open_bases),
        provider.known_by,
        _chat_below(known_bases),
        _models_below(known_bases),
    )


def _chat_below(bases: tuple[str, ...]) -> tuple[Route, ...]:
    return tuple(Route("POST", f"{base}/chat/completions") for base in bases)


def _models_below(bases: tuple[str, ...]) -> tuple[SideRoute, ...]:
    return tuple(
        side
        for base in bases
        for side in (
            SideRoute("GET", f"{base}/models", "list_models"),
            SideRoute("GET", f"{base}/models/{{model:path}}", "retrieve_model"),
        )
    )


_VERTEX = tuple(
    f"{version}/projects/{{project}}/locations/{{location}}/publishers/anthropic/models"
    for version in ("/v1", "/v1beta1", "")
)
"""Where Vertex has Anthropic's models; SDKs that are given another base URL leave the version to it."""

_RESPONSES = (
    ("POST", "/input_tokens", "count_input_tokens"),
    ("POST", "/compact", "compact"),
    ("GET", "/{response}", "retrieve"),
    ("DELETE", "/{response}", "delete"),
    ("POST", "/{response}/cancel", "cancel"),
    ("GET", "/{response}/input_items", "list_input_items"),
)
_CONVERSATIONS = (
    ("POST", "", "create_conversation"),
    ("GET", "/{conversation}", "retrieve_conversation"),
    ("POST", "/{conversation}", "update_conversation"),
    ("DELETE", "/{conversation}", "delete_conversation"),
    ("POST", "/{conversation}/items", "create_conversation_items"),
    ("GET", "/{conversation}/items", "list_conversation_items"),
    ("GET", "/{conversation}/items/{item}", "retrieve_conversation_item"),
    ("DELETE", "/{conversation}/items/{item}", "delete_conversation_item"),
)
"""Beside responses, where they are and, for clients whose base URL has no version and for Azure's, without it."""

_REALTIME = (
    ("/client_secrets", "create_client_secret"),
    ("/translations/client_secrets", "create_translation_secret"),
    ("/sessions", "create_beta_session"),
    ("/transcription_sessions", "create_transcription_session"),
    ("/calls", "create_call"),
    *((f"/calls/{{call}}/{verb}", "act_on_call") for verb in ("accept", "reject", "refer", "hangup")),
)
"""What clients ask for over HTTP, beside Realtime's sockets: for browsers, and for calls by telephone."""

_GOOGLE_VERSIONS = ("/v1beta", "/v1", "/v1alpha", "/v1beta1")
_GEMINI = tuple(f"{version}/models/{{model:path}}" for version in _GOOGLE_VERSIONS)
_GEMINI_TUNED = tuple(f"{version}/tunedModels/{{tuned:path}}" for version in _GOOGLE_VERSIONS)
_GEMINI_VERTEX = tuple(
    f"{version}/{base}"
    for version in _GOOGLE_VERSIONS
    for base in (
        "projects/{project}/locations/{location}/publishers/google/models/{model:path}",
        "publishers/google/models/{model:path}",
        "projects/{project}/locations/{location}/endpoints/{endpoint}",
    )
)
"""Where Google has its models: on the Developer API, and on Vertex AI with a project, without one, and deployed."""

_GENERATE = ("generateContent", "streamGenerateContent")
_INTERACTIONS = tuple(
    f"{version}{parent}/interactions"
    for version in _GOOGLE_VERSIONS
    for parent in ("", "/projects/{project}/locations/{location}")
)

_LIVE = (
    *(
        f"/ws/google.ai.generativelanguage.{version}.GenerativeService.{method}"
        for version in ("v1", "v1beta", "v1alpha")
        for method in ("BidiGenerateContent", "BidiGenerateContentConstrained")
    ),
    *(f"/ws/google.cloud.aiplatform.{version}.LlmBidiService/BidiGenerateContent" for version in ("v1", "v1beta1")),
    "/",
)
"""Where Gemini Live is; clients with a base URL of their own and no key ask for no path at all."""

_RERANKERS = "rerank.shared:among"

PROTOCOLS: tuple[Registered, ...] = (
    Registered(
        "openai_chat",
        (Route("POST", "/v1/chat/completions"),),
        (
            SideRoute("GET", "/v1/models", "list_models"),
            SideRoute("GET", "/v1/models/{model:path}", "retrieve_model"),
        ),
    ),
    Registered(
        "openai_completions",
        (
            Route("POST", "/v1/completions"),
            Route("POST", "/openai/deployments/{deployment}/completions"),
        ),
    ),
    Registered(
        "openai_responses",
        (Route("POST", "/v1/responses"),),
        tuple(
            SideRoute(method, version + base + path, function)
            for version in ("/v1", "")
            for base, sides in (("/responses", _RESPONSES), ("/conversations", _CONVERSATIONS))
            for method, path, function in sides
        ),
        sockets=("/v1/responses",),
    ),
    Registered(
        "openai_realtime",
        (),
        tuple(
            SideRoute("POST", f"{base}/realtime{path}", function)
            for base in ("/v1", "")
            for path, function in _REALTIME
        ),
        sockets=("/v1/realtime", "/v1/realtime/translations"),
    ),
    Registered(
        "openai_embeddings",
        (
            Route("POST", "/v1/embeddings"),
            Route("POST", "/openai/deployments/{deployment}/embeddings"),
        ),
    ),
    Registered(
        "anthropic_messages",
        (
            Route("POST", "/v1/messages"),
            Route("POST", "/anthropic/v1/messages"),
        ),
        (
            SideRoute("POST", "/v1/messages/count_tokens", "count_tokens"),
            SideRoute("POST", "/anthropic/v1/messages/count_tokens", "count_tokens"),
            SideRoute("GET", "/v1/models", "list_models"),
            SideRoute("GET", "/v1/models/{model:path}", "retrieve_model"),
        ),
        known_by=(("anthropic-version", ""),),
    ),
    Registered(
        "anthropic_messages.vertex",
        tuple(
            Route("POST", f"{base}/{{model}}:{verb}") for base in _VERTEX for verb in ("rawPredict", "streamRawPredict")
        ),
        tuple(SideRoute("POST", f"{base}/count-tokens:rawPredict", "count_tokens") for base in _VERTEX),
    ),
    Registered(
        "bedrock_invoke",
        (
            Route("POST", "/model/{model:path}/invoke"),
            Route("POST", "/model/{model:path}/invoke-with-response-stream"),
        ),
    ),
    Registered(
        "bedrock_converse",
        (
            Route("POST", "/model/{model:path}/converse"),
            Route("POST", "/model/{model:path}/converse-stream"),
        ),
        (
            SideRoute("POST", "/model/{model:path}/count-tokens", "count_tokens"),
            SideRoute("POST", "/guardrail/{guardrail:path}/version/{version}/apply", "apply_guardrail"),
            SideRoute("POST", "/model/{model:path}/invoke-with-bidirectional-stream", "refuse_bidirectional"),
            SideRoute("POST", "/guardrail-checks/invoke", "unknown_operation"),
            SideRoute("POST", "/async-invoke", "unknown_operation"),
            SideRoute("GET", "/async-invoke", "unknown_operation"),
            SideRoute("GET", "/async-invoke/{arn:path}", "unknown_operation"),
        ),
        known_by=(("amz-sdk-invocation-id", ""), ("authorization", "AWS4-HMAC-SHA256")),
    ),
    Registered(
        "ollama.chat",
        (Route("POST", "/api/chat"),),
        (
            SideRoute("GET", "/", "root"),
            SideRoute("GET", "/api/version", "version"),
            SideRoute("GET", "/api/tags", "tags"),
            SideRoute("GET", "/api/ps", "ps"),
            SideRoute("POST", "/api/show", "show"),
            SideRoute("POST", "/api/pull", "pull"),
            SideRoute("POST", "/api/push", "push"),
            SideRoute("POST", "/api/create", "create"),
            SideRoute("POST", "/api/copy", "copy"),
            SideRoute("DELETE", "/api/delete", "delete"),
            SideRoute("HEAD", "/api/blobs/{digest}", "find_blob"),
            SideRoute("POST", "/api/blobs/{digest}", "keep_blob"),
        ),
        known_by=(("user-agent", "ollama-python/"), ("user-agent", "ollama-js/"), ("user-agent", "ollama/")),
    ),
    Registered("ollama.generate", (Route("POST", "/api/generate"),)),
    Registered("ollama.embed", (Route("POST", "/api/embed"),)),
    Registered("ollama.embeddings", (Route("POST", "/api/embeddings"),)),
    Registered(
        "cohere",
        (Route("POST", "/v2/chat"),),
        (
            SideRoute("POST", "/v1/tokenize", "tokenize"),
            SideRoute("POST", "/v1/detokenize", "detokenize"),
            SideRoute("POST", "/v1/check-api-key", "check_api_key"),
            SideRoute("GET", "/v1/models", "list_models"),
            SideRoute("GET", "/v1/models/{model:path}", "retrieve_model"),
        ),
        known_by=(
            ("x-fern-sdk-name", "cohere"),
            ("x-fern-sdk-name", "github.com/cohere-ai/"),
            ("user-agent", "cohere"),
        ),
    ),
    Registered("cohere.v1", (Route("POST", "/v1/chat"),)),
    Registered("cohere.embed", (Route("POST", "/v2/embed"),)),
    Registered("cohere.embed.v1", (Route("POST", "/v1/embed"),)),
    Registered(
        "gemini",
        tuple(Route("POST", f"{base}:{verb}") for base in (*_GEMINI, *_GEMINI_TUNED) for verb in _GENERATE),
        (
            *(SideRoute("POST", f"{base}:countTokens", "count_tokens") for base in (*_GEMINI, *_GEMINI_TUNED)),
            *(SideRoute("GET", f"{version}/models", "list_models") for version in _GOOGLE_VERSIONS),
            *(SideRoute("GET", base, "retrieve_model") for base in _GEMINI),
        ),
        known_by=(("x-goog-api-key", ""), ("x-goog-api-client", ""), ("?key", "")),
    ),
    Registered(
        "gemini.vertex",
        tuple(Route("POST", f"{base}:{verb}") for base in _GEMINI_VERTEX for verb in _GENERATE),
        (
            *(SideRoute("POST", f"{base}:countTokens", "count_billable") for base in _GEMINI_VERTEX),
            *(SideRoute("POST", f"{base}:computeTokens", "compute_tokens") for base in _GEMINI_VERTEX),
            *(
                SideRoute("GET", f"{version}/publishers/google/models", "list_publisher_models")
                for version in _GOOGLE_VERSIONS
            ),
            *(
                SideRoute("GET", f"{version}/publishers/google/models/{{model:path}}", "retrieve_publisher_model")
                for version in _GOOGLE_VERSIONS
            ),
        ),
    ),
    Registered(
        "gemini.embeddings:embed_content",
        tuple(Route("POST", f"{base}:embedContent") for base in (*_GEMINI, *_GEMINI_VERTEX)),
    ),
    Registered(
        "gemini.embeddings:batch_embed_contents",
        tuple(Route("POST", f"{base}:batchEmbedContents") for base in (*_GEMINI, *_GEMINI_VERTEX)),
    ),
    Registered(
        "gemini.embeddings:predict",
        tuple(Route("POST", f"{base}:predict") for base in _GEMINI_VERTEX),
    ),
    Registered(
        "gemini_interactions",
        tuple(Route("POST", base) for base in _INTERACTIONS),
        tuple(
            side
            for base in _INTERACTIONS
            for side in (
                SideRoute("GET", f"{base}/{{id}}", "retrieve"),
                SideRoute("DELETE", f"{base}/{{id}}", "delete"),
                SideRoute("POST", f"{base}/{{id}}/cancel", "cancel"),
            )
        ),
    ),
    Registered(
        "gemini_live",
        (),
        tuple(SideRoute("POST", f"{version}/auth_tokens", "create_auth_token") for version in ("/v1alpha", "/v1beta")),
        sockets=_LIVE,
    ),
    Registered(
        "azure_openai:chat",
        (Route("POST", "/openai/deployments/{deployment}/chat/completions"),),
        _models_below(("/openai",)),
        known_by=(("api-key", ""),),
        known_routes=_chat_below(("/openai/v1",)),
        known_sides=_models_below(("/openai/v1",)),
    ),
    Registered(
        "openrouter",
        (Route("POST", "/api/v1/chat/completions"),),
        tuple(
            SideRoute("GET", f"/api/v1{path}", function)
            for path, function in (
                ("/models", "list_models"),
                ("/models/user", "list_models"),
                ("/models/count", "count_models"),
                ("/models/{author}/{slug}/endpoints", "list_endpoints"),
                ("/model/{author}/{slug}", "retrieve_model"),
                ("/providers", "list_providers"),
                ("/generation", "generation"),
                ("/key", "read_key"),
                ("/auth/key", "read_key"),
                ("/credits", "read_credits"),
            )
        ),
    ),
    Registered("openrouter.completions", (Route("POST", "/api/v1/completions"),)),
    *(_compatible(provider) for provider in PROVIDERS),
    Registered("tavily.search:api", (Route("POST", "/search"),), service="search"),
    Registered("tavily.extract:api", (Route("POST", "/extract"),), service="extract"),
    Registered("tavily.crawl:api", (Route("POST", "/crawl"),), service="crawl"),
    Registered("tavily.map:api", (Route("POST", "/map"),), service="map"),
    Registered(
        "tavily.research",
        (Route("POST", "/research"),),
        (
            SideRoute("GET", "/research/{id}", "retrieve"),
            SideRoute("GET", "/usage", "usage"),
            SideRoute("POST", "/feedback", "feedback"),
        ),
        service="research",
    ),
    Registered("rerank.cohere:v2", (Route("POST", "/v2/rerank"),), service="rerank"),
    Registered("rerank.cohere:v1", (Route("POST", "/v1/rerank"),), service="rerank", told_by=_RERANKERS),
    Registered(
        "rerank.details:jina",
        (Route("POST", "/rerank"), Route("POST", "/jina/v1/rerank")),
        service="rerank",
        told_by=_RERANKERS,
    ),
    Registered("rerank.details:voyage", (Route("POST", "/voyage/v1/rerank"),), service="rerank"),
    Registered("rerank.bedrock_agent:api", (Route("POST", "/bedrock-agent-runtime/rerank"),), service="rerank"),
    Registered(
        "moderation.openai",
        (Route("POST", "/v1/moderations"),),
        service="moderation",
        told_by="moderation.shared:among",
    ),
    Registered("moderation.mistral:texts", (Route("POST", "/mistral/v1/moderations"),), service="moderation"),
    Registered(
        "moderation.mistral:conversations",
        (Route("POST", "/v1/chat/moderations"),),
        service="moderation",
    ),
)


def chat_protocols() -> tuple[ChatProtocol, ...]:
    """Those whose answers can be streamed, imported."""
    loaded = (registered.load() for registered in PROTOCOLS if registered.service is None)
    return tuple(cast(ChatProtocol, protocol) for protocol in loaded if member(protocol, "frames") is not None)


def service_protocols() -> tuple[WireProtocol, ...]:
    """Those whose answers are a service's, imported."""
    return tuple(registered.load() for registered in PROTOCOLS if registered.service is not None and registered.routes)


def embedding_protocols() -> tuple[WireProtocol, ...]:
    """Those whose answers are vectors, imported."""
    loaded = (registered.load() for registered in PROTOCOLS if registered.routes and registered.service is None)
    return tuple(protocol for protocol in loaded if member(protocol, "frames") is None)
