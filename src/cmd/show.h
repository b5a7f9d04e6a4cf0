// show: output for people: text that others chose made safe for a terminal, sizes and times in words, colour.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Foreign text with everything that can't be shown replaced by "?".
void show_text(FILE *to, const char *text);

// "12 s", "3 min", "5 h 12 min", "2 d 4 h".
void show_duration(char *to, size_t size, int64_t seconds);

// "512 B", "3.4 KiB", "12.0 MiB".
void show_size(char *to, size_t size, uint64_t bytes);

enum show_colour { SHOW_PLAIN, SHOW_GOOD, SHOW_BAD, SHOW_BOLD };

// The sequence for a terminal; "" when `to` is none or NO_COLOR is set. SHOW_PLAIN ends what was begun.
const char *show_colour(FILE *to, enum show_colour c);
