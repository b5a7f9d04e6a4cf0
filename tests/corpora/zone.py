# zone.py: DNS of a test as text for --dns: names and data as bytes or str, everything that isn't plain escaped.


def plain(text):
    return text.encode('utf-8', 'surrogateescape') if isinstance(text, str) else text


def escaped(data, special):
    return ''.join(chr(c) if 0x20 < c < 0x7f and chr(c) not in special else f'\\{c:03d}' for c in data)


def name(text):
    """A name with its final dot; what would be syntax is escaped."""
    labels = plain(text).rstrip(b'.').split(b'.')
    return '.'.join(escaped(label, '\\;"()@$#') for label in labels) + '.'


def text(data):
    """A TXT's data: strings of 255 bytes at most, in quotes."""
    data = plain(data)
    parts = [data[i:i + 255] for i in range(0, len(data), 255)] or [b'']
    return ' '.join('"' + escaped(p, '\\"').replace('\\032', ' ') + '"' for p in parts)


def line(owner, rtype, data):
    """`data`: as DNS has it; (preference, name) for an MX; a word as TIMEOUT where `rtype` is None."""
    if rtype is None:
        return f'{name(owner)} {data}\n'
    if rtype in ('TXT', 'SPF'):
        return f'{name(owner)} {rtype} {text(data)}\n'
    if rtype == 'MX':
        return f'{name(owner)} MX {data[0]} {name(data[1]) if data[1] else "."}\n'
    return f'{name(owner)} {rtype} {name(data) if rtype in ("PTR", "CNAME") else data}\n'
