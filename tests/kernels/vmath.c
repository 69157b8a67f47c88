/* All functions of vmath.h on special numbers, for a sanitizer to look at. */
#include "vmath.h"

#include <stdio.h>

int main(void)
{
    const real numbers[] = {0, 1, 2, (real)2 / 3, (real)0.5, (real)1e-30, (real)1e-40, (real)3e38, INFINITY, NAN};
    const int count = sizeof numbers / sizeof *numbers;
    for (int i = 0; i < 2 * count; i++) {
        volatile real number = i < count ? numbers[i] : -numbers[i - count];
        const vec x = broadcast(number);
        const vec results[] = {log_of(x),  log1p_of(absolute(x)), exp_of(x),    expm1_of(x),
                               tanh_of(x), erf_of(x),   sigmoid_of(x)};
        for (int k = 0; k < (int)(sizeof results / sizeof *results); k++)
            printf("%g ", (double)results[k][0]);
        printf("\n");
    }
    return 0;
}
