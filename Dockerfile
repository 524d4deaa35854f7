# A wheel is built and installed into a virtual environment here, so that the image carries no build tools.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY aimock aimock
COPY protocols protocols
# pip compiles the bytecode as it installs: the server starts fast on a root file system that cannot be written.
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && python -m venv /opt/aimock \
    && /opt/aimock/bin/pip install --no-cache-dir /wheels/*.whl


FROM python:3.13-slim
LABEL org.opencontainers.image.title="aimock" \
      org.opencontainers.image.description="A mock server for the whole agentic AI stack, on one port." \
      org.opencontainers.image.licenses="MIT"

COPY --from=build /opt/aimock /opt/aimock
COPY examples/fixtures /app/fixtures
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin aimock

# The host is an environment variable and not an argument: arguments given to `docker run` replace CMD, and a server
# that listened on 127.0.0.1 could not be reached through a published port.
ENV AIMOCK_HOST=0.0.0.0 \
    PATH=/opt/aimock/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /app
# By number, so that an orchestrator can see for itself that it is not root.
USER 10001:10001
EXPOSE 4010

# No proxies: the environment may name some, and this request is for the server beside it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener as b; b(ProxyHandler({})).open('http://127.0.0.1:4010/health', timeout=2)"]

ENTRYPOINT ["aimock"]
CMD ["--fixtures", "/app/fixtures"]
