//! The C interface, on WebAssembly only.

use core::cell::UnsafeCell;

use crate::quote::{self, ANSWER, Answer};
use crate::{covenant, pending, request};

/// Memory that the caller shares.
struct Shared<T>(UnsafeCell<T>);

// SAFETY: the module has one thread: it is built without the atomics that shared memory needs, and its memory is its own.
unsafe impl<T> Sync for Shared<T> {}

static INPUT: Shared<[u64; request::WORDS]> = Shared(UnsafeCell::new([0; request::WORDS]));
static OUTPUT: Shared<Answer> = Shared(UnsafeCell::new([0; ANSWER]));

fn call(work: fn(&[u64], &mut Answer) -> i32) -> i32 {
    // SAFETY: nothing else holds a reference: calls do not nest, as the module imports nothing that could call back, and
    // the caller touches the memory only between calls.
    let (input, output) = unsafe { (&*INPUT.0.get(), &mut *OUTPUT.0.get()) };
    *output = [0; ANSWER];
    work(input, output)
}

/// Where a request goes; see [`crate::request`].
#[unsafe(no_mangle)]
pub extern "C" fn input() -> *mut u64 {
    INPUT.0.get().cast()
}

/// Where the answer is after a call; see [`crate::quote`].
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u64 {
    OUTPUT.0.get().cast()
}

/// Bytes of a subaccount that this module reads.
#[unsafe(no_mangle)]
pub extern "C" fn subaccount_bytes() -> usize {
    request::SUBACCOUNT
}

/// Bytes of a market that this module reads.
#[unsafe(no_mangle)]
pub extern "C" fn market_bytes() -> usize {
    request::MARKET
}

/// Bytes of a covenant that this module reads.
#[unsafe(no_mangle)]
pub extern "C" fn covenant_bytes() -> usize {
    request::COVENANT
}

/// The most markets in a request.
#[unsafe(no_mangle)]
pub extern "C" fn most_markets() -> usize {
    request::MARKETS
}

/// See [`quote::health`].
#[unsafe(no_mangle)]
pub extern "C" fn health() -> i32 {
    call(quote::health)
}

/// See [`quote::position`].
#[unsafe(no_mangle)]
pub extern "C" fn position() -> i32 {
    call(quote::position)
}

/// See [`quote::liquidation_price`].
#[unsafe(no_mangle)]
pub extern "C" fn liquidation_price() -> i32 {
    call(quote::liquidation_price)
}

/// See [`quote::max_increase`].
#[unsafe(no_mangle)]
pub extern "C" fn max_increase() -> i32 {
    call(quote::max_increase)
}

/// See [`quote::loss_at_stop`].
#[unsafe(no_mangle)]
pub extern "C" fn loss_at_stop() -> i32 {
    call(quote::loss_at_stop)
}

/// See [`quote::size_for_risk`].
#[unsafe(no_mangle)]
pub extern "C" fn size_for_risk() -> i32 {
    call(quote::size_for_risk)
}

/// See [`covenant::touch`].
#[unsafe(no_mangle)]
pub extern "C" fn touch() -> i32 {
    call(covenant::touch)
}

/// See [`covenant::headroom`].
#[unsafe(no_mangle)]
pub extern "C" fn headroom() -> i32 {
    call(covenant::headroom)
}

/// See [`pending::times`].
#[unsafe(no_mangle)]
pub extern "C" fn proposal_times() -> i32 {
    call(pending::times)
}

/// No call is known to end here, as the engine refuses instead of panicking; the caller would see a trap.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
