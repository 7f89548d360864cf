use std::sync::{Mutex, PoisonError};

/// What the last panic of this process said. The hook that there was goes on to be called.
pub(super) fn last() -> String {
    LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Remembers from now on what each panic says.
pub(super) fn remember() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
        before(info);
    }));
}
