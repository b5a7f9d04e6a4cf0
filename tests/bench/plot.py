# plot: the summary as one SVG picture: bars for the medians, lines for the spread. No library is needed for that.

from html import escape

COLOURS = {'posthouse': '#2465a6', 'postfix': '#a3a3a3', 'limit': '#d8b94a'}
ROW, GAP, LABEL, BAR, VALUE = 20, 46, 90, 280, 180
PANEL = LABEL + BAR + VALUE
MEASURES = [('rate', 'messages/s', ',.0f'), ('cpu', 'CPU s per 1,000 messages', '.3f'),
            ('kb', 'KB an idle session', ',.1f')]


def _text(x, y, text, extra=''):
    return f'<text x="{x:.1f}" y="{y:.1f}" {extra}>{escape(text)}</text>'


def _bar(x, y, name, spread, form, scale):
    long = max(spread.median * scale, 1)
    low, high = x + LABEL + spread.least * scale, x + LABEL + spread.most * scale
    middle = y + ROW / 2 - 2
    return [_text(x + LABEL - 8, middle + 4, name, 'text-anchor="end"'),
            f'<rect x="{x + LABEL}" y="{y}" width="{long:.1f}" height="{ROW - 4}" '
            f'fill="{COLOURS.get(name, "#777")}"/>',
            f'<path d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8" '
            'stroke="#222"/>',
            _text(max(high, x + LABEL + long) + 6, middle + 4, f'{spread.median:{form}}')]


def _panel(x, y, title, of, key, form):
    most = max(m[key].most for m in of.values()) or 1
    out = [_text(x + LABEL, y - 6, title, 'fill="#555"')]
    for i, (name, measures) in enumerate(of.items()):
        out += _bar(x, y + i * ROW, name, measures[key], form, BAR / most)
    return out


def svg(summary, titles, subtitle):
    body, y = [], 80
    for workload, of in summary.items():
        body.append(_text(20, y, titles[workload], 'font-weight="bold"'))
        y += 28
        shown = [m for m in MEASURES if all(m[0] in measures for measures in of.values())]
        for i, (key, title, form) in enumerate(shown):
            body += _panel(20 + i * PANEL, y, title, of, key, form)
        y += len(of) * ROW + GAP
    head = [_text(20, 30, 'Posthouse bench', 'font-size="18" font-weight="bold"'),
            _text(20, 50, subtitle, 'fill="#555"')]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * PANEL + 40}" height="{y}" font-family="sans-serif" '
            f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>\n' + '\n'.join(head + body) + '\n</svg>\n')
