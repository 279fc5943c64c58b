"""How a caption is asked for, in twenty languages: for caption data that have no human turn."""

from __future__ import annotations

import random

PROMPTS: dict[str, tuple[str, ...]] = {
    "en": ("Describe this picture.", "What can be seen here?", "Write a caption for this picture."),
    "de": ("Beschreibe dieses Bild.", "Was ist hier zu sehen?", "Schreibe eine Bildunterschrift."),
    "nl": ("Beschrijf deze afbeelding.", "Wat is hier te zien?", "Schrijf een onderschrift bij deze afbeelding."),
    "es": ("Describe esta imagen.", "¿Qué se ve aquí?", "Escribe un pie de foto para esta imagen."),
    "fr": ("Décris cette image.", "Que voit-on ici ?", "Écris une légende pour cette image."),
    "pt": ("Descreva esta imagem.", "O que se vê aqui?", "Escreva uma legenda para esta imagem."),
    "uk": ("Опиши це зображення.", "Що тут видно?", "Напиши підпис до цього зображення."),
    "hi": ("इस तस्वीर का वर्णन करें।", "यहाँ क्या दिख रहा है?", "इस तस्वीर के लिए एक शीर्षक लिखें।"),
    "zh": ("请描述这张图片。", "这里能看到什么？", "请为这张图片写一句说明。"),
    "zh-Hant": ("請描述這張圖片。", "這裡能看到什麼？", "請為這張圖片寫一句說明。"),
    "ru": ("Опиши это изображение.", "Что здесь видно?", "Напиши подпись к этому изображению."),
    "cs": ("Popiš tento obrázek.", "Co je zde vidět?", "Napiš popisek k tomuto obrázku."),
    "ko": ("이 사진을 설명해 주세요.", "여기에 무엇이 보이나요?", "이 사진의 설명을 써 주세요."),
    "ja": ("この写真を説明してください。", "ここに何が見えますか。", "この写真の説明文を書いてください。"),
    "it": ("Descrivi questa immagine.", "Che cosa si vede qui?", "Scrivi una didascalia per questa immagine."),
    "pl": ("Opisz ten obraz.", "Co tu widać?", "Napisz podpis do tego obrazu."),
    "ro": ("Descrie această imagine.", "Ce se vede aici?", "Scrie o legendă pentru această imagine."),
    "no": ("Beskriv dette bildet.", "Hva ser man her?", "Skriv en bildetekst."),
    "nn": ("Skildra dette biletet.", "Kva ser ein her?", "Skriv ein bilettekst."),
}
ALIASES = {"nb": "no", "es-latam": "es", "pt-PT": "pt", "pt-BR": "pt", "zh-Hans": "zh"}


def caption_prompt(language: str, sample: str) -> str:
    """One of the language's prompts, drawn with the sample's name; English where the language has none."""
    known = PROMPTS.get(ALIASES.get(language, language)) or PROMPTS.get(language.partition("-")[0]) or PROMPTS["en"]
    return random.Random(f"caption/{sample}").choice(known)
