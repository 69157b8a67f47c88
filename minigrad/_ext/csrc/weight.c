#include "weight.h"

#include <string.h>

#include "winograd.h"

status weight_product(const weight_gradient *gradient, const conv_shape *shape)
{
    const ptrdiff_t elements = gradient->groups * gradient->filters * gradient->channels * gradient->from.taps;
    if (elements == 0)
        return OK;
    if (gradient->batch * volume(gradient->from.grid) == 0 && !shape->report) {
        memset(gradient->target, 0, (size_t)elements * sizeof(real));
        return OK;
    }
    conv_choice choice = {.method = taps_take(gradient, shape) ? BY_TAPS : dots_take(gradient) ? BY_DOTS : BY_PANELS};
    const tile_form form = winograd_weight_form(gradient, shape->algorithm, &choice);
    if (only_reported(shape, &choice))
        return OK;
    if (form)
        return weight_by_winograd(gradient, form);
    if (choice.method == BY_TAPS)
        return weight_by_taps(gradient, shape);
    return choice.method == BY_DOTS ? weight_by_dots(gradient) : weight_by_panels(gradient);
}
