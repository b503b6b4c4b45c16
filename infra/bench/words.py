"""The words in names and tags of the generated Hub."""

from __future__ import annotations

import json

FIRST = "keen swift quiet bright open tiny north lunar rapid solid amber vivid noble urban iron zen"
SECOND = "mind forge labs nova ware leaf byte core wave fox data pilot stack mesh bee rose"
STEMS = """Qwen2.5 Qwen3 Llama-3.1 Llama-2 gemma-2 Mistral-v0.3 phi-4 DeepSeek-R1 bert-base
roberta-base whisper-small wav2vec2 vit-base stable-diffusion sdxl flux t5-base gpt2 SmolLM2
distilbert all-MiniLM ppo-LunarLander yolo resnet-50 my-model test finetuned-model Falcon3"""
SIZES = "0.5B 1.5B 3B 7B 8B 14B 32B 70B small medium large xl"
FORMS = "Instruct Chat lora GGUF GPTQ AWQ 4bit merged sft dpo ner sentiment zh en v2 final"
LICENSES = "apache-2.0 mit other llama3.1 openrail creativeml-openrail-m cc-by-nc-4.0 gemma"
LANGUAGES = "en zh fr de es it ja ko ru ar hi pt vi th id tr pl nl sv fi cs ro hu el he uk fa bn ta"
# Task, library, share of the models.
KINDS = (
    ("text-generation", "transformers", 0.21),
    ("text-generation", "peft", 0.08),
    ("text-classification", "transformers", 0.05),
    ("text-to-image", "diffusers", 0.07),
    ("automatic-speech-recognition", "transformers", 0.02),
    ("reinforcement-learning", "stable-baselines3", 0.03),
    ("image-text-to-text", "transformers", 0.02),
    ("any-to-any", "transformers", 0.005),
    ("feature-extraction", "sentence-transformers", 0.02),
    ("image-classification", "transformers", 0.02),
    (None, "transformers", 0.10),
    (None, "gguf", 0.05),
    (None, None, 0.325),
)
# Share of the models with at most that many of `extras()`: most have none, a few very many.
EXTRA_SHARES = (0.12, 0.28, 0.44, 0.60, 0.74, 0.84, 0.92, 0.955, 0.985, 0.988, 0.9985)


def json_text(value: object) -> str:
    """A value as the API writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def extras() -> list[str | None]:
    """Further tags, as the inside of a JSON list; null for none. From few to very many."""
    languages = LANGUAGES.split()
    served = ["text-generation-inference", "autotrain_compatible", "endpoints_compatible"]
    tags = [
        ["en", "endpoints_compatible"],
        ["tensorboard", "generated_from_trainer", "endpoints_compatible"],
        ["pytorch", "bert", "arxiv:1910.01108", "model-index", "en", *served],
        ["unsloth", "trl", "sft", "conversational", "en", *served],
        ["dataset:HuggingFaceH4/ultrafeedback_binarized", "arxiv:2305.18290", "dpo", *served],
        [*languages[:8], "arxiv:2307.09288", "conversational", *served],
        [*(f"dataset:collected/corpus-{n}" for n in range(8)), *served],
        languages,
        ['a "quoted" tag', "back\\slash", "naïve café 模型", "tab\there"],
        [f"dataset:archive/collected-web-pages-part-{n:03d}" for n in range(60)],
        [f"dataset:archive/collected-web-pages-part-{n:05d}" for n in range(500)],
    ]
    return [None, *(json_text(some)[1:-1] for some in tags)]
