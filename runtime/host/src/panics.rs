//! What is kept of a panic: where it was. Its text may quote what a user wrote (an index into a
//! prompt says the prompt), so no text of a panic reaches an exit, a log or a view.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, Location, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// What a process does about panics.
type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

thread_local! {
    /// Whether this thread takes a turn: only then is a panic this module's business.
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic in a turn was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Bytes of a sentence about an exit: a log's line, and a view's.
pub(crate) const WHY_BYTES_MAX: usize = 256;

/// Takes a turn. A panic in it is where it was; the process's own hook, which prints its text, is
/// not asked.
pub(crate) fn guard<T>(turn: impl FnOnce() -> T) -> Result<T, String> {
    mind();
    IN_TURN.set(true);
    let result = catch_unwind(AssertUnwindSafe(turn));
    IN_TURN.set(false);
    let place = PLACE.take();
    result.map_err(|_| place.unwrap_or_else(|| "at an unknown place".to_owned()))
}

/// A sentence about an exit, as long as a log's line at most.
pub(crate) fn bounded(mut why: String) -> String {
    why.truncate(why.floor_char_boundary(WHY_BYTES_MAX));
    why
}

/// Puts a hook before the process's own, once.
fn mind() {
    static MINDED: Once = Once::new();
    MINDED.call_once(|| put_before(take_hook()));
}

/// Sets a hook that leaves to this one whatever panics outside of turns.
pub(crate) fn put_before(others: Hook) {
    set_hook(Box::new(move |panic| match IN_TURN.get() {
        true => PLACE.set(Some(place_of(panic.location()))),
        false => others(panic),
    }));
}

fn place_of(location: Option<&Location<'_>>) -> String {
    location.map_or_else(
        || "at an unknown place".to_owned(),
        |at| bounded(format!("at {at}")),
    )
}
