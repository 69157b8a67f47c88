/* What kernels return. */
#ifndef MINIGRAD_STATUS_H
#define MINIGRAD_STATUS_H

typedef enum {
    OK,
    NO_MEMORY, /* for scratch buffers */
    BAD_INDEX, /* an index lies outside of its plane */
    INTERRUPTED, /* the handler of a signal has raised an exception, which is set */
} status;

#endif
