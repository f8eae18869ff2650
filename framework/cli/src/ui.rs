//! What people see on the terminal.

use std::io::{IsTerminal, Write};

use mesh_core::Error;

/// Whether standard output is a terminal that shows colour.
pub(crate) fn is_terminal() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// `text` in bold on a terminal.
pub(crate) fn bold(text: &str) -> String {
    if is_terminal() {
        format!("\x1b[1m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// `text` dimmed on a terminal.
pub(crate) fn dim(text: &str) -> String {
    if is_terminal() {
        format!("\x1b[2m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// `text` in one of the eight colours (ECMA-48: 1 red, 2 green, 3 yellow …) on a terminal.
pub(crate) fn colour(text: &str, colour: u8) -> String {
    if is_terminal() {
        format!("\x1b[3{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Prints one line; a reader that went away (`| head`) is no error.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.as_ref());
}

/// Prints a word beside the answer.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints `error` with its mend on its own line, as everything that fails here does.
pub(crate) fn fail(error: &Error) {
    let mut text = format!("error: {}", error.message());
    for (name, value) in error.context() {
        text.push_str(&format!("\n  {name}: {value}"));
    }
    if let Some(mend) = error.mend_text() {
        text.push_str(&format!("\n  mend: {mend}"));
    }
    let _ = writeln!(std::io::stderr().lock(), "{text}");
    tracing::debug!(error = error.log_line(), "command failed");
}
