#include "weight.h"

#include <string.h>

status weight_product(const weight_gradient *gradient)
{
    const ptrdiff_t elements = gradient->groups * gradient->filters * gradient->channels * gradient->from.taps;
    if (elements == 0)
        return OK;
    if (gradient->batch * volume(gradient->from.grid) == 0) {
        memset(gradient->target, 0, (size_t)elements * sizeof(real));
        return OK;
    }
    return dots_take(gradient) ? weight_by_dots(gradient) : weight_by_panels(gradient);
}
