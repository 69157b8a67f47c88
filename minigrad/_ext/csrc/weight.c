#include "weight.h"

#include <string.h>

#include "winograd.h"

status weight_product(const weight_gradient *gradient, conv_algorithm algorithm)
{
    const ptrdiff_t elements = gradient->groups * gradient->filters * gradient->channels * gradient->from.taps;
    if (elements == 0)
        return OK;
    if (gradient->batch * volume(gradient->from.grid) == 0) {
        memset(gradient->target, 0, (size_t)elements * sizeof(real));
        return OK;
    }
    const int outputs = winograd_weight_outputs(gradient, algorithm);
    if (outputs)
        return weight_by_winograd(gradient, outputs);
    return dots_take(gradient) ? weight_by_dots(gradient) : weight_by_panels(gradient);
}
