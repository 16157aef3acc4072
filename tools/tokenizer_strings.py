"""Texts that try a tokenizer, always the same ones: for tools/compare_tokenizers.py."""

import pathlib
import random
import unicodedata

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, doesn't it?",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "Portez ce vieux whisky au juge blond qui fume; l'été, ça déçoit.",
    "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia. ¿Qué?",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Pchnąć w tę łódź jeża lub ośm skrzyń fig.",
    "Pijamalı hasta yağız şoföre çabucak güvendi. İstanbul, ılık.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ΟΔΥΣΣΕΥΣ",
    "דג סקרן שט בים מאוכזב ולפתע מצא חברה",
    "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश",
    "আমি বাংলায় গান গাই, আমি বাংলার গান গাই।",
    "யாமறிந்த மொழிகளிலே தமிழ்மொழி போல் இனிதாவது எங்கும் காணோம்",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
    "いろはにほへと ちりぬるを。吾輩は猫である、名前はまだ無い。カタカナ",
    "视野无限广，窗外有蓝天。天地玄黃，宇宙洪荒。",
    "საქართველო ჩემი სამშობლოა",
    "Երկիր մոլորակը կլոր է։",
    "ሰላም ልዑል እንዴት ነህ።",
    "ខ្ញុំអាចញ៉ាំកញ្ចក់បាន",
    "မြန်မာစာ ဖတ်နိုင်သည်",
    "Tiếng Việt có nhiều dấu thanh: ngã, hỏi, nặng.",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒎𝒂𝒕𝒉 ＦＵＬＬ ｗｉｄｔｈ ﬁne ﬂow Ǆ ½ Ⅻ ①",
]
CODE = [
    "def f(x):\n    return x ** 2\n\n\nprint(f(10))  # a hundred",
    "int main(void) {\n\tprintf(\"%d\\n\", 0x1F);\n\treturn 0;\n}",
    "for (auto& [k, v] : map) { if (v >= 3 && !k.empty()) out += k; }",
    "SELECT a.id, COUNT(*) FROM t AS a WHERE a.x <> 'y' GROUP BY 1;",
    "<div class=\"a\">\n  <p>x &amp; y</p>\n</div>",
    "{\"key\": [1, 2.5e-3, null, true], \"k2\": {\"a\": \"b\\u00e9\"}}",
    "$ git commit -m 'x' && ls -la ~/src | grep '\\.cc$' > /dev/null 2>&1",
    "fn main() -> Result<(), Box<dyn Error>> {\n        let x = &mut v[..];\n}",
    "# Title\n\n- item *one*\n- item `two`\n\n| a | b |\n|---|---|\n",
    "\\frac{\\partial f}{\\partial x} = \\sum_{i=0}^{n} x_i^2",
]
EMOJI = ["🙂", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "1️⃣", "❤️", "🧑🏿‍🚀", "☎", "✨", "🤷‍♀️", "👨‍⚕️"]
SPACES = list(" \t\n\r\v\f\x85\xa0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000") + [
    "  ", "    ", "\r\n", "\n\n", "\n\n\n", "\t\t", "        ", " \n ", "\u200b", "\ufeff", "\u2060"]
MARKS = [chr(c) for c in range(0x300, 0x370)] + list("\u0591\u05b0\u064b\u0651\u093c\u094d\u0e31\u3099\u20dd")
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "’s", "'"]
ADDED = ["<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "[MASK]", "<tag>",
         "<tagged>", "quintet", "Étoile", "E\u0301toile", "<0x0A>", "<0xE2>", "<|im_st", "\u2581"]


# Decompositions of Unicode 14, which Hugging Face tokenizers 0.23 does not know.
NEW_DECOMPOSITIONS = "\ua7f2\ua7f3\ua7f4"


def assigned(low, high):
    return [chr(c) for c in range(low, high)
            if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")
            and chr(c) not in NEW_DECOMPOSITIONS]


