//! The replaced symbols of the C library.
//!
//! Each acts on threads that opted in, and is the raw system call on all others. They must neither
//! allocate nor panic: they are called from anywhere, also while a thread is being torn down.
#![allow(unsafe_code, reason = "the symbols of the C library are defined here")]

use libc::{c_int, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};

use crate::entropy;

/// Where virtual wall-clock time begins: 2026-01-01T00:00:00Z, as in the simulated cluster.
const WALL: i64 = 1_767_225_600;
/// Where the virtual steady clock begins; some code subtracts from it.
const STEADY: i64 = 1_000_000;

/// # Safety
/// `buffer` must be valid for writes of `length` bytes, as the C function demands.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: the caller promises that the buffer holds `length` bytes.
    let filled = !buffer.is_null()
        && entropy::fill(unsafe { std::slice::from_raw_parts_mut(buffer.cast(), length) });
    if filled {
        return length as ssize_t;
    }
    // SAFETY: the same arguments, handed on to the kernel.
    unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) as ssize_t }
}

/// # Safety
/// `buffer` must be valid for writes of `length` bytes, as the C function demands.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buffer: *mut c_void, length: size_t) -> c_int {
    // SAFETY: as the caller promised us.
    let read = unsafe { getrandom(buffer, length, 0) };
    if read >= 0 && read as size_t == length { 0 } else { -1 }
}

/// # Safety
/// `time` must be valid for a write, as the C function demands.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if let (Some(now), false) = (entropy::time(), time.is_null()) {
        let begin = if clock == libc::CLOCK_REALTIME { WALL } else { STEADY };
        // SAFETY: the caller promises that `time` may be written; it is not null.
        unsafe {
            (*time).tv_sec = begin + (now / 1_000_000_000) as i64;
            (*time).tv_nsec = (now % 1_000_000_000) as i64;
        }
        return 0;
    }
    // SAFETY: the same arguments, handed on to the kernel.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int }
}
