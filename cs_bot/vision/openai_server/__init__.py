"""Any OpenAI-compatible server as an engine: vLLM, our own `cs-bot serve`, or a hosted one."""

from cs_bot.errors import ConfigError
from cs_bot.settings import EngineSettings
from cs_bot.vision.openai_server.generator import OpenAIGenerator
from cs_bot.vision.openai_server.http import Pool
from cs_bot.vision.openai_server.pictures import Encoder
from cs_bot.vision.openai_server.waiting import Breaker
from cs_bot.vision.prompted import Limits, PromptedVision
from cs_bot.vision.prompts import load_prompts

CHECKPOINT = "Qwen/Qwen3-VL-8B-Instruct"


def build(settings: EngineSettings) -> PromptedVision:
    """Open the engine; nothing is asked of the server yet. Raises ConfigError without an address."""
    if not settings.url:
        raise ConfigError("engine 'openai' needs CSBOT_ENGINE__URL, for example http://127.0.0.1:8000/v1")
    checkpoint = settings.checkpoint or CHECKPOINT
    key = settings.api_key.get_secret_value() if settings.api_key is not None else None
    generator = OpenAIGenerator(
        Pool(settings.url, key, settings.concurrency),
        Encoder(settings.max_pixels),
        checkpoint,
        settings.temperature,
        Breaker(),
    )
    return PromptedVision(
        generator,
        name="openai",
        version=f"{checkpoint}@{settings.max_pixels}px,t{settings.temperature:g}",
        prompts=load_prompts(),
        limits=Limits(settings.limit_s(), settings.max_new_tokens, settings.concurrency),
    )
