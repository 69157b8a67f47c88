#include "maps.h"

#define MAP_NAME(name) #name,
const char *const unary_names[] = {UNARY_MAPS(MAP_NAME)};
const char *const binary_names[] = {BINARY_MAPS(MAP_NAME)};
const int unary_count = UNARY_COUNT, binary_count = BINARY_COUNT;
