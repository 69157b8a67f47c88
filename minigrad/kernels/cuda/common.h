// What stands before every source file here. STORED is the type of the arrays' elements, WIDE the one that sums are made in.
typedef long long int64;
typedef unsigned long long uint64;

#ifdef HALF
struct Half { unsigned short bits; };
typedef Half T;
#ifdef CUSIM
__device__ __forceinline__ float wide(Half x) { _Float16 h; __builtin_memcpy(&h, &x.bits, 2); return (float)h; }
__device__ __forceinline__ Half narrow(float x) { _Float16 h = (_Float16)x; Half y; __builtin_memcpy(&y.bits, &h, 2); return y; }
#else
__device__ __forceinline__ float wide(Half x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
__device__ __forceinline__ Half narrow(float x) { Half y; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x)); return y; }
#endif
#else
typedef STORED T;
__device__ __forceinline__ WIDE wide(T x) { return x; }
__device__ __forceinline__ T narrow(WIDE x) { return x; }
#endif
typedef WIDE A;

#define INFINITY_OF_A ((A)(1e300 * 1e300))
#define EACH(i, n) for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += gridDim.x * blockDim.x)

// The sum of one number a thread of the block, at all of its threads; `slots` has room for 32.
template <class S> __device__ __forceinline__ S block_sum(S value, S* slots) {
    for (int step = 16; step; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
    __syncthreads();
    if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = value;
    __syncthreads();
    S total = 0;
    for (int i = 0; i < (int)blockDim.x / 32; i++) total += slots[i];
    return total;
}
template <class S> __device__ __forceinline__ S block_max(S value, S* slots) {
    for (int step = 16; step; step /= 2) {
        S other = __shfl_xor_sync(0xffffffffu, value, step);
        value = other > value || other != other ? other : value;
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = value;
    __syncthreads();
    S most = slots[0];
    for (int i = 1; i < (int)blockDim.x / 32; i++) most = slots[i] > most || slots[i] != slots[i] ? slots[i] : most;
    return most;
}
