// Random numbers by Philox4x32-10 (Salmon et al., 2011): a thread a counter, four words each. Words are taken as the CPU takes them, so that the
// same key drops the same elements: counters in groups of 16, of each group all first words, then all second words, and so on.

struct Words { unsigned v[4]; };

__device__ __forceinline__ Words philox(uint64 counter, uint64 key) {
    unsigned a = (unsigned)counter, b = (unsigned)(counter >> 32), c = 0, d = 0, k0 = (unsigned)key, k1 = (unsigned)(key >> 32);
#pragma unroll
    for (int i = 0; i < 10; i++) {
        const unsigned high0 = __umulhi(0xD2511F53u, a), low0 = 0xD2511F53u * a, high1 = __umulhi(0xCD9E8D57u, c), low1 = 0xCD9E8D57u * c;
        a = high1 ^ b ^ k0;
        b = low1;
        c = high0 ^ d ^ k1;
        d = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return {{a, b, c, d}};
}

extern "C" __global__ void dropout(const T* x, T* y, int size, uint64 key, unsigned threshold, double scale) {
    EACH(counter, (size + 63) / 64 * 16) {
        const Words words = philox(counter, key);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            const int i = counter / 16 * 64 + k * 16 + counter % 16;
            if (i < size) y[i] = narrow(words.v[k] >= threshold ? wide(x[i]) * (A)scale : (A)0);
        }
    }
}

__device__ __forceinline__ double fraction(unsigned high, unsigned low) { return ((high >> 5) * 67108864.0 + (low >> 6)) * (1.0 / 9007199254740992.0); }

extern "C" __global__ void uniform(float* y, int size, uint64 begin, uint64 key) {
    EACH(counter, (size + 3) / 4) {
        const Words words = philox(begin + counter, key);
        for (int k = 0; k < 4 && counter * 4 + k < size; k++) y[counter * 4 + k] = (words.v[k] >> 8) * (1.0f / 16777216.0f);
    }
}

extern "C" __global__ void uniform_double(double* y, int size, uint64 begin, uint64 key) {
    EACH(counter, (size + 1) / 2) {
        const Words words = philox(begin + counter, key);
        for (int k = 0; k < 2 && counter * 2 + k < size; k++) y[counter * 2 + k] = fraction(words.v[2 * k], words.v[2 * k + 1]);
    }
}

// Box and Muller, 1958: two independent normal numbers from the radius and the angle that two uniform ones give.
extern "C" __global__ void normal(float* y, int size, uint64 begin, uint64 key) {
    EACH(counter, (size + 3) / 4) {
        const Words words = philox(begin + counter, key);
        for (int k = 0; k < 4 && counter * 4 + k < size; k += 2) {
            const float radius = sqrtf(-2.0f * logf(((words.v[k] >> 8) + 1) * (1.0f / 16777216.0f))), angle = (words.v[k + 1] >> 8) * (2.0f / 16777216.0f);
            y[counter * 4 + k] = radius * cospif(angle);
            if (counter * 4 + k + 1 < size) y[counter * 4 + k + 1] = radius * sinpif(angle);
        }
    }
}

extern "C" __global__ void normal_double(double* y, int size, uint64 begin, uint64 key) {
    EACH(counter, (size + 1) / 2) {
        const Words words = philox(begin + counter, key);
        const double radius = sqrt(-2.0 * log(1.0 - fraction(words.v[0], words.v[1]))), angle = 2.0 * fraction(words.v[2], words.v[3]);
        y[counter * 2] = radius * cospi(angle);
        if (counter * 2 + 1 < size) y[counter * 2 + 1] = radius * sinpi(angle);
    }
}
