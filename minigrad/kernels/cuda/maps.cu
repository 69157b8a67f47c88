// Functions of each element. At kinks their derivatives are torch's; a NaN stays one.

__device__ __forceinline__ A sigmoid_of(A x) {
    const A power = exp(-fabs(x));
    return (x < 0 ? power : (A)1) / (1 + power);
}
__device__ __forceinline__ A softplus_of(A x) { return (x > 0 || x != x ? x : (A)0) + log1p(exp(-fabs(x))); }
__device__ __forceinline__ A distribution(A x) { return (A)0.5 * (1 + erf(x * (A)0.7071067811865476)); }
__device__ __forceinline__ A density(A x) { return exp((A)-0.5 * x * x) * (A)0.3989422804014327; }
__device__ __forceinline__ A gelu_tangent(A x) { return tanh((x + (A)0.044715 * x * x * x) * (A)0.7978845608028654); }
__device__ __forceinline__ A gelu_tanh_slope(A x) {
    const A t = gelu_tangent(x);
    return (A)0.5 * ((1 + t) + x * (1 - t * t) * (1 + 3 * (A)0.044715 * x * x) * (A)0.7978845608028654);
}
__device__ __forceinline__ A silu_slope(A x) {
    const A s = sigmoid_of(x);
    return s * (1 + x * (1 - s));
}

#define UNARY(name, value)                                                                                    \
    extern "C" __global__ void unary_##name(const T* from, T* to, int size, double first, double second) {    \
        const A a = (A)first, b = (A)second;                                                                  \
        (void)a;                                                                                              \
        (void)b;                                                                                              \
        EACH(i, size) {                                                                                       \
            const A x = wide(from[i]);                                                                        \
            to[i] = narrow(value);                                                                            \
        }                                                                                                     \
    }
// x_step is 0 where x is one number for all.
#define BINARY(name, value)                                                                                   \
    extern "C" __global__ void binary_##name(const T* left, const T* right, T* to, int size, int x_step, double first, double second) { \
        const A a = (A)first, b = (A)second;                                                                  \
        (void)a;                                                                                              \
        (void)b;                                                                                              \
        EACH(i, size) {                                                                                       \
            const A x = wide(left[i * x_step]), z = wide(right[i]);                                           \
            to[i] = narrow(value);                                                                            \
        }                                                                                                     \
    }

UNARY(relu, x < 0 ? (A)0 : x)
UNARY(leaky_relu, x > 0 ? x : x * a)
UNARY(elu, x <= 0 ? expm1(x) * a : x)
UNARY(hardtanh, x < a ? a : x > b ? b : x)
UNARY(hardsigmoid, x <= -3 ? (A)0 : x >= 3 ? (A)1 : (x + 3) / 6)
UNARY(hardswish, x <= -3 ? (A)0 : x >= 3 ? x : x * (x + 3) / 6)
UNARY(exp, exp(x))
UNARY(log, log(x))
UNARY(tanh, tanh(x))
UNARY(sigmoid, sigmoid_of(x))
UNARY(erf, erf(x))
UNARY(softplus, x * a > b ? x : softplus_of(x * a) / a)
UNARY(gelu, x * distribution(x))
UNARY(gelu_tanh, x * ((1 + gelu_tangent(x)) * (A)0.5))
UNARY(silu, x * sigmoid_of(x))

BINARY(add, x + z)
BINARY(sub, x - z)
BINARY(mul, x * z)
BINARY(div, x / z)
BINARY(relu_input, z <= 0 ? (A)0 : x)
BINARY(leaky_relu_input, z > 0 ? x : x * a)
BINARY(elu_input, z <= 0 ? x * (exp(z) * a) : x)
BINARY(hardtanh_input, z > a && z < b ? x : (A)0)
BINARY(hardsigmoid_input, z > -3 && z < 3 ? x / 6 : (A)0)
BINARY(hardswish_input, z <= -3 ? (A)0 : z >= 3 ? x : x * (2 * z + 3) / 6)
BINARY(tanh_input, x * (1 - z * z))
BINARY(sigmoid_input, x * (z * (1 - z)))
BINARY(softplus_input, z * a > b ? x : x * sigmoid_of(z * a))
BINARY(gelu_input, x * (distribution(z) + z * density(z)))
BINARY(gelu_tanh_input, x * gelu_tanh_slope(z))
BINARY(silu_input, x * silu_slope(z))
BINARY(logistic_loss, (1 - z) * x + softplus_of(-x))
BINARY(logistic_slope, sigmoid_of(x) - z)
BINARY(squared_difference, (x - z) * (x - z))
BINARY(scaled_product, x * z * a)
