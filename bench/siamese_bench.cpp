#include "bench/program.h"

int main(int argc, char** argv) { return siamese::bench::run_program(argc, argv); }