class Strings:
    def __init__(self, seed):
        self.random = random.Random(seed)
        data = pathlib.Path(__file__).parent.parent / "bench/data"
        self.prose = [line for name in ("austen.txt", "everyday.txt")
                      for line in (data / name).read_text().splitlines() if line]
        self.all_characters = assigned(0, 0x3100) + assigned(0xa000, 0xa980) + assigned(
            0xf900, 0x10000) + assigned(0x10000, 0x10400) + assigned(0x1d400, 0x1d500) + assigned(
            0x1f300, 0x1f600)

    def slice(self, text, longest):
        begin = self.random.randrange(len(text))
        return text[begin:begin + self.random.randint(1, longest)]

    def plain(self):
        return self.slice(self.random.choice(self.prose), 90)

    def script(self):
        return self.slice(self.random.choice(SENTENCES), 60)

    def code(self):
        return self.slice(self.random.choice(CODE), 80)

    def emoji(self):
        return "".join(self.random.choice(EMOJI + [" ", "a", "!"])
                       for _ in range(self.random.randint(1, 6)))

    def number(self):
        r = self.random
        return r.choice([
            str(r.randrange(10 ** r.randint(1, 12))), f"{r.uniform(-1e4, 1e4):.3f}",
            f"{r.randrange(10**7):,}", hex(r.randrange(1 << 32)), f"{r.uniform(0, 1):e}",
            f"{r.randrange(24):02}:{r.randrange(60):02}", "٣٤٥", "१२३", "x²⁰³", "٪5", "1st 2nd"])

    def spaces(self):
        return "".join(self.random.choice(SPACES) for _ in range(self.random.randint(1, 5)))

    def marks(self):
        return "".join(self.random.choice("aeoEuncs \u0915\u304b") +
                       "".join(self.random.choice(MARKS) for _ in range(self.random.randint(0, 3)))
                       for _ in range(self.random.randint(1, 6)))

    def control(self):
        return "".join(self.random.choice("ab \x00\x01\x07\x08\x1b\x1f\x7f\x80\x9f\u200e\u202e\ufffd")
                       for _ in range(self.random.randint(1, 6)))

    def character(self):
        return "".join(self.random.choice(self.all_characters)
                       for _ in range(self.random.randint(1, 8)))

    def word(self):
        return self.random.choice(self.random.choice(self.prose).split()) + self.random.choice(
            CONTRACTIONS + [""] * 6)

    def repeat(self):
        return self.random.choice(["a", " ", "ab", "▁", "\n", "é", "0", "=", "🙂", "中", "the "]
                                  ) * self.random.randint(2, 40)

    def added(self):
        return self.random.choice(["", " ", "  "]) + self.random.choice(
            ADDED) + self.random.choice(["", " ", "\n"])

    def lossy(self):
        broken = bytearray(self.script().encode())
        for _ in range(self.random.randint(1, 3)):
            broken[self.random.randrange(len(broken))] = self.random.randrange(256)
        return bytes(broken).decode(errors="replace")

    def mixed(self):
        kinds = [self.plain, self.script, self.code, self.emoji, self.number, self.spaces,
                 self.marks, self.control, self.character, self.word, self.word, self.repeat,
                 self.added, self.added, self.lossy]
        return "".join(self.random.choice(kinds)() for _ in range(self.random.randint(2, 6)))

    def make(self, count):
        """`count` different texts, the short ones of all characters first."""
        texts = dict.fromkeys(["", " ", "  "] + [chr(c) for c in range(256)] + SENTENCES + CODE)
        kinds = [self.plain, self.script, self.code, self.emoji, self.number, self.spaces,
                 self.marks, self.control, self.character, self.repeat, self.lossy,
                 lambda: self.added() + self.word() + self.added()] + [self.mixed] * 8
        while len(texts) < count:
            texts[self.random.choice(kinds)()] = None
        return list(texts)[:count]

    def broken(self, count):
        """Triples of valid text, bytes of which none is valid UTF-8, and valid text."""
        wrong = [b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x99", b"\x80\x80", b"\xed\xa0\x80",
                 b"\xc0\xaf", b"\xfe\xff\xfe", b"\xf5\x80", b"\xe2\xe2"]
        valid = [self.plain, self.code, self.number]
        return [(self.random.choice(valid)() + "x", self.random.choice(wrong),
                 "x" + self.random.choice(valid)()) for _ in range(count)]
