"""The baseline of qwen_gpu.py: the same turns through vLLM in this process, with weights as random as ours."""

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

import _qwen as q


def table(shape: str, given: argparse.Namespace, told: q.Told) -> str:
    """Turns a second for each number at once; the prefix cache is on: a turn's second call finds its picture."""
    from vllm import LLM

    from cs_bot.vision.prompts import load_prompts
    from tests.checkpoints import CHAT_TEMPLATE, make_config, make_tokenizer, write_processors

    prompts, wanted = load_prompts(), q.SHAPES[shape]
    tokenizer = make_tokenizer(6000, list(prompts.texts.values()))
    tokenizer.chat_template = CHAT_TEMPLATE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer.save_pretrained(folder)
        write_processors(folder)
        config = make_config(
            tokenizer, hidden=64, layers=4, std=0.02, untie=wanted.untie, text=wanted.text, vision=wanted.vision
        )
        config.architectures = ["Qwen3VLForConditionalGeneration"]
        config.save_pretrained(folder)
        network = LLM(
            str(folder),
            load_format="dummy",
            dtype="bfloat16",
            max_model_len=8192,
            limit_mm_per_prompt={"image": 1, "video": 0},
        )
        rows = []
        numbers = iter(range(1_000_000, 2_000_000))
        for count in (1, *given.at_once):  # the first is the warm-up
            if told.over:
                break
            shown = [q.picture(next(numbers), given.tokens) for _ in range(count)]
            took, _ = q.clocked(lambda shown=shown: _turns(network, tokenizer, prompts, shown, given.written))
            told.say(f"vLLM, {count} at once: {count / took:.2f} turns a second")
            rows.append((str(count), f"{took:.2f} s", f"{count / took:.2f}"))
    return q.markdown(("vLLM, turns at once", "all done after", "turns a second"), rows[1:])


def _turns(network: Any, tokenizer: Any, prompts: Any, shown: list[Any], written: int) -> None:
    from vllm import SamplingParams

    classify = [_prompt(tokenizer, prompts.classify(one)) for one in shown]
    network.generate(classify, SamplingParams(temperature=0, max_tokens=1, logprobs=20), use_tqdm=False)
    answers = [_prompt(tokenizer, prompts.answer(q.ask(one))) for one in shown]
    wish = SamplingParams(temperature=0, max_tokens=written, min_tokens=written, logprobs=0)
    network.generate(answers, wish, use_tqdm=False)


def _prompt(tokenizer: Any, asked: Any) -> dict[str, Any]:
    from PIL import Image

    content = [{"type": "image"}, {"type": "text", "text": asked.text}]
    messages = [{"role": "system", "content": asked.system}, {"role": "user", "content": content}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    image = Image.open(io.BytesIO(asked.pictures[0].data))
    return {"prompt": text, "multi_modal_data": {"image": image}}
