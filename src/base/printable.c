// printable: strict decoding of UTF-8 and the list of characters that are never shown raw.
#include "base/printable.h"

size_t printable_run(struct slice s) {
    size_t i = 0;
    while (i < s.n && s.p[i] >= ' ' && s.p[i] <= '~' && s.p[i] != '"' && s.p[i] != '\\')
        i++;
    return i;
}

// Length of the sequence that `lead` begins, and the smallest code that may be written so long; 0 for no lead byte.
static size_t sequence(uint8_t lead, uint32_t *bits, uint32_t *smallest) {
    static const struct {
        uint8_t mask, mark;
        uint32_t smallest;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t i = 0; i < 4; i++) {
        if ((lead & forms[i].mask) == forms[i].mark) {
            *bits = lead & (uint32_t)(uint8_t)~forms[i].mask;
            *smallest = forms[i].smallest;
            return i + 1;
        }
    }
    return 0;
}

size_t printable_decode(struct slice s, uint32_t *code) {
    if (s.n == 0)
        return 0;
    uint32_t value = 0, smallest = 0;
    size_t n = sequence((uint8_t)s.p[0], &value, &smallest);
    if (n == 0 || n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if ((c & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (c & 0x3f);
    }
    if (value < smallest || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return n;
}

bool printable_safe(uint32_t code) {
    static const struct {
        uint32_t from, to;
    } hidden[] = {
        {0x00, 0x1f},       {0x7f, 0x9f},     // C0, DEL, C1
        {0xad, 0xad},       {0x61c, 0x61c},   // soft hyphen, Arabic letter mark
        {0x115f, 0x1160},   {0x180e, 0x180e}, // Hangul fillers, Mongolian vowel separator
        {0x200b, 0x200f},   {0x2028, 0x202e}, // zero width and direction marks; separators, embeddings, overrides
        {0x2060, 0x206f},   {0x3164, 0x3164}, // word joiner, isolates, deprecated controls; Hangul filler
        {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f}, // noncharacters, variation selectors
        {0xfeff, 0xfeff},   {0xfff0, 0xfffb}, // byte order mark, annotations
        {0xe0000, 0xe0fff},                   // tags
    };
    if ((code & 0xfffe) == 0xfffe)
        return false;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0] && code >= hidden[i].from; i++) {
        if (code <= hidden[i].to)
            return false;
    }
    return true;
}
