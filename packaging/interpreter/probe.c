/* The smallest head: an ordinary Python. It is linked as every head is, and then looked at. */

#include <Python.h>

int main(int argc, char **argv) { return Py_BytesMain(argc, argv); }
