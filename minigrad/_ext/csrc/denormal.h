/* How the calling thread computes with denormal numbers, those next to 0: as IEEE 754 says, which takes many times as long, or as with 0. */
#ifndef MINIGRAD_DENORMAL_H
#define MINIGRAD_DENORMAL_H

#if defined(__x86_64__)
enum { FLUSH_DENORMALS = 0x8040 }; /* results to 0, operands as 0 */
static inline unsigned long long float_modes(void) { return __builtin_ia32_stmxcsr(); }
static inline void set_float_modes(unsigned long long modes) { __builtin_ia32_ldmxcsr((unsigned)modes); }
#elif defined(__aarch64__)
enum { FLUSH_DENORMALS = 1 << 24 };
static inline unsigned long long float_modes(void)
{
    unsigned long long modes;
    __asm__ volatile("mrs %0, fpcr" : "=r"(modes));
    return modes;
}
static inline void set_float_modes(unsigned long long modes) { __asm__ volatile("msr fpcr, %0" : : "r"(modes)); }
#else
enum { FLUSH_DENORMALS = 0 };
static inline unsigned long long float_modes(void) { return 0; }
static inline void set_float_modes(unsigned long long modes) { (void)modes; }
#endif

#endif
