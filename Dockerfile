# One image for web, workers, upkeep and migrations. It runs from /app: workers/ and migrations/ lie beside the package.
FROM python:3.11.13-slim-bookworm

# lite: the CPU engine; postgres: the driver. Add s3 for pictures in an object store.
ARG EXTRAS=lite,postgres

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --system --uid 10001 --create-home csbot \
    && install -d -o csbot -g csbot /var/lib/cs-bot
WORKDIR /app

# The packages change seldom, the code often: this layer needs only what names them.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY cs_bot/__init__.py cs_bot/
RUN pip install -c constraints.txt -e ".[${EXTRAS}]"

COPY cs_bot/ cs_bot/
COPY workers/ workers/
COPY migrations/ migrations/
RUN python -m compileall -q cs_bot workers

ENV CSBOT_HOME=/var/lib/cs-bot
VOLUME /var/lib/cs-bot
USER csbot
EXPOSE 8080
CMD ["cs-bot", "web", "--host", "0.0.0.0"]
