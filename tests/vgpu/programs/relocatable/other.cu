__device__ int other_offset = 7;
__device__ int other_twice(int value) { return 2 * value; }
