/* The instruction sets of this build; meson defines WITH_<NAME> for each that the compiler can target. */
#include "kernels.h"

static int always(void) { return 1; }

#define DECLARE(isa) extern const kernel_table kernels_##isa##_float, kernels_##isa##_double;
#define ENTRY(isa, supported) {#isa, supported, &kernels_##isa##_float, &kernels_##isa##_double}

DECLARE(baseline)

#ifdef WITH_AVX2
DECLARE(avx2)
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#endif

#ifdef WITH_AVX512
DECLARE(avx512)
static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}
#endif

#ifdef WITH_NEON
DECLARE(neon)
#endif

const instruction_set instruction_sets[] = {
    ENTRY(baseline, always),
#ifdef WITH_AVX2
    ENTRY(avx2, has_avx2),
#endif
#ifdef WITH_AVX512
    ENTRY(avx512, has_avx512),
#endif
#ifdef WITH_NEON
    ENTRY(neon, always), /* every AArch64 processor has it */
#endif
};
const int instruction_set_count = sizeof instruction_sets / sizeof *instruction_sets;
