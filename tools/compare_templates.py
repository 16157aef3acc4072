#!/usr/bin/env python3
"""Renders chat templates with jinja2, set up as transformers does it, for ours to be compared with.

usage: compare_templates.py            writes tests/goldens/templates/golden.json
       compare_templates.py --check    renders again and compares with the file

Pairs: every template of tests/goldens/templates/sources with every conversation below, and the
pieces below with one context. quintet/io/templates/golden_test.cc renders them all with ours.
smollm2.jinja is the template of SmolLM2-135M-Instruct (Apache-2.0), scenes-vlm.jinja this project's;
the others are ours and do what templates of other families do. Needs the Python packages
`transformers` and `jinja2`; made with 5.x and 3.1.6.
"""

import datetime
import json
import pathlib
import sys

import transformers.utils.chat_template_utils as hugging_face

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/goldens/templates"


class FixedDate(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6, 9, 5, 3)


SYSTEM = {"role": "system", "content": "  Be brief.\n"}
USER = {"role": "user", "content": "What is 2+3? <b>\"é\"</b>"}
ANSWER = {"role": "assistant", "content": " It is 5.\n"}
AGAIN = {"role": "user", "content": "Und 你好 🙂?"}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Says the weather.\nIn a \"place\".",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Where,\nin words"},
                "days": {"type": ["integer", "null"]},
                "unit": {"type": "string", "enum": ["C", "F"]},
                "tags": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "number"}}}},
            },
            "required": ["place"],
        },
    },
}
PLAIN_TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "abcdefghi", "type": "function",
                    "function": {"name": "get_weather", "arguments": {"place": "Zürich", "days": 2, "x": 1.5, "n": None}}}],
}
TWO_CALLS = {
    "role": "assistant",
    "content": "Let me see.",
    "tool_calls": [{"id": "abcdefghi", "function": {"name": "now", "arguments": {}}},
                   {"id": "jklmnopqr", "name": "now", "function": {"name": "now", "arguments": "{\"z\": []}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "abcdefghi", "content": "{\"t\": 21}"}
THOUGHT = {"role": "assistant", "content": "<think>\nadd them\n</think>\n\nFive."}
PARTS = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What is it? "}]}

CONVERSATIONS = {
    "question": {"messages": [USER], "add_generation_prompt": True},
    "system": {"messages": [SYSTEM, USER], "add_generation_prompt": True},
    "turns": {"messages": [USER, ANSWER, AGAIN], "add_generation_prompt": True},
    "all": {"messages": [SYSTEM, USER, ANSWER, AGAIN, ANSWER], "add_generation_prompt": False},
    "two questions": {"messages": [USER, AGAIN], "add_generation_prompt": True},
    "answer first": {"messages": [ANSWER, USER], "add_generation_prompt": False},
    "nothing": {"messages": [], "add_generation_prompt": True},
    "tools": {"messages": [USER], "tools": [TOOL, PLAIN_TOOL], "add_generation_prompt": True},
    "tools and system": {"messages": [SYSTEM, USER], "tools": [TOOL], "add_generation_prompt": True},
    "tools in front": {"messages": [SYSTEM, USER], "tools": [TOOL], "tools_place": "front",
                       "today": "3 March", "add_generation_prompt": True},
    "call": {"messages": [USER, CALL, RESULT], "tools": [TOOL], "add_generation_prompt": True},
    "calls": {"messages": [SYSTEM, USER, TWO_CALLS, RESULT, RESULT, ANSWER, AGAIN],
              "tools": [TOOL, PLAIN_TOOL], "add_generation_prompt": True},
    "call to the end": {"messages": [USER, CALL, RESULT, THOUGHT], "add_generation_prompt": False},
    "thoughts": {"messages": [USER, THOUGHT, AGAIN, THOUGHT], "add_generation_prompt": False},
    "no thoughts": {"messages": [USER, THOUGHT, AGAIN], "enable_thinking": False, "add_generation_prompt": True},
    "reasoning": {"messages": [USER, {**ANSWER, "reasoning_content": "\nso\n"}], "add_generation_prompt": False},
    "picture": {"messages": [PARTS], "add_generation_prompt": True},
    "system of parts": {"messages": [{"role": "system", "content": [{"type": "text", "text": "S"}]}, PARTS],
                        "add_generation_prompt": True},
    "unknown role": {"messages": [USER, {"role": "narrator", "content": "Later."}], "add_generation_prompt": True},
    "no content": {"messages": [USER, {"role": "assistant", "content": None}], "add_generation_prompt": False},
    "result of an object": {"messages": [USER, CALL, {**RESULT, "content": {"content": {"t": [1, 2.0, True]}}}],
                            "tools": [TOOL], "add_generation_prompt": True},
}

PIECES_CONTEXT = {
    "s": "Hello, wörld", "pad": "  x y  ", "lines": "a\nb\r\n\nc\n", "empty": "", "n": 7, "m": -3, "f": 2.5,
    "yes": True, "no": False, "nothing": None, "list": [3, 1, 2], "words": ["b", "A", "c", "a"],
    "people": [{"name": "Ann", "age": 31, "home": {"city": "Rom"}}, {"name": "bob", "age": 22},
               {"name": "Cid", "age": 31, "home": None}],
    "d": {"z": 1, "a": [1, {"k": "v<'>"}], "M": None, "items": "field"}, "tag": "<think>a</think>b",
}

PIECES = r"""
{{ s }}|{{ n }}|{{ f }}|{{ yes }}|{{ nothing }}|{{ list }}|{{ d }}|{{ missing }}|{{ (1, 'a') }}|{{ (1,) }}|{{ () }}
{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}
{{ 1.0 }} {{ 1e3 }} {{ 1e16 }} {{ 1.5e-7 }} {{ 0.1 + 0.2 }} {{ 1e22 }} {{ 123456789.125 }} {{ 1e-4 }} {{ 1_000 }} {{ 3 / 1 }}
{{ 'a' 'b' "c" }} {{ 'x' * 3 }} {{ [1] * 2 + [2] }} {{ 'it''s' }} {{ "q'q" }} {{ ['it\'s', "q\"q", 'both\'"'] }}
{{ 'tab\tnew\\n\x41\u00e9\101\q' }} {{ ['tab\t\n\x01é\u200b🙂\u00a0'] }}
{{ n == 7 and f > 2 or no }} {{ not yes }} {{ nothing or 'else' }} {{ empty and 1 }} {{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 }} {{ true == 1 }}
{{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ (1, 2) == [1, 2] }} {{ {'a': 1} == {'a': 1.0} }} {{ none == missing }} {{ missing == missing2 }}
{{ 'ell' in s }} {{ 3 in list }} {{ 'z' in d }} {{ 4 not in list }} {{ 'a' in missing }} {{ not 'q' in s }}
{{ 'A' if yes else 'B' }} {{ 'A' if no }} {{ 1 if no else 2 if no else 3 }} {{ ('x' if n > 3 else 'y') ~ 1 ~ none ~ 2.0 }}
{{ s[0] }} {{ s[-1] }} {{ s[7:9] }} {{ s[::-1] }} {{ s[:5] }} {{ s[-5:] }} {{ s[1:-1:2] }} {{ list[1:] }} {{ list[::-1] }} {{ list[5:] }} {{ list[-2:] }} {{ list[:none] }}
{{ list[0] }} {{ list[9] }} {{ list[-3] }} {{ d.z }} {{ d['a'][1].k }} {{ d.nope }} {{ d['items'] }} {{ people[0].home.city }} {{ list.0 }} {{ nothing.x }} {{ n.x }}
{{ pad.strip() }}|{{ pad.lstrip() }}|{{ pad.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.lstrip('ab') }}|{{ '\u3000w\x1f'.strip() }}
{{ s.upper() }} {{ s.lower() }} {{ "it's a DAY, 3rd-day".title() }} {{ 'hELLO wORLD'.capitalize() }} {{ 'straße'.upper() }} {{ 'ΑΣ'.lower() }}
{{ 'a,b,,c'.split(',') }} {{ ' a  b c '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b c '.split(none, 1) }} {{ 'a b c'.rsplit(none, 1) }} {{ ''.split(',') }} {{ ''.split() }}
{{ lines.splitlines() }} {{ lines.splitlines(true) }} {{ 'a-b'.join(['1', '2', '3']) }} {{ s.startswith('He') }} {{ s.endswith(('x', 'ld')) }} {{ s.find('w') }} {{ s.rfind('zz') }} {{ s.count('l') }}
{{ s.replace('l', 'LL') }} {{ s.replace('l', '', 1) }} {{ 'ab'.replace('', '-') }} {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('bc') }} {{ '12'.isdigit() }} {{ ' \t'.isspace() }}
{{ tag.split('</think>')[0].split('<think>')[-1] }} {{ tag.split('</think>')[-1] }} {{ (tag ~ '!')[:-1] }}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %} {{ d.keys()|list }} {{ d.values()|list }} {{ d.get('z') }} {{ d.get('q') }} {{ d.get('q', 5) }} {{ d.copy() == d }}
{{ list.index(2) }} {{ list.count(3) }} {{ list.copy() }} {{ (1, 2).index(2) }}
{{ pad|trim }}|{{ 'xax'|trim('x') }}|{{ s|length }}|{{ list|count }}|{{ d|length }}|{{ missing|length }}|{{ missing|trim }}
{{ s|upper }} {{ s|lower }} {{ "it's a DAY-after (the) {x}"|title }} {{ 'éCOLE x'|capitalize }} {{ 5|upper }} {{ none|lower }}
{{ list|join(', ') }} {{ words|join }} {{ people|join('+', attribute='name') }} {{ [1, none, 'x']|join('|') }} {{ missing|join }} {{ 'abc'|join('.') }}
{{ list|first }} {{ list|last }} {{ ''|first }} {{ []|last }} {{ s|first }} {{ s|last }} {{ d|first }}
{{ missing|default('x') }} {{ empty|default('x') }} {{ empty|default('x', true) }} {{ nothing|default('x') }} {{ nothing|d('x', boolean=true) }} {{ missing|default }}
{{ s|list }} {{ d|list }} {{ 5|string ~ 1 }} {{ list|string }} {{ '12'|int + 1 }} {{ 'x'|int }} {{ 'x'|int(9) }} {{ ' 4.7 '|int }} {{ 3.9|int }} {{ '1e2'|float }} {{ 'x'|float }} {{ '2.50'|float }} {{ none|int }}
{{ s|replace('l', 'L') }} {{ s|replace('l', 'L', 1) }} {{ 123|replace('2', 'x') }}
{{ people|map(attribute='name')|list }} {{ people|map(attribute='home.city', default='-')|list }} {{ words|map('upper')|join }} {{ words|map('replace', 'a', 'o')|list }} {{ [[1, 2], [3, 4]]|map(attribute=1)|list }} {{ [[1, 2], [3, 4]]|map('first')|list }}
{{ people|selectattr('age', 'equalto', 31)|map(attribute='name')|list }} {{ people|rejectattr('home')|map(attribute='name')|list }} {{ people|selectattr('home', 'defined')|list|length }} {{ people|selectattr('age', 'gt', 25)|list|length }}
{{ list|select('gt', 1)|list }} {{ list|reject('odd')|list }} {{ [0, 1, '', 'a']|select|list }} {{ [0, 1, none]|reject|list }} {{ words|select('in', ['a', 'b'])|list }} {{ [1, 'a', none]|select('string')|list }}
{{ list|sort }} {{ words|sort }} {{ words|sort(case_sensitive=true) }} {{ list|sort(reverse=true) }} {{ people|sort(attribute='age')|map(attribute='name')|list }} {{ people|sort(true, false, 'name')|map(attribute='name')|list }}
{{ d|dictsort }} {{ {'b': 1, 'A': 2}|dictsort(true) }} {{ {'b': 1, 'A': 2}|dictsort(by='value', reverse=true) }} {{ d|items|list }} {{ missing|items|list }}
{{ words|unique|list }} {{ [1, 1.0, true, 2]|unique|list }} {{ list|min }} {{ list|max }} {{ words|max }} {{ people|max(attribute='age') }} {{ list|sum }} {{ people|sum('age') }} {{ list|sum(start=10) }}
{{ list|reverse|list }} {{ s|reverse }} {{ 2.567|round(2) }} {{ 2.5|round }} {{ 3.5|round }} {{ 2.1|round(method='ceil') }} {{ -2.1|round(0, 'floor') }} {{ 7|round }} {{ m|abs }} {{ -2.5|abs }} {{ 2.675|round(2) }}
{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ 'a\nb'|indent('> ') }}|{{ 'a\n'|indent }}|{{ lines|indent(1) }}
{{ d|tojson }} {{ d|tojson(indent=2) }} {{ [1, 2.0, true, none, 'é"\\\n\x01\x7f']|tojson }} {{ 'é🙂'|tojson(ensure_ascii=true) }} {{ d|tojson(sort_keys=true) }} {{ list|tojson(separators=(',', ':')) }} {{ []|tojson(indent=1) }} {{ {}|tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }} {{ (1, 2)|tojson }}
{{ d|tojson(indent='--') }} {{ [[], [1, [2]]]|tojson(indent=0) }} {{ 'a/b<c>&'|tojson }}
{{ s|safe }} {{ 'a'|string|upper|lower }} {{ -3|abs }} {{ -n|abs }} {{ (n - 9)|abs }} {{ +n }} {{ --n }} {{ not not n }}
{{ n is defined }} {{ q is defined }} {{ q is undefined }} {{ nothing is none }} {{ s is string }} {{ d is mapping }} {{ list is sequence }} {{ d is sequence }} {{ s is iterable }} {{ n is iterable }} {{ n is number }} {{ f is float }} {{ n is integer }} {{ yes is boolean }} {{ yes is true }} {{ no is false }} {{ 1 is true }} {{ yes is number }} {{ yes is integer }}
{{ n is odd }} {{ n is even }} {{ n is divisibleby 7 }} {{ n is divisibleby(2) }} {{ n is eq 7 }} {{ n is ne 7 }} {{ n is gt(3) }} {{ n is lt 3 }} {{ n is ge 7 }} {{ n is le 6 }} {{ 'a' is in words }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ n is sameas n }} {{ n is not string }} {{ not n is string }} {{ n is not eq 7 or yes }} {{ range is callable }}
{{ q is not defined and s is defined }} {{ 'x' if n is not none else 'y' }} {{ d.items is callable }} {{ (d.nope) is defined }} {{ list[9] is defined }}
{% if n > 5 %}big{% elif n > 3 %}mid{% else %}small{% endif %} {% if missing %}a{% else %}b{% endif %} {% if not missing %}c{% endif %} {% if 0 %}{% elif 0.0 %}{% elif [] %}{% elif {} %}{% elif 'x' %}d{% endif %}
{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ x }} {% endfor %}
{% for x in list %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ ', ' if not loop.last }}{% endfor %} {% for x in list %}{{ loop.cycle('o', 'e') }}{% endfor %}
{% for x in list if x > 1 %}{{ loop.index }}:{{ x }} {% else %}none{% endfor %}{% for x in [] %}{% else %}none{% endfor %}{% for x in list if x > 9 %}{{ x }}{% else %}none{% endfor %}
{% for x in missing %}x{% else %}empty{% endfor %} {% for c in 'añb' %}{{ c }}-{% endfor %} {% for k in d %}{{ k }}{% endfor %} {% for a, b in [(1, 2), [3, 4]] %}{{ a + b }},{% endfor %} {% for i in range(3) %}{{ i }}{% endfor %} {% for i in range(5, 0, -2) %}{{ i }}{% endfor %}
{% for x in list %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% if x == 2 %}{% break %}{% endif %}{% endfor %} {% for x in [1, 2, 3] %}{% if loop.index == 2 %}{% break %}{% endif %}{{ x }}{% else %}E{% endfor %}
{% set x = 1 %}{% for i in list %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }} {% if yes %}{% set x = 9 %}{% endif %}{{ x }}
{% for i in list %}{{ y is defined }}{% set y = 1 %}{% endfor %}{{ y is defined }} {% for i in list %}{% for j in list %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% set ns = namespace(a=1, b='x') %}{% for i in list %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }} {{ ns.b }} {{ ns.c is defined }} {% set ns.c = [ns.a] %}{{ ns.c }} {{ ns['a'] }}
{% set ns = namespace({'k': 1}, z=2) %}{{ ns.k + ns.z }} {{ dict(a=1, b=2) }} {{ dict({'a': 1}, a=3) }}
{% set a, b = 1, 2 %}{{ a }}{{ b }} {% set t = 1, 2 %}{{ t }} {% set (p, q) = 'xy' %}{{ p }}-{{ q }}
{% set block %}  a {{ n }} {% set inner = 1 %}{% endset %}[{{ block }}] {{ inner is defined }} {% set up | upper | trim %} abc {% endset %}[{{ up }}]
{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 5) }} {{ m(1, c=7) }} {{ m(b=1, a=3) }} {{ m() }} {{ m('x') | upper }} {{ m(1) is string }}
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }} {% macro outer() %}{{ s }}{{ later }}{% endmacro %}{% set later = 'L' %}{{ outer() }}
{% macro g() %}{% set z = 1 %}{% for i in [1] %}{{ z }}{% endfor %}{% endmacro %}{{ g() }}{{ z is defined }}
{% raw %}{{ n }} {% if %}{% endraw %} {# comment #}x{#- and -#} y {{- ' z ' -}} w
  {% if yes %}
    indented
  {% endif %}
  tail {% if yes %} mid {% endif %} end
a {%- if yes %} b {%- endif %} c {%+ if yes %} d {% endif +%}   e
{{ '{{' }} {{ '%}' }} {{ {'a': {'b': 1}}.a.b }} {{ {'a': 1,} }} {{ [1, 2,] }} { % } {{ "}}" }}
{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%d %H:%M:%S %A %a %B %j %y %I %p %-d %%') }}
{{ messages is defined }} {{ (1, 2)[0] }} {{ [[1, 2], [3]][0][1] }} {{ {'x': [1, {'y': 2}]}['x'][1]['y'] }} {{ 'a' ~ 'b' if yes else 'c' }} {{ 'abc'[1] }} {{ ('a', 'b') | join }}
{{ list|map('string')|join('-') }} {{ list|map('tojson')|list }} {{ (list|length > 2) and (s|length) }} {{ n|string|length }} {{ list|length - 1 }} {{ 2 + list|length * 2 }} {{ s|upper ~ s|lower }}
{% if people|selectattr('name', 'equalto', 'zzz') %}always{% endif %} {% if people|selectattr('name', 'equalto', 'zzz')|list %}{% else %}empty{% endif %}
{% generation %}inside {{ n }}{% endgeneration %} {% if messages is undefined or messages|length == 0 %}no messages{% endif %}
{{ none is string }} {{ 'none' is none }} {{ [none, 1]|select('none')|list }} {{ [1, 2] is iterable and [1, 2] is not string }} {{ d is iterable and d is not mapping }}
{{ missing.x }}
{{ missing['x'] }}
{{ missing() }}
{{ missing + 'a' }}
{{ 'a' + 1 }}
{{ 'a' + none }}
{{ none + 'a' }}
{{ s.nope() }}
{{ n() }}
{{ 'a' < 1 }}
{{ missing < 1 }}
{{ list.append(1) }}
{{ d.update({'a': 1}) }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 5|length }}
{{ missing|tojson }}
{{ 'a'|nofilter }}
{{ 'a' is notest }}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% set n.x = 1 %}
{% set ns = namespace() %}{% set ns._x = 1 %}
{{ raise_exception('No: ' ~ n) }}
{% if no %}{{ raise_exception('never') }}{% endif %}fine
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(b=2) }}
{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}
{{ range(1000000)|length }}
{{ 'x'.join([1]) }}
{{ [1, 'a']|sort }}
{{ ['a', 1]|join(1) }}
{{ {[1]: 2} }}
{{ list['a'] }}{{ list[1.5] }}|{{ 'abc'['x'] }}|{{ people[0]['name'] }}{{ people[0]['nope'] }}
{{ s.split('') }}
{{ 'a'.startswith(1) }}
{% break %}
{% if %}{% endif %}
{% endif %}
{% for %}{% endfor %}
{% nonsense %}
{{ }}
{{ 1 + }}
{{ (1 }}
{{ [1, 2 }}
{{ 'abc }}
{% if yes %}
{# no end
{{ n
{% raw %} x
{% set 1 = 2 %}
{% set true = 2 %}
{{ a b }}
{{ a..b }}
{{ n|  }}
{{ n is }}
{% macro m(a=1, b) %}{% endmacro %}
{% for x in list %}{% else %}{% else %}{% endfor %}
"""


def render(source: str, context: dict):
    try:
        compiled = hugging_face._cached_compile_jinja_template(source)
        return compiled.render(**context)
    except Exception as error:  # Whatever Python raises, ours has to refuse it too.
        print(f"  refused ({type(error).__name__}: {str(error)[:60]}): {source[:60]!r}", file=sys.stderr)
        return None


def cut_pieces() -> list[str]:
    """One template a line, except lines that begin with two spaces and the line after them."""
    pieces = []
    for line in PIECES.strip("\n").split("\n"):
        if line.startswith("  ") and pieces:
            pieces[-1] += "\n" + line
        else:
            pieces.append(line)
    return pieces


def main():
    hugging_face.datetime = FixedDate
    variables = {"bos_token": "<s>", "eos_token": "</s>", "documents": None}
    contexts = {name: {**variables, "tools": None, **conversation} for name, conversation in CONVERSATIONS.items()}
    contexts["pieces"] = PIECES_CONTEXT
    cases = []
    for path in sorted((FOLDER / "sources").glob("*.jinja")):
        source = path.read_text()
        cases += [{"file": path.name, "context": name, "text": render(source, contexts[name])} for name in CONVERSATIONS]
    cases += [{"source": piece, "context": "pieces", "text": render(piece, PIECES_CONTEXT)} for piece in cut_pieces()]
    lines = [json.dumps(case, ensure_ascii=False) for case in cases]
    document = '{"contexts": ' + json.dumps(contexts, ensure_ascii=False) + ',\n"cases": [\n' + ",\n".join(lines) + "\n]}\n"
    target = FOLDER / "golden.json"
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if target.read_text() == document else f"{target} is not what jinja2 gives")
    target.write_text(document)
    refused = sum(case["text"] is None for case in cases)
    print(f"{len(cases)} pairs, {refused} of them refused")


if __name__ == "__main__":
    main()
