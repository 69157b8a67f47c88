/* Elementwise formulas as lists of instructions for a machine whose registers are arrays. */
#ifndef MINIGRAD_INSTRUCTIONS_H
#define MINIGRAD_INSTRUCTIONS_H

#include <stddef.h>
#include <stdint.h>

/* What one instruction writes to register `out`, given registers a, b and c. Every one is rounded by itself, so that
 * results do not depend on the instruction set. Comparisons give 1 or 0; a NaN stays NaN through MAXIMUM, MINIMUM and
 * SIGN. */
typedef enum {
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE,
    MAXIMUM,
    MINIMUM,
    LESS,
    GREATER,
    EQUAL,
    SQRT,
    ABSOLUTE,
    SIGN,
    COPY,
    WHERE, /* a ? b : c */
    OPERATIONS
} operation;

typedef struct {
    int32_t operation, out, a, b, c;
} instruction;

enum {
    FORMULA_ARRAYS = 16,
    FORMULA_SCRATCH = 32, /* the most constants and temporaries together */
};

/* Registers are, in this order: the arrays, which may be written, the constants, and the temporaries. */
typedef struct {
    ptrdiff_t arrays, constants, temporaries, length;
    const instruction *code;
} formula;

#endif
