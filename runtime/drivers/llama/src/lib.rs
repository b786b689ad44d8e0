//! llama.cpp in a child process per device.
