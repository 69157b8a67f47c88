/* The element type and instruction set of this translation unit.
 *
 * Every kernel is compiled once per (instruction set, element type); meson passes ISA and REAL, and NAME() keeps the
 * copies apart at link time. */
#ifndef MINIGRAD_REAL_H
#define MINIGRAD_REAL_H

#include <stddef.h>
#include <stdint.h>

typedef REAL real;

#define NAME_PASTE(name, isa, type) name##_##isa##_##type
#define NAME_EXPAND(name, isa, type) NAME_PASTE(name, isa, type)
#define NAME(name) NAME_EXPAND(name, ISA, REAL)

static inline ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static inline ptrdiff_t ceil_div(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
static inline ptrdiff_t round_up(ptrdiff_t a, ptrdiff_t multiple) { return ceil_div(a, multiple) * multiple; }

#endif
