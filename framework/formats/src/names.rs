//! Names of other systems as names of the mesh.

use std::collections::BTreeSet;

use mesh_core::contract::check_name;

/// The longest name made; the mesh allows 100 characters.
const LONGEST: usize = 80;

/// `orderID`, `Order-ID` or `ORDER ID` as `order_id`; empty if no letter or digit is left.
pub fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, &c) in chars.iter().enumerate() {
        if !c.is_ascii_alphanumeric() {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).map(|i| chars[i]);
        let after = chars.get(at + 1);
        // A hump: `orderId`, or the last capital of `HTTPServer`.
        let hump = c.is_ascii_uppercase()
            && before.is_some_and(|b| {
                b.is_ascii_lowercase()
                    || b.is_ascii_digit()
                    || b.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase)
            });
        if hump && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out.truncate(LONGEST);
    out.trim_matches('_').to_owned()
}

/// A valid name of the mesh made from `name`; `fallback` where nothing of it can stand.
pub(crate) fn valid(name: &str, fallback: &str) -> String {
    let mut made = snake_case(name);
    if made.is_empty() {
        made = fallback.to_owned();
    }
    if made.starts_with(|c: char| c.is_ascii_digit()) {
        made = format!("c_{made}");
    }
    if check_name(&made).is_err()
        && let Some((head, digits)) = made.rsplit_once("_v")
    {
        made = format!("{head}_version_{digits}");
    }
    made
}

/// The name of one record of what is called `name`: `Orders` as `order`, without a version.
pub fn record_name(name: &str) -> String {
    let mut made = snake_case(name);
    if let Some((head, digits)) = made.rsplit_once("_v")
        && !head.is_empty()
        && !digits.is_empty()
        && digits.chars().all(|c| c.is_ascii_digit())
    {
        made = head.to_owned();
    }
    let made = valid(&made, "record");
    for (plural, singular) in [("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh")] {
        if let Some(stem) = made.strip_suffix(plural)
            && stem.len() > 1
        {
            return format!("{stem}{singular}");
        }
    }
    match made.strip_suffix('s') {
        Some(stem) if stem.len() > 1 && !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
        _ => made,
    }
}

/// Gives each name of one record once.
#[derive(Debug, Default)]
pub(crate) struct Namer {
    taken: BTreeSet<String>,
}

impl Namer {
    /// A valid name for the column called `name` at `position` (from 1) that none has yet.
    pub(crate) fn name(&mut self, name: &str, position: usize) -> String {
        let made = valid(name, &format!("column_{position}"));
        let mut free = made.clone();
        let mut count = 2;
        while !self.taken.insert(free.clone()) {
            free = format!("{made}_{count}");
            count += 1;
        }
        free
    }
}
