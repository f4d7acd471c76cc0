#![no_std]
//! 128-bit multiply and divide on 64-bit halves, for a target without them.
