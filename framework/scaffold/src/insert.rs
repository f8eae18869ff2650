//! Lines put into files that are there, at the places that their templates marked.

use std::path::Path;

use mesh_core::{Error, ErrorKind, Result};

/// `text` of `file` with `lines` above the line that holds `marker`, as far in as that is.
///
/// # Errors
/// If the mark is gone, with the lines to write by hand.
pub(crate) fn above(file: &Path, text: &str, marker: &str, lines: &[String]) -> Result<String> {
    let Some(at) = text.lines().position(|line| line.contains(marker)) else {
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            "the place for new lines is not marked",
        )
        .with("file", file.display())
        .with("mark", marker)
        .with("lines", lines.join(" ⏎ "))
        .mend("put a comment with that mark where such lines belong, and try again"));
    };
    let mut made = String::with_capacity(text.len() + 256);
    for (number, line) in text.lines().enumerate() {
        if number == at {
            let indent = &line[..line.len() - line.trim_start().len()];
            for new in lines {
                made.push_str(indent);
                made.push_str(new);
                made.push('\n');
            }
        }
        made.push_str(line);
        made.push('\n');
    }
    Ok(made)
}

/// `text` of `file` with the line `pub mod name;` or the like among those of its kind above
/// `marker`, in their order.
///
/// # Errors
/// As [`above`].
pub(crate) fn sorted(file: &Path, text: &str, marker: &str, line: &str) -> Result<String> {
    let with = above(file, text, marker, &[line.to_owned()])?;
    let mut lines: Vec<&str> = with.lines().collect();
    let Some(end) = lines.iter().position(|line| line.contains(marker)) else {
        return Ok(with);
    };
    let head = line.split_inclusive("mod ").next().unwrap_or(line);
    let start = lines[..end]
        .iter()
        .rposition(|line| !line.starts_with(head))
        .map_or(0, |before| before + 1);
    lines[start..end].sort_unstable();
    Ok(lines.join("\n") + "\n")
}
