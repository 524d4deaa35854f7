"""The variables by which SDKs find a provider, and where each provider is in earnest. Which ones, the SDKs' code says.

One table: for tests, which are to reach nobody else, and for commands that are recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

KEY = "sk-aimock-dummy-key"
"""It begins as a dummy does: a server that records puts its own key in its place."""


class SDK(NamedTuple):
    """What the SDKs of one provider go by."""

    provider: str
    """As recording calls it."""
    urls: Mapping[str, str] = {}
    """Variables for its address, each with what it wants to have in it."""
    keys: tuple[str, ...] = ()
    """Variables for a key: one is enough."""
    tokens: tuple[str, ...] = ()
    """Variables for credentials of other kinds: whoever has one needs no key."""
    public: str | None = None
    """Where the provider is, for everybody."""
    stands_alone: bool = False
    """Whether its variables make an SDK doubt which provider is meant, where another's are set too."""


_SDKS: tuple[SDK, ...] = (
    SDK(
        "openai",
        # LiteLLM and LangChain also know the older …_API_BASE
        {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_BASE": "{url}/v1"},
        ("OPENAI_API_KEY",),
        public="https://api.openai.com",
    ),
    SDK(
        "azure",
        {"AZURE_OPENAI_ENDPOINT": "{url}"},
        ("AZURE_OPENAI_API_KEY",),
        ("AZURE_OPENAI_AD_TOKEN",),
        stands_alone=True,
    ),
    SDK(
        "anthropic",
        # its SDK adds /v1 itself
        {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_API_BASE": "{url}"},
        ("ANTHROPIC_API_KEY",),
        ("ANTHROPIC_AUTH_TOKEN",),
        public="https://api.anthropic.com",
    ),
    SDK(
        "gemini",
        {"GOOGLE_GEMINI_BASE_URL": "{url}"},
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        public="https://generativelanguage.googleapis.com",
    ),
    SDK("vertexai", {"GOOGLE_VERTEX_BASE_URL": "{url}"}, public="https://aiplatform.googleapis.com"),
    SDK("cohere", {"CO_API_URL": "{url}"}, ("CO_API_KEY", "COHERE_API_KEY"), public="https://api.cohere.com"),
    SDK("ollama", {"OLLAMA_HOST": "{url}"}, ("OLLAMA_API_KEY",), public="http://127.0.0.1:11434"),
    # mistralai has a key only; LiteLLM has a URL
    SDK("mistral", {"MISTRAL_API_BASE": "{url}/v1"}, ("MISTRAL_API_KEY",), public="https://api.mistral.ai"),
    SDK(
        "groq",
        # its SDK adds /openai/v1 itself; LiteLLM does not
        {"GROQ_BASE_URL": "{url}", "GROQ_API_BASE": "{url}/openai/v1"},
        ("GROQ_API_KEY",),
        public="https://api.groq.com",
    ),
    SDK("together", {"TOGETHER_BASE_URL": "{url}/v1"}, ("TOGETHER_API_KEY",), public="https://api.together.xyz"),
    SDK(
        "bedrock",
        # boto3, for this one service; and anthropic on Bedrock
        {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "{url}", "ANTHROPIC_BEDROCK_BASE_URL": "{url}"},
    ),
    # Those below have no variables: their clients say in code that they mean this server.
    SDK("tavily", keys=("TAVILY_API_KEY",), public="https://api.tavily.com"),
    SDK("jina", keys=("JINA_API_KEY",), public="https://api.jina.ai"),
    SDK("voyage", keys=("VOYAGE_API_KEY",), public="https://api.voyageai.com"),
    SDK("openrouter", public="https://openrouter.ai"),
    SDK("cerebras", public="https://api.cerebras.ai"),
    SDK("huggingface", public="https://router.huggingface.co"),
    SDK("fireworks", public="https://api.fireworks.ai"),
    SDK("zai", public="https://api.z.ai"),
    SDK("deepseek", public="https://api.deepseek.com"),
    SDK("grok", public="https://api.x.ai"),
)

AWS_KEYS = {
    # AWS has other services than Bedrock, whose keys a program may need; signatures do not give them away.
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": KEY,
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""What SDKs of AWS insist on."""
AWS_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
"""Variables by which they find other ones."""
API_VERSION = {"OPENAI_API_VERSION": "2024-10-21"}
"""What Azure's client insists on."""

LEADING_ELSEWHERE = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",)
"""Variables that make an SDK go by none of these."""
PLAIN_HTTP_FORBIDDEN = ("AWS_BEARER_TOKEN_BEDROCK",)
"""Credentials that an SDK sends over HTTPS only."""
CHOOSING_ANOTHER = ("OPENAI_API_TYPE", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE")
"""Variables that make an SDK speak to another provider than its own."""
TOKENS = tuple(token for sdk in _SDKS for token in sdk.tokens)


def addresses(url: str, ca_file: Path | None = None, alone: Collection[str] = ("azure",)) -> dict[str, str]:
    """The variables that point every SDK at the server; `url` without a path. With `ca_file` also those by which they
    trust it. Of providers that stand alone only those of `alone`."""
    meant = [sdk for sdk in _SDKS if not sdk.stands_alone or sdk.provider in alone]
    told = {name: value.format(url=url) for sdk in meant for name, value in sdk.urls.items()}
    if ca_file is None:
        return told
    from aimock.net.tls import TRUST_VARIABLES

    return told | dict.fromkeys(TRUST_VARIABLES, str(ca_file))


def dummies() -> dict[str, str]:
    """A dummy under every variable for a key."""
    return dict.fromkeys((key for sdk in _SDKS for key in sdk.keys), KEY)


def lacking(environment: Mapping[str, str], providers: Collection[str]) -> dict[str, str]:
    """A dummy for each of these providers of which the environment has no credential at all: a real one must not be
    joined by a dummy, which some SDKs prefer."""
    return {
        sdk.keys[0]: KEY
        for sdk in _SDKS
        if sdk.keys
        and sdk.provider in providers
        and not any(environment.get(name) for name in (*sdk.keys, *sdk.tokens))
    }


def bypassing(environment: Mapping[str, str], url: str) -> dict[str, str]:
    """Variables that except the server from what goes through a proxy. Both spellings are in use, perhaps differing."""
    host = url.partition("://")[2].rpartition(":")[0].strip("[]")
    excepted = [environment.get(name, "") for name in ("NO_PROXY", "no_proxy")]
    hosts = dict.fromkeys(each.strip() for each in ",".join([*excepted, host, "localhost"]).split(",") if each.strip())
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(hosts))


def without(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    gone = frozenset(names)
    return {name: value for name, value in environment.items() if name not in gone}


# -- where providers are -----------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a provider is."""

    url: str
    variable: str | None = None
    """The variable that says so; None: everybody knows."""


def places(environment: Mapping[str, str]) -> dict[str, Place]:
    """Every provider of which it is known where it is: what the environment says of it counts before its public
    address. URLs are as given, good or not."""
    found: dict[str, Place] = {}
    for sdk in _SDKS:
        variable = next((name for name in sdk.urls if environment.get(name)), None)
        if variable is not None:
            found[sdk.provider] = Place(environment[variable], variable)
        elif sdk.public is not None:
            found[sdk.provider] = Place(sdk.public)
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if region and "bedrock" not in found:
        found["bedrock"] = Place(f"https://bedrock-runtime.{region}.amazonaws.com")
    location = environment.get("GOOGLE_CLOUD_LOCATION")
    if location and location != "global" and found["vertexai"].variable is None:
        found["vertexai"] = Place(f"https://{location}-aiplatform.googleapis.com")
    found["ollama"] = found["ollama"]._replace(url=_ollama(found["ollama"].url))
    return found


def _ollama(host: str) -> str:
    """The URL that Ollama's variable means: it may have no scheme and no port, and be the address that a server listens
    on."""
    scheme, separator, rest = host.partition("://")
    if not separator:
        scheme, rest = "http", host
    authority, slash, path = rest.partition("/")
    name, _, port = authority.rpartition(":") if authority.rpartition(":")[2].isdigit() else (authority, "", "")
    if name in ("", "0.0.0.0", "[::]"):
        name = "127.0.0.1"
    if not port and not separator:
        port = "11434"
    return f"{scheme}://{name}{port and ':'}{port}{slash}{path}"
